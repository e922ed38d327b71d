/** Who watches keys, and waking them when these are written.
 *
 * @module
 */

import { equalBytes, startsWith } from "../../codec/bytes.ts";
import type { Memtable } from "../memtable/memtable.ts";

/** Some keys, or all keys below a prefix, that someone watches. */
export interface Watch {
  /** Resolves once one of them may have been written since the call before. */
  changed(): Promise<void>;
  /** Ends it. A second call does nothing. */
  end(): void;
}

/** A key that is watched, and by whom. */
interface WatchedKey {
  readonly key: Uint8Array;
  readonly watcher: Watcher;
}

/** All that is watched in a store.
 *
 * A write costs one look into a map, if anything is watched at all, and a comparison with each prefix that is.
 */
export class Watches {
  /** By the hash of the key. */
  readonly #keys = new Map<number, Set<WatchedKey>>();
  readonly #prefixes = new Map<Watcher, Uint8Array>();
  /** Those whose keys are in the open group. */
  #touched: Watcher[] = [];
  readonly #watchers = new Set<Watcher>();

  get isWatching(): boolean {
    return this.#watchers.size > 0;
  }

  /** How many there are. */
  get size(): number {
    return this.#watchers.size;
  }

  /** Notes that a key is written, in a group that is not committed yet.
   *
   * @param hash The key's hash.
   */
  note(key: Uint8Array, hash: number): void {
    const watched = this.#keys.get(hash);
    if (watched !== undefined) {
      for (const { key: other, watcher } of watched) {
        if (equalBytes(key, other)) this.#touch(watcher);
      }
    }
    if (this.#prefixes.size === 0) return;
    for (const [watcher, prefix] of this.#prefixes) {
      if (startsWith(key, prefix)) this.#touch(watcher);
    }
  }

  /** Notes that all keys of a batch are written. */
  noteAll(memtable: Memtable): void {
    for (let id = 0; id < memtable.size; id++) this.note(memtable.key(id), memtable.hash(id));
  }

  /** Wakes everyone: the group is taken back. Who began to watch within it may have read of it, and was not
   * noted. */
  wakeAll(): void {
    this.#touched = [];
    for (const watcher of this.#watchers) watcher.wake();
  }

  /** Wakes those whose keys were in the group, which is committed now. */
  wake(): void {
    if (this.#touched.length === 0) return;
    const touched = this.#touched;
    this.#touched = [];
    for (const watcher of touched) watcher.wake();
  }

  /** Begins to watch keys, given with their hashes. */
  watchKeys(keys: readonly { readonly key: Uint8Array; readonly hash: number }[]): Watch {
    const own: { readonly hash: number; readonly watched: WatchedKey }[] = [];
    const watcher = this.#begin(() => {
      for (const { hash, watched } of own) {
        const all = this.#keys.get(hash)!;
        all.delete(watched);
        if (all.size === 0) this.#keys.delete(hash);
      }
    });
    for (const { key, hash } of keys) {
      const watched = { key, watcher };
      own.push({ hash, watched });
      const all = this.#keys.get(hash);
      if (all === undefined) this.#keys.set(hash, new Set([watched]));
      else all.add(watched);
    }
    return watcher;
  }

  /** Begins to watch all keys that begin with a prefix. */
  watchPrefix(prefix: Uint8Array): Watch {
    const watcher = this.#begin(() => void this.#prefixes.delete(watcher));
    this.#prefixes.set(watcher, prefix);
    return watcher;
  }

  #begin(forget: () => void): Watcher {
    const watcher = new Watcher(() => {
      this.#watchers.delete(watcher);
      forget();
    });
    this.#watchers.add(watcher);
    return watcher;
  }

  #touch(watcher: Watcher): void {
    if (watcher.isTouched) return;
    watcher.isTouched = true;
    this.#touched.push(watcher);
  }
}

class Watcher implements Watch {
  /** Whether it is to be woken with the open group. */
  isTouched = false;
  #hasChanged = false;
  #waiting: (() => void) | undefined;
  #forget: (() => void) | undefined;

  constructor(forget: () => void) {
    this.#forget = forget;
  }

  wake(): void {
    this.isTouched = false;
    this.#hasChanged = true;
    this.#waiting?.();
  }

  async changed(): Promise<void> {
    if (!this.#hasChanged) await new Promise<void>((resolve) => this.#waiting = resolve);
    this.#waiting = undefined;
    this.#hasChanged = false;
  }

  end(): void {
    const forget = this.#forget;
    this.#forget = undefined;
    forget?.();
  }
}
