/** Keeping descriptors from the processes that this one starts.
 *
 * @module
 */

import { loadLibc } from "./libc.ts";

const GET_FLAGS = 1;
const SET_FLAGS = 2;
const CLOSE_ON_EXEC = 1;
/** New descriptors get the lowest free numbers; higher ones are not looked at. */
const DESCRIPTORS_MAX = 1024;

/** Runs a function that opens files through a library, and then makes the new descriptors close in child
 * processes. A child would keep the space of a file that is removed, and could write to it.
 *
 * Bun gives a child only the descriptors that it is told to. Deno needs this. Without the C library, and in
 * Node, the descriptors stay as the library has opened them.
 */
export function closedToChildren<T>(open: () => T): T {
  const libc = "bun" in process.versions ? undefined : loadLibc();
  if (libc === undefined || process.platform !== "linux") return open();
  const inherited = () => {
    const descriptors = Array.from({ length: DESCRIPTORS_MAX }, (_, descriptor) => descriptor);
    // A descriptor that is not open has the flags -1.
    return descriptors.filter((descriptor) => libc.fcntl(descriptor, GET_FLAGS, 0) === 0);
  };
  const before = new Set(inherited());
  const result = open();
  for (const descriptor of inherited()) {
    if (!before.has(descriptor)) libc.fcntl(descriptor, SET_FLAGS, CLOSE_ON_EXEC);
  }
  return result;
}
