/** Checks an LMDB data file before the library maps it: a file that is not what the library expects
 * crashes the process, or is read as zeros.
 *
 * Each of the first two pages is a meta page, little-endian:
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 24 | 4 | magic, `BEEFC0DE` |
 * | 28 | 4 | version, 2 |
 * | 48 | 4 | page size in bytes |
 * | 88 | 8 | root page of the tree of free pages |
 * | 136 | 8 | root page of the main tree |
 * | 144 | 8 | number of the last page |
 * | 152 | 8 | transaction that wrote it; the higher one counts |
 *
 * @module
 */

import * as fs from "node:fs";
import { StoreError } from "../codec/error.ts";
import { fileError } from "./files.ts";
import { findBrokenPage } from "./lmdb_pages.ts";

const MAGIC = 0xbeefc0de;
const VERSION = 2;
const META_BYTES = 160;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65536;
/** The library maps as much as the last page's number asks for; this is more than a store holds. */
const FILE_BYTES_MAX = 2n ** 46n;

interface Meta {
  readonly pageBytes: number;
  readonly roots: readonly bigint[];
  readonly lastPage: bigint;
  readonly transaction: bigint;
}

function readMeta(descriptor: number, position: number): Meta | undefined {
  const bytes = new Uint8Array(META_BYTES);
  if (fs.readSync(descriptor, bytes, 0, META_BYTES, position) < META_BYTES) return undefined;
  const view = new DataView(bytes.buffer);
  if (view.getUint32(24, true) !== MAGIC || view.getUint32(28, true) !== VERSION) return undefined;
  const pageBytes = view.getUint32(48, true);
  if (pageBytes < PAGE_BYTES_MIN || pageBytes > PAGE_BYTES_MAX) return undefined;
  return {
    pageBytes,
    roots: [view.getBigUint64(88, true), view.getBigUint64(136, true)],
    lastPage: view.getBigUint64(144, true),
    transaction: view.getBigUint64(152, true),
  };
}

/** Makes sure that a data file can be opened and read without crashing the process, as far as its
 * meta pages tell, and that it is as long as it has to be.
 *
 * A healthy file may end before its last page: pages that were freed before they were ever written
 * are not there. Only then are all pages of the trees looked up, which reads a good part of the file.
 *
 * @param path The data file.
 * @throws {StoreError} `CORRUPT`: the file is missing, cut, or not one of LMDB; `IO`.
 */
export function checkLmdbFile(path: string): void {
  const what = `Cannot open ${path}`;
  const refusal = (reason: string) =>
    new StoreError("CORRUPT", `${what}: ${reason}; restore a backup`);
  if (!fs.existsSync(path)) throw refusal("the file is missing");
  let descriptor: number | undefined;
  try {
    descriptor = fs.openSync(path, "r");
    const first = readMeta(descriptor, 0);
    const second = first && readMeta(descriptor, first.pageBytes);
    if (first === undefined || second === undefined || first.pageBytes !== second.pageBytes) {
      throw refusal("it does not begin with two LMDB meta pages");
    }
    const { pageBytes, roots, lastPage } = first.transaction > second.transaction ? first : second;
    const neededBytes = (lastPage + 1n) * BigInt(pageBytes);
    const { size } = fs.fstatSync(descriptor);
    if (neededBytes <= BigInt(size)) return;
    if (neededBytes > FILE_BYTES_MAX) throw refusal(`page ${lastPage} cannot be its last page`);
    const pages = Math.floor(size / pageBytes);
    const broken = findBrokenPage(descriptor, pageBytes, pages, roots);
    if (broken !== undefined) {
      throw refusal(`it was cut or overwritten: page ${broken} of ${lastPage + 1n} is missing`);
    }
  } catch (error) {
    throw fileError(what, error);
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}
