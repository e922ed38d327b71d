/** The walk over one tree of an LMDB data file.
 *
 * @module
 */

import type { TreeRecord } from "./_lmdb_meta.ts";
import {
  HEADER_BYTES,
  type KeyPlace,
  LEAF,
  NodePage,
  OVERFLOW,
  type OverflowRecord,
  readNumber,
  VALUE_ON_OVERFLOW,
} from "./_lmdb_page.ts";
import type { Snapshot } from "./_lmdb_snapshot.ts";

/** The library's cursors hold no more. */
const LEVELS_MAX = 32;

/** What the trees of a file differ in. */
export interface TreeKind {
  /** What faults call the tree. */
  readonly name: string;
  readonly keyBytesMin: number;
  readonly keyBytesMax: number;
  readonly compare: (left: KeyPlace, right: KeyPlace) => number;
  /** The fewest children of a branch page. */
  readonly childrenMin: number;
  /** The flags that a node of a leaf page may have. */
  readonly nodeFlags: readonly number[];
  /** Looks into the nodes of a leaf page that are right. */
  readonly onNode?: (page: NodePage, node: number) => Generator<void, void>;
  /** Told which keys are left out; where both bounds are the same key, it is that one alone. */
  readonly onLost?: (lost: Bounds) => void;
}

/** What points to a page. */
interface Parent {
  readonly number: number;
  readonly transaction: number;
}

/** What the page above says of the keys of a page: `low <= key < high`, where there are such. */
export interface Bounds {
  readonly low: KeyPlace | undefined;
  readonly high: KeyPlace | undefined;
}

/** One tree, from its root page down, in the order of its keys. */
export class TreeWalk {
  readonly #snapshot: Snapshot;
  readonly #kind: TreeKind;
  /** One buffer for each level: the keys of the pages above are the bounds of those below. */
  readonly #buffers: NodePage[] = [];
  readonly #overflowHeader = new DataView(new ArrayBuffer(HEADER_BYTES));
  #leafLevel = 0;
  #branchPages = 0;
  #leafPages = 0;
  #overflowPages = 0;
  #entries = 0;
  #isWhole = true;
  #rootTransaction: number | undefined;

  constructor(snapshot: Snapshot, kind: TreeKind) {
    this.#snapshot = snapshot;
    this.#kind = kind;
  }

  /** Entries found so far. */
  get entries(): number {
    return this.#entries;
  }

  /** The transaction of the root page, `undefined` where there is none or it is left out. */
  get rootTransaction(): number | undefined {
    return this.#rootTransaction;
  }

