/** Writes as engines take them, and as lists.
 *
 * @module
 */

import type { Write, Writes } from "./engine.ts";

/** Writes of a list of objects, each packed when it is asked for. */
class ListedWrites implements Writes {
  readonly #writes: readonly Write[];
  #index = -1;
  #chunk: Uint8Array = new Uint8Array(0);
  #keyLength = 0;
  #valueLength = -1;

  constructor(writes: readonly Write[]) {
    this.#writes = writes;
  }

  get length(): number {
    return this.#writes.length;
  }

  chunk(index: number): Uint8Array {
    this.#pack(index);
    return this.#chunk;
  }

  keyStart(): number {
    return 0;
  }

  keyLength(index: number): number {
    this.#pack(index);
    return this.#keyLength;
  }

  valueLength(index: number): number {
    this.#pack(index);
    return this.#valueLength;
  }

  #pack(index: number): void {
    if (this.#index === index) return;
    const { key, value } = this.#writes[index]!;
    this.#chunk = packWrite(key, value);
    this.#keyLength = key.length;
    this.#valueLength = value?.length ?? -1;
    this.#index = index;
  }
}

/** Returns a copy of a key and, right behind it, its value. */
export function packWrite(key: Uint8Array, value: Uint8Array | undefined): Uint8Array {
  const chunk = new Uint8Array(key.length + (value?.length ?? 0));
  chunk.set(key);
  if (value !== undefined) chunk.set(value, key.length);
  return chunk;
}

/** Returns writes as engines work with them. */
export function packWrites(writes: Writes | readonly Write[]): Writes {
  return Array.isArray(writes) ? new ListedWrites(writes) : writes as Writes;
}

/** Returns writes as a list of objects, whose bytes are views. */
export function listWrites(writes: Writes | readonly Write[]): readonly Write[] {
  if (Array.isArray(writes)) return writes;
  const packed = writes as Writes;
  return Array.from({ length: packed.length }, (_, index) => {
    const value = valueOf(packed, index);
    return { key: keyOf(packed, index), value };
  });
}

/** Returns a view of a key. */
export function keyOf(writes: Writes, index: number): Uint8Array {
  const start = writes.keyStart(index);
  return writes.chunk(index).subarray(start, start + writes.keyLength(index));
}

/** Returns a view of a value, `undefined` where the key is deleted. */
export function valueOf(writes: Writes, index: number): Uint8Array | undefined {
  const length = writes.valueLength(index);
  if (length < 0) return undefined;
  const start = writes.keyStart(index) + writes.keyLength(index);
  return writes.chunk(index).subarray(start, start + length);
}
