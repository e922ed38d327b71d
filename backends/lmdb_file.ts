/** Checks an LMDB data file before the library maps it: a file that is not what the library expects
 * crashes the process, or is read as zeros.
 *
 * Of the two meta pages at its beginning, which `_lmdb_meta.ts` describes, this looks at
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 24 | 4 | magic, `BEEFC0DE` |
 * | 28 | 4 | version, 2 |
 * | 48 | 4 | page size in bytes |
 * | 144 | 8 | number of the last page |
 * | 152 | 8 | transaction that wrote it; the higher one counts |
 *
 * @module
 */

import * as fs from "node:fs";
import { REPAIR } from "../codec/_advice.ts";
import { StoreError } from "../codec/error.ts";
import { fileError } from "./files.ts";
import { checkLmdbPages } from "./lmdb_check.ts";

/** The data file inside the engine's directory. */
export const LMDB_FILE = "data.mdb";

const MAGIC = 0xbeefc0de;
const VERSION = 2;
const META_BYTES = 160;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65536;

interface Meta {
  readonly pageBytes: number;
  readonly lastPage: bigint;
  readonly transaction: bigint;
}

/** Makes sure that a data file can be opened and read without crashing the process, as far as its
 * meta pages tell, and that it is as long as it has to be.
 *
 * A healthy file may end before its last page: pages that were freed before they were ever written
 * are not there. Only then is all of its structure looked at, which reads a good part of the file.
 *
 * @param path The data file.
 * @throws {StoreError} `CORRUPT`: the file is missing, cut, or not one of LMDB; `IO`.
 */
export async function checkLmdbFile(path: string): Promise<void> {
  const refusal = (reason: string) =>
    new StoreError("CORRUPT", `Cannot open ${path}: ${reason}; ${REPAIR}`);
  if (!fs.existsSync(path)) throw refusal("the file is missing");
  let isShort: boolean | undefined;
  try {
    isShort = isFileShort(path);
  } catch (error) {
    throw fileError(`Cannot open ${path}`, error);
  }
  if (isShort === undefined) throw refusal("it does not begin with two LMDB meta pages");
  if (!isShort) return;
  const [fault] = (await checkLmdbPages(path, { faultsMax: 1 })).faults;
  if (fault === undefined) return;
  throw refusal(`it was cut or overwritten: page ${fault.page} ${fault.reason}`);
}

/** Returns whether a file ends before its last page, `undefined` where it has no meta pages. */
function isFileShort(path: string): boolean | undefined {
  const descriptor = fs.openSync(path, "r");
  try {
    const first = readMeta(descriptor, 0);
    const second = first && readMeta(descriptor, first.pageBytes);
    if (first === undefined || second === undefined || first.pageBytes !== second.pageBytes) {
      return undefined;
    }
    const { pageBytes, lastPage } = first.transaction > second.transaction ? first : second;
    return (lastPage + 1n) * BigInt(pageBytes) > BigInt(fs.fstatSync(descriptor).size);
  } finally {
    fs.closeSync(descriptor);
  }
}

function readMeta(descriptor: number, position: number): Meta | undefined {
  const bytes = new Uint8Array(META_BYTES);
  if (fs.readSync(descriptor, bytes, 0, META_BYTES, position) < META_BYTES) return undefined;
  const view = new DataView(bytes.buffer);
  if (view.getUint32(24, true) !== MAGIC || view.getUint32(28, true) !== VERSION) return undefined;
  const pageBytes = view.getUint32(48, true);
  if (pageBytes < PAGE_BYTES_MIN || pageBytes > PAGE_BYTES_MAX) return undefined;
  const lastPage = view.getBigUint64(144, true);
  return { pageBytes, lastPage, transaction: view.getBigUint64(152, true) };
}
