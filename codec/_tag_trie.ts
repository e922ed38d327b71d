/** The tags of routes as a tree of bytes, in which keys and prefixes are looked up.
 *
 * @module
 */

import type { EngineName, Route } from "./_route.ts";

const NUL = 0x00;

// Shared by every answer, so that asking allocates nothing; frozen, so that no caller can change
// the answers of others.
const APPEND: readonly EngineName[] = Object.freeze<EngineName[]>(["append"]);
const BTREE: readonly EngineName[] = Object.freeze<EngineName[]>(["btree"]);
const BOTH: readonly EngineName[] = Object.freeze<EngineName[]>(["append", "btree"]);

/** One byte of one or more tags. Children form a linked list: it is about as fast as a table of
 * 256 entries per node for tags of letters, without the kilobyte. */
export class TagNode {
  /** The engine of a key that ends here or whose tag ends here. */
  engine: EngineName = "btree";
  /** The engines of the keys that continue from here. */
  engines: readonly EngineName[] = BTREE;
  /** Whether the path from the root is a whole tag; what follows in a key is then its suffix. */
  complete = false;
  child: TagNode | undefined = undefined;
  sibling: TagNode | undefined = undefined;

  constructor(readonly byte: number) {}

  /** Finds the child for a byte. */
  get(byte: number): TagNode | undefined {
    let node = this.child;
    while (node !== undefined && node.byte !== byte) node = node.sibling;
    return node;
  }

  /** Finds the child for a byte, or creates it. */
  getOrAdd(byte: number): TagNode {
    const found = this.get(byte);
    if (found !== undefined) return found;
    const added = new TagNode(byte);
    added.sibling = this.child;
    this.child = added;
    return added;
  }
}

/** Where a walk ends that has left all tags: no route fits, so the key goes to the B-tree side. */
const UNKNOWN = new TagNode(0);

/** A trie over the bytes of the tags, colons included. No tag is a prefix of another: each has one
 * colon, its last byte. */
export class TagTrie {
  readonly #root = new TagNode(0);

  /** Adds a route that has been checked. */
  add(route: Route): void {
    let node = this.#root;
    for (const byte of new TextEncoder().encode(route.tag)) {
      // A half tag always leaves the B-tree side possible, because unknown tags go there. The
      // append side is possible as well where the half tag leads to one of its tags, and only there.
      if (route.engine === "append") node.engines = BOTH;
      node = node.getOrAdd(byte);
    }
    node.complete = true;
    node.engine = route.engine;
    node.engines = route.engine === "append" ? APPEND : BTREE;
  }

  /** Walks the tag of a key, or of a prefix of keys, to where the tag or the bytes end. Without a
   * NUL that is the root. Runs once per operation of the store, hence plain loops and no
   * allocation. */
  find(bytes: Uint8Array): TagNode {
    const length = bytes.length;
    let i = 0;
    while (i < length && bytes[i] !== NUL) i++;
    let node = this.#root;
    for (i++; i < length && !node.complete; i++) {
      const next = node.get(bytes[i]!);
      if (next === undefined) return UNKNOWN;
      node = next;
    }
    return node;
  }
}
