/** Checks an LMDB data file before the library maps it: a file that is not what the library expects
 * crashes the process.
 *
 * Each of the first two pages is a meta page, little-endian:
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 24 | 4 | magic, `BEEFC0DE` |
 * | 28 | 4 | version, 2 |
 * | 48 | 4 | page size in bytes |
 * | 144 | 8 | number of the last page in use |
 *
 * @module
 */

import * as fs from "node:fs";
import { StoreError } from "../codec/error.ts";

const MAGIC = 0xbeefc0de;
const VERSION = 2;
const META_BYTES = 152;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65536;
/** A healthy file ends before its last page where that page was never written. More than this much
 * missing is a cut file or a damaged page number. */
const MISSING_BYTES_MAX = 2 ** 30;

interface Meta {
  readonly pageBytes: number;
  readonly lastPage: bigint;
}

function readMeta(descriptor: number, position: number): Meta | undefined {
  const bytes = new Uint8Array(META_BYTES);
  if (fs.readSync(descriptor, bytes, 0, META_BYTES, position) < META_BYTES) return undefined;
  const view = new DataView(bytes.buffer);
  if (view.getUint32(24, true) !== MAGIC || view.getUint32(28, true) !== VERSION) return undefined;
  const pageBytes = view.getUint32(48, true);
  const isPowerOfTwo = (pageBytes & (pageBytes - 1)) === 0;
  if (pageBytes < PAGE_BYTES_MIN || pageBytes > PAGE_BYTES_MAX || !isPowerOfTwo) return undefined;
  return { pageBytes, lastPage: view.getBigUint64(144, true) };
}

/** Makes sure that a data file can be opened and read without crashing the process, as far as its
 * meta pages tell. A file that ends before its last page is extended with zeros, so that reading
 * there is an error of the library and no fault of the process.
 *
 * @param path The data file.
 * @throws {StoreError} `CORRUPT`: the file is missing, cut, or not one of LMDB.
 */
export function checkLmdbFile(path: string): void {
  const refuse = (reason: string) =>
    new StoreError("CORRUPT", `Cannot open ${path}: ${reason}; restore a backup`);
  if (!fs.existsSync(path)) throw refuse("the file is missing");
  const descriptor = fs.openSync(path, "r+");
  try {
    const first = readMeta(descriptor, 0);
    const second = first && readMeta(descriptor, first.pageBytes);
    if (first === undefined || second === undefined || first.pageBytes !== second.pageBytes) {
      throw refuse("it does not open with two LMDB meta pages");
    }
    const lastPage = first.lastPage > second.lastPage ? first.lastPage : second.lastPage;
    const neededBytes = (lastPage + 1n) * BigInt(first.pageBytes);
    const { size } = fs.fstatSync(descriptor);
    if (neededBytes <= BigInt(size)) return;
    if (neededBytes - BigInt(size) > BigInt(MISSING_BYTES_MAX)) {
      throw refuse(`it should hold ${neededBytes} bytes and holds ${size}`);
    }
    fs.ftruncateSync(descriptor, Number(neededBytes));
  } finally {
    fs.closeSync(descriptor);
  }
}
