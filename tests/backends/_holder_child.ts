/** Holds the write lock of an LMDB environment, as a commit does that never comes to an end, until it is
 * killed.
 *
 * Argument: the directory.
 */

import { open } from "lmdb";

const environment = open({ path: process.argv[2]!, maxReaders: 1040, overlappingSync: false });
environment.transactionSync(() => {
  console.log("holds");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600_000);
});
