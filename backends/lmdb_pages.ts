/** Walks the trees of an LMDB data file, as the library lays them out on 64-bit platforms.
 *
 * A page of a tree, little-endian:
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 18 | 2 | flags: 1 branch, 2 leaf |
 * | 20 | 2 | bytes of the node offsets below |
 * | 24 | 2 each | offsets of the nodes, from byte 24 of the page |
 *
 * A node:
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 0 | 6 | in a branch: the page below |
 * | 4 | 2 | in a leaf, flags: 1 the value is on pages of its own, 2 the value is a tree |
 * | 6 | 2 | bytes of the key |
 * | 8 | | the key, then the value |
 *
 * In place of a value on pages of its own stand its first page (8 bytes at 0) and the number of its
 * pages (8 bytes at 16); a tree has its root page at 40.
 *
 * @module
 */

import * as fs from "node:fs";

const HEADER_BYTES = 24;
const NODE_BYTES = 8;
const BRANCH = 1;
const LEAF = 2;
const OWN_PAGES = 1;
const TREE = 2;
/** The root of an empty tree. */
const NO_PAGE = 2n ** 64n - 1n;

/** Returns the number of a page that belongs to a tree and is not there, or is no page of a tree;
 * `undefined` where all are as they should be. Reads every branch and leaf page, and no values.
 *
 * @param descriptor The open data file.
 * @param pageBytes Bytes of a page.
 * @param pages Pages that the file holds in full.
 * @param roots Root pages of the trees to walk.
 */
export function findBrokenPage(
  descriptor: number,
  pageBytes: number,
  pages: number,
  roots: readonly bigint[],
): bigint | undefined {
  const page = new Uint8Array(pageBytes);
  const view = new DataView(page.buffer);
  const waiting = roots.filter((root) => root !== NO_PAGE);
  // Every page is in one tree at most; more steps than pages are a circle.
  for (let steps = 0; waiting.length > 0; steps++) {
    const number = waiting.pop()!;
    if (number >= BigInt(pages) || steps > pages) return number;
    fs.readSync(descriptor, page, 0, pageBytes, Number(number) * pageBytes);
    try {
      for (const { first, count, isTree } of references(view)) {
        if (isTree) waiting.push(first);
        else if (first + count > BigInt(pages)) return first;
      }
    } catch {
      // An offset that leads out of the page, or a page of another kind.
      return number;
    }
  }
  return undefined;
}

interface Reference {
  readonly first: bigint;
  readonly count: bigint;
  /** Whether it is a page of a tree, and no value's. */
  readonly isTree: boolean;
}

/** Yields the pages that a page of a tree refers to. */
function* references(page: DataView): Generator<Reference> {
  const flags = page.getUint16(18, true);
  const isLeaf = (flags & LEAF) !== 0;
  if (!isLeaf && (flags & BRANCH) === 0) throw new RangeError("not a page of a tree");
  const nodes = page.getUint16(20, true) >>> 1;
  for (let i = 0; i < nodes; i++) {
    const node = HEADER_BYTES + page.getUint16(HEADER_BYTES + 2 * i, true);
    if (!isLeaf) {
      const low = BigInt(page.getUint32(node, true));
      const high = BigInt(page.getUint16(node + 4, true));
      yield { first: high << 32n | low, count: 1n, isTree: true };
      continue;
    }
    const nodeFlags = page.getUint16(node + 4, true);
    const value = node + NODE_BYTES + page.getUint16(node + 6, true);
    if ((nodeFlags & OWN_PAGES) !== 0) {
      const first = page.getBigUint64(value, true);
      yield { first, count: page.getBigUint64(value + 16, true), isTree: false };
    } else if ((nodeFlags & TREE) !== 0) {
      const root = page.getBigUint64(value + 40, true);
      if (root !== NO_PAGE) yield { first: root, count: 1n, isTree: true };
    }
  }
}
