/** What a memtable gives to the engines.
 *
 * @module
 */

import type { Writes } from "../../backends/engine.ts";
import type { EngineName } from "../../codec/route.ts";
import type { Memtable } from "./memtable.ts";

/** Returns the writes of a memtable, which is in order by then, for each engine. */
export function writesByEngine(memtable: Memtable): Record<EngineName, Writes> {
  const ids = memtable.order();
  const append = new Uint32Array(ids.length);
  const btree = new Uint32Array(ids.length);
  let appended = 0;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (memtable.engine(id) === "append") append[appended++] = id;
    else btree[i - appended] = id;
  }
  return {
    append: new MemtableWrites(memtable, append.subarray(0, appended)),
    btree: new MemtableWrites(memtable, btree.subarray(0, ids.length - appended)),
  };
}

/** Some entries of a memtable, in key order, as an engine takes them. */
export class MemtableWrites implements Writes {
  readonly #memtable: Memtable;
  readonly #ids: Uint32Array;

  constructor(memtable: Memtable, ids: Uint32Array) {
    this.#memtable = memtable;
    this.#ids = ids;
  }

  get length(): number {
    return this.#ids.length;
  }

  chunk(index: number): Uint8Array {
    return this.#memtable.chunk(this.#ids[index]!);
  }

  keyStart(index: number): number {
    return this.#memtable.keyStart(this.#ids[index]!);
  }

  keyLength(index: number): number {
    return this.#memtable.keyLength(this.#ids[index]!);
  }

  valueLength(index: number): number {
    return this.#memtable.valueLength(this.#ids[index]!);
  }
}
