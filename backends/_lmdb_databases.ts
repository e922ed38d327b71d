/** The named databases of an LMDB data file, whose records are the entries of its main tree.
 *
 * @module
 */

import { MAX_KEY_BYTES } from "../codec/limits.ts";
import { readTreeRecord, TREE_RECORD_BYTES, type TreeRecord } from "./_lmdb_meta.ts";
import { compareKeyBytes, type NodePage, VALUE_IS_TREE, VALUE_ON_OVERFLOW } from "./_lmdb_page.ts";
import type { Snapshot } from "./_lmdb_snapshot.ts";
import type { TreeKind } from "./_lmdb_tree.ts";

/** The named databases of an engine. */
export const DATABASE_NAMES = ["entries", "meta"] as const;

/** A named database, as page `from` describes it. */
export interface NamedTree {
  readonly name: string;
  readonly record: TreeRecord;
  readonly from: number;
}

const KEYS_OF_BYTES = {
  keyBytesMin: 1,
  keyBytesMax: MAX_KEY_BYTES,
  compare: compareKeyBytes,
  childrenMin: 2,
};

/** Returns a named database as a tree. */
export function databaseKind(name: string): TreeKind {
  return { ...KEYS_OF_BYTES, name: `database ${name}`, nodeFlags: [0, VALUE_ON_OVERFLOW] };
}

/** Returns the main tree, whose entries are added to `named`. */
export function mainKind(snapshot: Snapshot, named: NamedTree[]): TreeKind {
  function* onNode(page: NodePage, node: number): Generator<void, void> {
    const { bytes, start, end } = page.key(node);
    // The library keeps names as C does, with a zero byte at the end.
    const name = new TextDecoder().decode(bytes.subarray(start, end)).replace(/\0$/, "");
    if (page.valueBytes(node) === TREE_RECORD_BYTES) {
      const record = readTreeRecord(page.view, page.keyEnd(node));
      named.push({ name, record, from: page.number });
    } else {
      snapshot.fault(page.number, `has ${page.valueBytes(node)} bytes for database ${name}`);
    }
    yield;
  }
  return { ...KEYS_OF_BYTES, name: "the main tree", nodeFlags: [VALUE_IS_TREE], onNode };
}
