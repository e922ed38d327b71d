/** The free list of an LMDB data file: a tree whose keys are transactions and whose values list the
 * pages that these left behind.
 *
 * A value, little-endian and signed:
 *
 * | offset | width | meaning |
 * |---:|---:|---|
 * | 0 | 8 | numbers that follow; bytes behind them mean nothing |
 * | 8 | 8 each | 0 for nothing; above 0 a page; -N for N pages, of which the next number is the first |
 *
 * Blocks and blanks are peculiar to the npm package, in plain LMDB every number is a page.
 *
 * Source: `midl.c` and `mdb_freelist_save` of the npm package lmdb 3.5.6.
 *
 * @module
 */

import {
  compareKeyNumbers,
  HEADER_BYTES,
  type NodePage,
  readNumber,
  VALUE_ON_OVERFLOW,
} from "./_lmdb_page.ts";
import type { Snapshot } from "./_lmdb_snapshot.ts";
import type { TreeKind } from "./_lmdb_tree.ts";

const NUMBER_BYTES = 8;
const CHUNK_BYTES = 65536;

/** Returns the free list as a tree, whose free pages are noted on the way. */
export function freeListKind(snapshot: Snapshot): TreeKind {
  return {
    name: "the free list",
    keyBytesMin: NUMBER_BYTES,
    keyBytesMax: NUMBER_BYTES,
    // Unlike in other trees, its pages may be written half way through a rebalancing.
    childrenMin: 1,
    compare: compareKeyNumbers,
    nodeFlags: [0, VALUE_ON_OVERFLOW],
    onNode: (page, node) => checkList(snapshot, page, node),
  };
}

function* checkList(snapshot: Snapshot, page: NodePage, node: number): Generator<void, void> {
  const transaction = readNumber(page.view, page.key(node).start);
  if (transaction === 0 || transaction > snapshot.transaction) {
    snapshot.fault(page.number, `has free pages of transaction ${transaction}`);
  }
  const numbers = readNumbers(snapshot, page, node);
  const room = page.valueBytes(node) / NUMBER_BYTES - 1;
  const { value: count = -1 } = numbers.next();
  if (!Number.isInteger(room) || count < 0 || count > room) {
    snapshot.fault(page.number, `has ${count} numbers in a free list with room for ${room}`);
    return;
  }
  let blockPages = 0;
  for (let index = 0; index < count; index++) {
    const { value: number } = numbers.next();
    if (number === undefined) return;
    if (blockPages > 0) {
      yield* snapshot.release(number, blockPages, page.number);
      blockPages = 0;
    } else if (number < 0) {
      blockPages = -number;
    } else if (number > 0) {
      yield* snapshot.release(number, 1, page.number);
    }
  }
  if (blockPages > 0) {
    snapshot.fault(page.number, `ends the free list of transaction ${transaction} within a block`);
  }
}

/** Yields the numbers of a value, wherever it lies. */
function* readNumbers(snapshot: Snapshot, page: NodePage, node: number): Generator<number, void> {
  const valueBytes = page.valueBytes(node);
  if (page.nodeFlags(node) !== VALUE_ON_OVERFLOW) {
    yield* numbersOf(page.view, page.keyEnd(node), valueBytes);
    return;
  }
  const { first } = page.overflowRecord(node);
  for (let at = 0; at < valueBytes; at += CHUNK_BYTES) {
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, valueBytes - at));
    if (!snapshot.read(first, chunk, HEADER_BYTES + at)) return;
    yield* numbersOf(new DataView(chunk.buffer), 0, chunk.length);
  }
}

function* numbersOf(view: DataView, start: number, bytes: number): Generator<number, void> {
  for (let at = start; at + NUMBER_BYTES <= start + bytes; at += NUMBER_BYTES) {
    yield view.getUint32(at, true) + view.getInt32(at + 4, true) * 2 ** 32;
  }
}
