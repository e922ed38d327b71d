/** The store behind its public surface: the open parts, wired together.
 *
 * @module
 */

import type { EngineReader, EngineView } from "../backends/engine.ts";
import { StoreError } from "../codec/error.ts";
import type { EngineName } from "../codec/route.ts";
import { Applier } from "./write/applier.ts";
import { writeBackup } from "./maintenance/backup.ts";
import { addU64, updateF32 } from "./write/counter.ts";
import { closeParts, openParts, type Parts } from "./directory/lifecycle.ts";
import { describe, keyBytes, toBytes, valueBytes } from "./limits.ts";
import { lookupKey } from "./memtable/memtable.ts";
import { MemtableStack } from "./memtable/memtable_stack.ts";
import { KEY_ROWS, type ReadSource, viewValue } from "./read/merge.ts";
import type { Settings } from "./options.ts";
import { requireEmptyTarget } from "./directory/paths.ts";
import { CachedReader } from "./read/read_cache.ts";
import { replay } from "./write/replay.ts";
import { RunningFunction } from "./write/running_function.ts";
import { pages, type Scan } from "./read/scan.ts";
import { Snapshot } from "./read/snapshot.ts";
import { Transaction } from "./write/transaction.ts";
import type {
  BackupOptions,
  BackupReport,
  BytesLike,
  StoreStats,
  VerifyOptions,
  VerifyReport,
} from "./types.ts";
import { Verification } from "./maintenance/verify.ts";
import { WritePath } from "./write/write_path.ts";
import { WriteSet } from "./write/write_set.ts";

/** One moment of a store, held until it is released. */
interface Pinned {
  readonly source: ReadSource & { readonly engines: Readonly<Record<EngineName, EngineView>> };
  readonly views: readonly EngineView[];
  /** Where the journal ended. */
  readonly position: bigint;
  release(): void;
}

/** One open store. Every operation checks that it is open, then its arguments, and only then begins. */
export class StoreCore {
  readonly #parts: Parts;
  readonly #memtables: MemtableStack;
  readonly #applier: Applier;
  readonly #writes: WritePath;
  readonly #replayed: number;
  /** What reads consult: it follows the memtables, so that one object serves all reads. */
  readonly #now: ReadSource;
  readonly #running = new RunningFunction();
  #closing: Promise<void> | undefined;

