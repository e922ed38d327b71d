/** The database file of the B-tree side.
 *
 * @module
 */

import * as fs from "node:fs";
import { refusal } from "./_refusal.ts";

/** The database file inside the engine's directory. */
export const SQLITE_FILE = "data.sqlite";

/** Returns whether a database has a log, which may hold what the database lacks. */
export function hasLog(path: string): boolean {
  const log = fs.statSync(`${path}-wal`, { throwIfNoEntry: false });
  return log !== undefined && log.size > 0;
}

/** Refuses a database that ends within a page. SQLite notices when pages are missing, but reads what is
 * missing of a page as zeros. Where there is a log, a power loss may have left it so, and the log has
 * the page.
 *
 * @throws {StoreError} `CORRUPT`.
 */
export function requireWholePages(path: string): void {
  const header = new Uint8Array(18);
  const descriptor = fs.openSync(path, "r");
  try {
    fs.readSync(descriptor, header, 0, header.length, 0);
    const { size } = fs.fstatSync(descriptor);
    // Big-endian at 16; 65536 is written as 1, and then nothing is refused.
    const pageBytes = (header[16]! << 8 | header[17]!) || 1;
    if (size % pageBytes === 0 || hasLog(path)) return;
    throw refusal(path, `it was cut within page ${Math.ceil(size / pageBytes)}`);
  } finally {
    fs.closeSync(descriptor);
  }
}
