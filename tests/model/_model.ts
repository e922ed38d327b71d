/** What the store is measured against: a map whose keys are hex digits, which sort as their bytes do.
 * Every answer is computed by looking at all keys. It shares no code with the store.
 */

import { Buffer } from "node:buffer";

/** Bounds of a scan, as the store takes them. */
export interface Range {
  prefix?: Uint8Array;
  gt?: Uint8Array;
  gte?: Uint8Array;
  lt?: Uint8Array;
  lte?: Uint8Array;
  reverse?: boolean;
  limit?: number;
}

/** Returns the digits of some bytes. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/** A failure that the model foresees, named as the store names it. */
export class Refused extends Error {
  constructor(readonly code: "INVALID_VALUE" | "RangeError") {
    super(code);
  }
}

export class Model {
  #entries: Map<string, Uint8Array>;

  constructor(entries: Iterable<[string, Uint8Array]> = []) {
    this.#entries = new Map(entries);
  }

  get size(): number {
    return this.#entries.size;
  }

  copy(): Model {
    return new Model(this.#entries);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(hex(key));
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#entries.set(hex(key), Uint8Array.from(value));
  }

  delete(key: Uint8Array): void {
    this.#entries.delete(hex(key));
  }

  /** Returns `[key, value]` of a range, as digits, in its order. */
  scan(range: Range): [string, string][] {
    const { prefix, gt, gte, lt, lte } = range;
    const keys = [...this.#entries.keys()].filter((key) =>
      (!prefix || key.startsWith(hex(prefix))) && (!gt || key > hex(gt)) &&
      (!gte || key >= hex(gte)) && (!lt || key < hex(lt)) && (!lte || key <= hex(lte))
    );
    keys.sort();
    if (range.reverse) keys.reverse();
    return keys.slice(0, range.limit).map((key) => [key, hex(this.#entries.get(key)!)]);
  }

  deleteRange(range: Range): number {
    const rows = this.scan(range);
    for (const [key] of rows) this.#entries.delete(key);
    return rows.length;
  }

  fetchAndAddU64(key: Uint8Array, delta: bigint): bigint {
    const stored = this.get(key) ?? new Uint8Array(8);
    if (stored.length !== 8) throw new Refused("INVALID_VALUE");
    const sum = stored.reduceRight((total, byte) => total * 256n + BigInt(byte), 0n) + delta;
    if (sum < 0n || sum >= 2n ** 64n) throw new Refused("RangeError");
    this.put(key, Uint8Array.from({ length: 8 }, (_, i) => Number((sum >> BigInt(8 * i)) & 255n)));
    return sum;
  }

  compareAndSwapF32(key: Uint8Array, update: (current: number) => number): number {
    const stored = this.get(key) ?? new Uint8Array(4);
    if (stored.length !== 4) throw new Refused("INVALID_VALUE");
    const view = new DataView(Uint8Array.from(stored).buffer);
    const next = update(view.getFloat32(0, true));
    if (Number.isNaN(next)) throw new Refused("RangeError");
    view.setFloat32(0, next, true);
    this.put(key, new Uint8Array(view.buffer));
    return view.getFloat32(0, true);
  }
}
