/** What the errors of LMDB mean.
 *
 * @module
 */

import { REPAIR } from "../codec/_advice.ts";
import { StoreError } from "../codec/error.ts";
import { isFileSystemFull } from "./files.ts";

const DAMAGE = /MDB_(CORRUPTED|INVALID|VERSION_MISMATCH|PAGE_NOTFOUND|INCOMPATIBLE|CURSOR_FULL)/;
const FULL = /MDB_MAP_FULL|ENOSPC|EDQUOT|No space left|quota exceeded/i;

/** A transaction may take about so much: its writes, and copies of the pages above. */
const COMMIT_BYTES = 16 * 2 ** 20;

/** Converts an error of the library into a `StoreError`.
 *
 * @param path The data file, where the error may come of writing it.
 */
export function lmdbError(what: string, error: unknown, path?: string): StoreError {
  if (error instanceof StoreError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  // LMDB calls a write that was cut short an I/O error, without asking what cut it. It gives the space back, and
  // others may have given back some since.
  const isFull = () =>
    FULL.test(reason) || (path !== undefined && isFileSystemFull(path, COMMIT_BYTES));
  const isDamage = DAMAGE.test(reason);
  const code = isDamage ? "CORRUPT" : isFull() ? "NO_SPACE" : "IO";
  return new StoreError(code, `${what}: ${reason}${isDamage ? `; ${REPAIR}` : ""}`, {
    cause: error,
  });
}
