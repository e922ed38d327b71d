/** Pages of nodes in an LMDB data file, as bytes.
 *
 * A file is a row of pages of one size. Every page but the later ones of an overflow run opens with a
 * header. All numbers are little-endian.
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 0 | 8 | the page's own number |
 * | 8 | 8 | the transaction that wrote it; unused in a meta page |
 * | 16 | 2 | unused here |
 * | 18 | 2 | what it is: 1 branch, 2 leaf, 4 overflow, 8 meta |
 * | 20 | 2 | branch and leaf: bytes of the node offsets, two per node |
 * | 22 | 2 | branch and leaf: where its nodes begin, less the 24 of this header |
 * | 20 | 4 | overflow: pages of the run |
 *
 * Behind the header of a branch or leaf page comes one offset per node, two bytes, in the order of the
 * keys, less 24 as well. The nodes lie in any order, on even offsets, and fill the page's end without
 * a gap. Each is
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 0 | 6 | branch: number of the child page |
 * | 0 | 4 | leaf: bytes of the value |
 * | 4 | 2 | leaf: 0 for a value, 1 for one on overflow pages, 2 for the record of a database |
 * | 6 | 2 | bytes of the key |
 * | 8 | | the key; the first of a branch page is empty and means the lowest |
 * | | | leaf: the value, or 24 bytes about its run |
 *
 * What stands in for a value on overflow pages is
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 0 | 8 | number of the run's first page |
 * | 8 | 8 | the transaction that wrote it |
 * | 16 | 8 | pages of the run |
 *
 * Source: `MDB_page_header`, `MDB_node` and `MDB_ovpage` in `mdb.c` of the npm package lmdb 3.5.6.
 *
 * @module
 */

export const HEADER_BYTES = 24;
const NODE_HEADER_BYTES = 8;
const OVERFLOW_RECORD_BYTES = 24;

export const BRANCH = 1;
export const LEAF = 2;
export const OVERFLOW = 4;
export const META = 8;

/** Flag of a leaf node whose value is on overflow pages. */
export const VALUE_ON_OVERFLOW = 1;
/** Flag of a leaf node whose value is the record of a named database. */
export const VALUE_IS_TREE = 2;

/** Returns an unsigned number of eight bytes. Those of a healthy file are exact; of a damaged one,
 * where it may not be, all that matters is that it is far too large. */
export function readNumber(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/** A key where it lies. */
export interface KeyPlace {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** What a leaf node says of a run of overflow pages. */
export interface OverflowRecord {
  readonly first: number;
  readonly transaction: number;
  readonly pages: number;
}

/** The buffer of one page that is to hold nodes. After `findFault` returned none, all the rest stays
 * within the page. */
export class NodePage {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The end of the node at each even offset, 0 where none begins. */
  readonly #ends: Uint32Array;

  constructor(pageBytes: number) {
    this.bytes = new Uint8Array(pageBytes);
    this.view = new DataView(this.bytes.buffer);
    this.#ends = new Uint32Array(pageBytes / 2);
  }

  get number(): number {
    return readNumber(this.view, 0);
  }

  get transaction(): number {
    return readNumber(this.view, 8);
  }

  get flags(): number {
    return this.view.getUint16(18, true);
  }

  get nodeCount(): number {
    return this.view.getUint16(20, true) / 2;
  }

  /** Returns where a node begins. */
  nodeAt(index: number): number {
    return this.view.getUint16(HEADER_BYTES + 2 * index, true) + HEADER_BYTES;
  }

  /** Returns where a node's key ends and its value begins. */
  keyEnd(node: number): number {
    return node + NODE_HEADER_BYTES + this.view.getUint16(node + 6, true);
  }

  key(node: number): KeyPlace {
    return { bytes: this.bytes, start: node + NODE_HEADER_BYTES, end: this.keyEnd(node) };
  }

  /** Returns the page that a node of a branch page points to. */
  child(node: number): number {
    return this.view.getUint32(node, true) + this.view.getUint16(node + 4, true) * 2 ** 32;
  }

  valueBytes(node: number): number {
    return this.view.getUint32(node, true);
  }

  nodeFlags(node: number): number {
    return this.view.getUint16(node + 4, true);
  }

  overflowRecord(node: number): OverflowRecord {
    const at = this.keyEnd(node);
    return {
      first: readNumber(this.view, at),
      transaction: readNumber(this.view, at + 8),
      pages: readNumber(this.view, at + 16),
    };
  }

  /** Returns what is wrong with the page by itself: its header, its offsets, the extent of its nodes. */
  findFault(number: number): string | undefined {
    if (this.number !== number) return `names itself page ${this.number}`;
    if (this.flags !== BRANCH && this.flags !== LEAF) {
      return `has flags ${this.flags} and is no page of a tree`;
    }
    const lower = HEADER_BYTES + this.view.getUint16(20, true);
    const upper = HEADER_BYTES + this.view.getUint16(22, true);
    if (lower % 2 !== 0 || upper % 2 !== 0 || lower > upper || upper > this.bytes.length) {
      return `has its free space from ${lower} to ${upper} of ${this.bytes.length}`;
    }
    return this.#findNodeFault(upper);
  }

  #findNodeFault(upper: number): string | undefined {
    const ends = this.#ends.fill(0);
    const pageBytes = this.bytes.length;
    const count = this.nodeCount;
    for (let index = 0; index < count; index++) {
      const node = this.nodeAt(index);
      if (node % 2 !== 0 || node < upper || node + NODE_HEADER_BYTES > pageBytes) {
        return `has node ${index} at ${node}, outside of ${upper} to ${pageBytes}`;
      }
      ends[node / 2] = this.#nodeEnd(node);
    }
    // From one node to where it ends is from each to the next, up to the end of the page, unless one is
    // wrong. A node within another is left out on the way.
    let at = upper;
    let reached = 0;
    while (at < pageBytes && ends[at / 2] !== 0) {
      at = ends[at / 2]!;
      reached++;
    }
    if (at === pageBytes && reached === count) return undefined;
    return `has nodes that overlap, or a gap between them, at ${at}`;
  }

  /** Returns where a node ends, rounded up to an even offset as the next node begins. */
  #nodeEnd(node: number): number {
    let end = this.keyEnd(node);
    if (this.flags === LEAF) {
      const isOnOverflow = (this.nodeFlags(node) & VALUE_ON_OVERFLOW) !== 0;
      end += isOnOverflow ? OVERFLOW_RECORD_BYTES : this.valueBytes(node);
    }
    return end + (end % 2);
  }
}

/** Compares two keys in byte order. */
export function compareKeyBytes(left: KeyPlace, right: KeyPlace): number {
  const { bytes: leftBytes, start: leftStart } = left;
  const { bytes: rightBytes, start: rightStart } = right;
  const leftLength = left.end - leftStart;
  const rightLength = right.end - rightStart;
  const shared = Math.min(leftLength, rightLength);
  for (let index = 0; index < shared; index++) {
    const difference = leftBytes[leftStart + index]! - rightBytes[rightStart + index]!;
    if (difference !== 0) return difference;
  }
  return leftLength - rightLength;
}

/** Compares two keys of eight bytes as little-endian numbers, as the free list has them. */
export function compareKeyNumbers(left: KeyPlace, right: KeyPlace): number {
  for (let index = 7; index >= 0; index--) {
    const difference = left.bytes[left.start + index]! - right.bytes[right.start + index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}