  private constructor(
    parts: Parts,
    memtables: MemtableStack,
    applier: Applier,
    writes: WritePath,
    btree: EngineReader,
    replayed: number,
  ) {
    this.#parts = parts;
    this.#memtables = memtables;
    this.#applier = applier;
    this.#writes = writes;
    this.#replayed = replayed;
    this.#now = {
      get layers() {
        return memtables.layers;
      },
      engines: { append: parts.engines.append, btree },
      router: parts.router,
    };
  }

  /** Opens a directory and replays what the engines lack. */
  static async open(directory: string, settings: Settings): Promise<StoreCore> {
    return StoreCore.start(await openParts(directory, settings), settings);
  }

  /** Starts a store on open parts, which are its own from here on: it closes them, also on failure. */
  static async start(parts: Parts, settings: Settings): Promise<StoreCore> {
    const { memtableBytes } = settings;
    const memtables = new MemtableStack(parts.router);
    const cache = new CachedReader(parts.engines.btree, settings.readCacheBytes);
    const applier = new Applier({ ...parts, memtables, cache, memtableBytes });
    const writes = new WritePath({ ...parts, ...settings, memtables, applier });
    try {
      const replayed = await replay(parts, memtables, applier, memtableBytes);
      return new StoreCore(parts, memtables, applier, writes, cache, replayed);
    } catch (error) {
      await applier.close();
      await closeParts(parts).catch(() => {});
      throw error;
    }
  }

  /** Whether the directory was found to be another store's by now. */
  get hasLostDirectory(): boolean {
    return this.#parts.ownership.isLost;
  }

  /** What is there now. */
  source(what: string): ReadSource {
    this.#requireOpen(what);
    return this.#now;
  }

  /** Returns the engine of a key, `undefined` where it has none. */
  findRoute(key: BytesLike): EngineName | undefined {
    try {
      return this.routeOf("Cannot trace", key);
    } catch {
      return undefined;
    }
  }

  put(what: string, key: BytesLike, value: BytesLike): Promise<void> {
    this.#requireIdle(what);
    const bytes = keyBytes(what, key);
    const written = valueBytes(what, value);
    this.#writes.requireWritable(what);
    return this.#writes.write(bytes, written, lookupKey(bytes));
  }

  delete(what: string, key: BytesLike): Promise<void> {
    this.#requireIdle(what);
    const bytes = keyBytes(what, key);
    this.#writes.requireWritable(what);
    return this.#writes.write(bytes, undefined, lookupKey(bytes));
  }

  fetchAndAddU64(what: string, key: BytesLike, delta: bigint): Promise<bigint> {
    this.#requireIdle(what);
    const counter = keyBytes(what, key);
    const lookup = lookupKey(counter);
    const { sum, bytes } = addU64(what, counter, viewValue(this.#now, counter, lookup), delta);
    this.#writes.requireWritable(what);
    return this.#writes.write(counter, bytes, lookup).then(() => sum);
  }

  compareAndSwapF32(
    what: string,
    key: BytesLike,
    update: (current: number) => number,
  ): Promise<number> {
    this.#requireIdle(what);
    const number = keyBytes(what, key);
    const lookup = lookupKey(number);
    const stored = viewValue(this.#now, number, lookup);
    const { next, bytes } = this.#running.run("update", () => {
      return updateF32(what, number, stored, update);
    });
    // The function that was called may have closed the store.
    this.#requireOpen(what);
    this.#writes.requireWritable(what);
    return this.#writes.write(number, bytes, lookup).then(() => next);
  }

  commit(what: string, writes: WriteSet): Promise<void> {
    this.#requireIdle(what);
    writes.resolveRanges(what, () => this.#now);
    // What has only read may do so whatever became of the journal.
    if (writes.bytes > 0) this.#writes.requireWritable(what);
    writes.isCommitted = true;
    return this.#writes.writeAll(writes.writes(), writes.bytes);
  }

  async transact<T>(what: string, body: (transaction: Transaction) => T): Promise<T> {
    this.#requireIdle(what);
    if (typeof body !== "function") {
      throw new TypeError(`${what}: the body is ${describe(body)}, not a function`);
    }
    const writes = new WriteSet(this.#parts.router);
    const transaction = new Transaction(() => this.source(what), writes);
    let result: T;
    try {
      result = this.#running.run("transact", () => body(transaction));
    } finally {
      transaction.end();
    }
    if (typeof (result as { then?: unknown } | null | undefined)?.then === "function") {
      // It may reject later, which is nobody's concern any more.
      (result as PromiseLike<unknown>).then(() => {}, () => {});
      throw new TypeError(`${what}: the function returned a promise; it has to be synchronous`);
    }
    await this.commit(what, writes);
    return result;
  }

  async deleteRange(what: string, scan: Scan): Promise<number> {
    this.#requireIdle(what);
    const writes = new WriteSet(this.#parts.router);
    for (const keys of pages(() => this.source(what), KEY_ROWS, scan, "large")) {
      for (const key of keys) writes.add(what, key, undefined);
    }
    await this.commit(what, writes);
    return writes.memtable.size;
  }

  newWriteSet(what: string): WriteSet {
    this.#requireOpen(what);
    return new WriteSet(this.#parts.router);
  }

  routeOf(what: string, key: BytesLike): EngineName {
    this.#requireOpen(what);
    return this.#parts.router.routeOf(toBytes(what, "the key", key));
  }

  snapshot(what: string): Snapshot {
    this.#requireIdle(what);
    const { source, views } = this.#pin();
    return new Snapshot(source, views, (asked) => this.#requireOpen(asked));
  }

  /** Copies the store as it is now into another directory. */
  async backup(what: string, target: string, options: BackupOptions): Promise<BackupReport> {
    this.#requireIdle(what);
    requireEmptyTarget(what, target);
    const pinned = this.#pin();
    try {
      return await writeBackup(what, pinned.source, pinned.position, target, (keys) => {
        this.#requireOpen(what);
        options.onProgress?.({ keys });
      });
    } finally {
      pinned.release();
    }
  }

  /** Checks the store as it is now. */
  async verify(what: string, options: VerifyOptions): Promise<VerifyReport> {
    this.#requireIdle(what);
    // Whatever waits for the engines need not be looked at in two places, where they take it.
    await this.#checkpoint().catch(() => {});
    this.#requireOpen(what);
    const { engines, journal, ownership, router } = this.#parts;
    // Files that are open can be read when their names are gone, and look as if nothing were wrong.
    ownership.require(what);
    const pinned = this.#pin();
    try {
      const report = await new Verification({
        router,
        engines,
        views: pinned.source.engines,
        journal,
        requireOpen: () => this.#requireOpen(what),
      }, options).run();
      ownership.require(what);
      return report;
    } finally {
      pinned.release();
    }
  }

  flush(what: string): Promise<void> {
    this.#requireIdle(what);
    return this.#writes.flush(what);
  }

  async checkpoint(what: string): Promise<void> {
    this.#requireIdle(what);
    await this.#checkpoint();
  }

  stats(what: string): StoreStats {
    this.#requireOpen(what);
    const { engines, journal, recovery } = this.#parts;
    const { layers, bytes } = this.#memtables;
    const { writes, syncs } = journal.counts;
    return {
      append: engines.append.stats(),
      btree: engines.btree.stats(),
      journal: {
        bytes: Number(journal.end - journal.segments[0]!.base),
        segments: journal.segments.length,
      },
      memtable: {
        keys: layers.reduce((keys, memtable) => keys + memtable.size, 0),
        bytes,
        memtables: layers.length,
      },
      groups: writes,
      syncs,
      applies: this.#applier.applies,
      recovery: {
        records: recovery.records,
        replayed: this.#replayed,
        truncatedBytes: recovery.truncatedBytes,
        ...(recovery.reason !== undefined && { reason: recovery.reason }),
      },
    };
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#writes.close();
    try {
      // What a full disk or a poisoned journal keeps from the engines is replayed by the next open.
      await this.#checkpoint().catch(() => {});
    } finally {
      await this.#applier.close();
      await closeParts(this.#parts);
    }
    // Writes may have been acknowledged that are not on disk, and nobody was told so far. An engine that
    // failed has lost nothing, but the store should not end as if all were well.
    const reason = this.#parts.journal.poison ?? this.#applier.stopped;
    if (reason !== undefined) throw reason;
  }

  async #checkpoint(): Promise<void> {
    this.#writes.seal();
    await this.#applier.drain();
    // What came in meanwhile keeps its segment.
    if (this.#memtables.bytes === 0) this.#parts.journal.rotate();
    await this.#applier.trim();
  }

  /** Pins the engines, and the memtables above them, which take no more writes from here on. */
  #pin(): Pinned {
    this.#writes.seal();
    const { engines: { append, btree }, router, journal } = this.#parts;
    const layers = this.#memtables.sealed.map(({ memtable }) => memtable).reverse();
    const views: EngineView[] = [];
    const release = () => {
      for (const view of views) view.release();
    };
    try {
      const appendView = append.view();
      views.push(appendView);
      const btreeView = btree.view();
      views.push(btreeView);
      const engines = { append: appendView, btree: btreeView };
      return { source: { layers, engines, router }, views, position: journal.end, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Refuses what writes, or ends the group that a running function has read from. */
  #requireIdle(what: string): void {
    this.#requireOpen(what);
    this.#running.requireNone(what);
  }

  #requireOpen(what: string): void {
    if (this.#closing !== undefined) throw new StoreError("CLOSED", `${what}: the store is closed`);
  }
}