  /** Whether no page had to be left out. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Walks the tree and compares what is found with its record, which is in page `from`. */
  *check(record: TreeRecord, from: number): Generator<void, void> {
    if (record.root !== undefined) {
      const parent = { number: from, transaction: this.#snapshot.transaction };
      yield* this.#page(record.root, 1, parent, { low: undefined, high: undefined });
    }
    // Where pages were left out, the counts are too low and would be no news.
    if (!this.#isWhole) return;
    const counts: [string, number, number][] = [
      ["levels", record.levels, this.#leafLevel],
      ["branch pages", record.branchPages, this.#branchPages],
      ["leaf pages", record.leafPages, this.#leafPages],
      ["overflow pages", record.overflowPages, this.#overflowPages],
      ["entries", record.entries, this.#entries],
    ];
    for (const [what, said, found] of counts) {
      if (said === found) continue;
      this.#snapshot.fault(from, `says ${said} ${what} of ${this.#kind.name}, which has ${found}`);
    }
  }

  *#page(
    number: number,
    level: number,
    parent: Parent,
    bounds: Bounds,
  ): Generator<void, void> {
    if (!(yield* this.#snapshot.use(number, 1, parent.number))) return this.#leaveOut(bounds);
    const page = this.#buffers[level] ??= new NodePage(this.#snapshot.pageBytes);
    if (!this.#snapshot.read(number, page.bytes)) return this.#leaveOut(bounds);
    const reason = page.findFault(number) ?? this.#findMisfit(page, level, bounds, parent);
    if (reason !== undefined) {
      this.#snapshot.fault(number, reason);
      return this.#leaveOut(bounds);
    }
    if (level === 1) this.#rootTransaction = page.transaction;
    yield;
    if (page.flags === LEAF) yield* this.#leaf(page, level);
    else yield* this.#branch(page, level, bounds);
  }

  *#branch(page: NodePage, level: number, bounds: Bounds): Generator<void, void> {
    this.#branchPages++;
    const parent = { number: page.number, transaction: page.transaction };
    const { nodeCount } = page;
    let low = bounds.low;
    for (let index = 0; index < nodeCount; index++) {
      const isLast = index + 1 === nodeCount;
      const high = isLast ? bounds.high : page.key(page.nodeAt(index + 1));
      yield* this.#page(page.child(page.nodeAt(index)), level + 1, parent, { low, high });
      low = high;
    }
  }

  *#leaf(page: NodePage, level: number): Generator<void, void> {
    const { number, nodeCount } = page;
    if (this.#leafPages === 0) this.#leafLevel = level;
    if (level !== this.#leafLevel) {
      this.#snapshot.fault(number, `is a leaf on level ${level}, others on ${this.#leafLevel}`);
    }
    this.#leafPages++;
    this.#entries += nodeCount;
    for (let index = 0; index < nodeCount; index++) {
      const node = page.nodeAt(index);
      const isOnOverflow = page.nodeFlags(node) === VALUE_ON_OVERFLOW;
      if (isOnOverflow && !(yield* this.#overflow(page, node))) {
        this.#leaveOut({ low: page.key(node), high: page.key(node) });
      } else if (this.#kind.onNode !== undefined) {
        yield* this.#kind.onNode(page, node);
      }
    }
  }

  *#overflow(page: NodePage, node: number): Generator<void, boolean> {
    const record = page.overflowRecord(node);
    const { first, pages } = record;
    const valueBytes = page.valueBytes(node);
    // There may be more pages than the value needs, where a longer one was replaced in a transaction.
    if (HEADER_BYTES + valueBytes > pages * this.#snapshot.pageBytes) {
      this.#snapshot.fault(page.number, `has a value of ${valueBytes} bytes on ${pages} pages`);
      return false;
    }
    const { number } = page;
    if (!(yield* this.#snapshot.use(first, 1, number))) return false;
    const header = this.#overflowHeader;
    if (!this.#snapshot.read(first, new Uint8Array(header.buffer))) return false;
    const reason = findOverflowFault(header, record, page);
    if (reason !== undefined) {
      this.#snapshot.fault(first, reason);
      return false;
    }
    // Only now, where both places say the same, is it known how many pages the run has.
    if (pages > 1 && !(yield* this.#snapshot.use(first + 1, pages - 1, number))) return false;
    this.#overflowPages += pages;
    yield;
    return true;
  }

  #leaveOut(lost: Bounds): void {
    this.#isWhole = false;
    this.#kind.onLost?.(lost);
  }

  /** Returns what is wrong with a page as a part of this tree: its keys, its flags, its level. */
  #findMisfit(
    page: NodePage,
    level: number,
    bounds: Bounds,
    parent: Parent,
  ): string | undefined {
    const { compare, keyBytesMin, keyBytesMax, childrenMin, nodeFlags } = this.#kind;
    const { nodeCount } = page;
    const isLeaf = page.flags === LEAF;
    // A page that changes takes those above it along, so that none is older than a child.
    if (page.transaction > parent.transaction) {
      const above = `page ${parent.number} above of ${parent.transaction}`;
      return `is of transaction ${page.transaction}, ${above}`;
    }
    if (nodeCount < (isLeaf ? 1 : childrenMin)) return `has ${nodeCount} nodes`;
    if (!isLeaf && level === LEVELS_MAX) return `is a branch on level ${level}`;
    // The first key of a branch page stands for the lowest of all and is not looked at.
    const first = isLeaf ? 0 : 1;
    let last = bounds.low;
    for (let index = first; index < nodeCount; index++) {
      const node = page.nodeAt(index);
      const key = page.key(node);
      const keyBytes = key.end - key.start;
      if (keyBytes < keyBytesMin || keyBytes > keyBytesMax) {
        return `has a key of ${keyBytes} bytes in node ${index}`;
      }
      if (isLeaf && !nodeFlags.includes(page.nodeFlags(node))) {
        return `has flags ${page.nodeFlags(node)} in node ${index}`;
      }
      const order = last === undefined ? -1 : compare(last, key);
      if (index > first && order >= 0) return `has key ${index} at or below the one before`;
      if (order > 0) return `has keys below those that page ${parent.number} promises`;
      last = key;
    }
    if (last !== undefined && bounds.high !== undefined && compare(last, bounds.high) >= 0) {
      return `has keys at or above those that page ${parent.number} promises`;
    }
    return undefined;
  }
}

function findOverflowFault(
  header: DataView,
  record: OverflowRecord,
  page: NodePage,
): string | undefined {
  const number = readNumber(header, 0);
  const transaction = readNumber(header, 8);
  const flags = header.getUint16(18, true);
  const pages = header.getUint32(20, true);
  if (number !== record.first) return `names itself page ${number}`;
  if (flags !== OVERFLOW) return `has flags ${flags} and is no overflow page`;
  if (pages !== record.pages) {
    return `is a run of ${pages} pages, to page ${page.number} one of ${record.pages}`;
  }
  if (transaction !== record.transaction || transaction > page.transaction) {
    return `is of transaction ${transaction}, to page ${page.number} of ${record.transaction}`;
  }
  return undefined;
}
