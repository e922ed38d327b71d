/** The memtables of a store, and their order.
 *
 * @module
 */

import type { Router } from "../../codec/route.ts";
import { Memtable } from "./memtable.ts";

/** A memtable that takes no more writes, and the journal position at which it ends. */
export interface SealedMemtable {
  readonly memtable: Memtable;
  readonly end: bigint;
}

/** The memtables of a store: the active one, which takes writes, over the sealed ones, which wait for
 * the applier. A higher memtable is newer and hides those below.
 */
export class MemtableStack {
  readonly #router: Router;
  #active: Memtable;
  #sealed: readonly SealedMemtable[] = [];
  #layers: readonly Memtable[];

  constructor(router: Router) {
    this.#router = router;
    this.#active = new Memtable(router);
    this.#layers = [this.#active];
  }

  /** The memtable that takes writes. */
  get active(): Memtable {
    return this.#active;
  }

  /** The sealed memtables, oldest first. The array is replaced, never changed. */
  get sealed(): readonly SealedMemtable[] {
    return this.#sealed;
  }

  /** All memtables, newest first, for reads. The array is replaced, never changed. */
  get layers(): readonly Memtable[] {
    return this.#layers;
  }

  /** Bytes of the journal that all memtables hold. */
  get bytes(): number {
    let bytes = 0;
    for (const memtable of this.#layers) bytes += memtable.bytes;
    return bytes;
  }

  /** Seals the active memtable, unless nothing of the journal went into it, and starts another.
   *
   * A memtable without keys is sealed too: a record that is replayed may hold nothing that an engine lacks,
   * but the engines have to note that they are past it.
   *
   * @param end The journal position behind its last write.
   */
  seal(end: bigint): void {
    if (this.#active.bytes === 0) return;
    this.#sealed = [...this.#sealed, { memtable: this.#active, end }];
    this.#active = new Memtable(this.#router);
    this.#layers = [this.#active, ...this.#layers];
  }

  /** Returns a memtable with nothing in it, which is not of the stack. */
  empty(): Memtable {
    return new Memtable(this.#router);
  }

  /** Drops the oldest sealed memtables, which the engines now hold. */
  drop(count: number): void {
    this.#sealed = this.#sealed.slice(count);
    this.#layers = this.#layers.slice(0, this.#sealed.length + 1);
  }
}
