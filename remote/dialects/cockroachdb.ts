/** CockroachDB.
 *
 * @module
 */

import type { Dialect } from "../dialect.ts";

/** CockroachDB. */
export const COCKROACHDB: Dialect = {
  name: "cockroachdb",
  isVersion: (version) => version.startsWith("CockroachDB"),
  keyColumns: "k BYTES PRIMARY KEY, v BYTES NOT NULL",
  // Numbers are not given in order, and serializable transactions take locks for advice.
  hasFeed: false,
  beginStale: (ms) => [`BEGIN READ ONLY AS OF SYSTEM TIME '-${ms}ms'`],
  // A transaction whose gateway does not hear of its client any more is aborted by others that wait for it.
  terminate: undefined,
  backend: undefined,
};
