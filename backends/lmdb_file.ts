/** Checks an LMDB data file before the library maps it: a file that is not what the library expects
 * crashes the process, or is read as zeros.
 *
 * @module
 */

import * as fs from "node:fs";
import { fileError } from "../codec/_file_error.ts";
import { DataFile } from "./_data_file.ts";
import { FaultList } from "./_lmdb_faults.ts";
import { refusal } from "./_refusal.ts";
import { readMetas } from "./_lmdb_meta.ts";
import { checkLmdbPages } from "./lmdb_check.ts";

/** The data file inside the engine's directory. */
export const LMDB_FILE = "data.mdb";

/** Makes sure that a data file can be opened and read without crashing the process, as far as its
 * meta pages tell, and that it is as long as it has to be.
 *
 * A healthy file may end before its last page: pages that were freed before they were ever written
 * are not there. Only then is all of its structure looked at, which reads a good part of the file.
 *
 * @param path The data file.
 * @throws {StoreError} `CORRUPT`: the file is missing, cut, or not one of LMDB; `IO`.
 */
export async function requireLmdbFile(path: string): Promise<void> {
  if (!fs.existsSync(path)) throw refusal(path, "the file is missing");
  let isShort: boolean | undefined;
  try {
    isShort = isFileShort(path);
  } catch (error) {
    throw fileError(`Cannot open ${path}`, error);
  }
  if (isShort === undefined) throw refusal(path, "it does not begin with two LMDB meta pages");
  if (!isShort) return;
  const [fault] = (await checkLmdbPages(path, { faultsMax: 1 })).faults;
  if (fault === undefined) return;
  throw refusal(path, `it was cut or overwritten: page ${fault.page} ${fault.reason}`);
}

/** Returns whether a file ends before its last page, `undefined` where it has no meta pages. */
function isFileShort(path: string): boolean | undefined {
  const file = new DataFile(path);
  try {
    // What else is wrong with them is for the check of the pages.
    const [newer, older] = readMetas(file, new FaultList(Infinity));
    if (newer === undefined || older === undefined) return undefined;
    return (newer.lastPage + 1n) * BigInt(newer.pageBytes) > BigInt(file.size);
  } finally {
    file.close();
  }
}
