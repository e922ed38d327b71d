/** An open store behind its public surface: the open parts, wired together.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import type { EngineName, Router } from "../codec/route.ts";
import { closeParts, openParts, type Parts } from "./directory/lifecycle.ts";
import { openReadOnlyParts } from "./directory/read_only.ts";
import { KeySpace } from "./key_space.ts";
import { toBytes } from "./limits.ts";
import { MemtableStack } from "./memtable/memtable_stack.ts";
import type { Settings } from "./options.ts";
import type { ReadSource } from "./read/merge.ts";
import { type Moment, pinMoment } from "./read/moment.ts";
import { CachedReader } from "./read/read_cache.ts";
import type { BytesLike, StoreStats } from "./types.ts";
import { Applier } from "./write/applier.ts";
import { replay } from "./write/replay.ts";
import { RunningFunction } from "./write/running_function.ts";
import { commitSet, idle } from "./write/commit.ts";
import { type ReadMoment, TransactionRunner } from "./write/transaction_runner.ts";
import { WritePath } from "./write/write_path.ts";
import type { WriteSurface } from "./write/writer.ts";

/** One open store: what its operations work on. */
export class OpenStore implements WriteSurface {
  readonly where = "";
  readonly isTraced = true;
  readonly parts: Parts;
  readonly writes: WritePath;
  readonly running = new RunningFunction();
  readonly keys: KeySpace;
  readonly transactions: TransactionRunner;
  readonly #memtables: MemtableStack;
  readonly #applier: Applier;
  readonly #replayed: number;
  /** What reads consult: it follows the memtables, so that one object serves all reads. */
  readonly #now: ReadSource;
  #closing: Promise<void> | undefined;

  private constructor(
    parts: Parts,
    memtables: MemtableStack,
    applier: Applier,
    writes: WritePath,
    now: ReadSource,
    replayed: number,
  ) {
    this.parts = parts;
    this.keys = new KeySpace(parts.keyBytesMax);
    this.writes = writes;
    this.transactions = new TransactionRunner({
      router: parts.router,
      requireOpen: (what) => this.requireOpen(what),
      beginReading: (what) => idle(what, this).#beginReading(),
      commit: (what, set, durable) => commitSet(what, this, set, durable),
    });
    this.#memtables = memtables;
    this.#applier = applier;
    this.#now = now;
    this.#replayed = replayed;
  }

  /** Opens a directory and replays what the engines lack.
   *
   * @throws {StoreError} As `openParts` does.
   */
  static async open(directory: string, settings: Settings): Promise<OpenStore> {
    const open = settings.readOnly ? openReadOnlyParts : openParts;
    return OpenStore.start(await open(directory, settings), settings);
  }

  /** Starts a store on open parts. They belong to it from here on: it closes them, also where it fails. */
  static async start(parts: Parts, settings: Settings): Promise<OpenStore> {
    // What the engines of a store that is only read lack stays in memory.
    const memtableBytes = parts.isReadOnly ? Infinity : settings.memtableBytes;
    const { engines: { append, btree }, router } = parts;
    const memtables = new MemtableStack(router, memtableBytes);
    const cache = new CachedReader(btree, settings.readCacheBytes);
    const applier = new Applier({ ...parts, memtables, cache, memtableBytes });
    const writes = new WritePath({ ...parts, ...settings, memtableBytes, memtables, applier });
    const now = {
      get layers() {
        return memtables.layers;
      },
      engines: { append, btree: cache },
      router,
    };
    try {
      const replayed = await replay(parts, memtables, applier, memtableBytes);
      return new OpenStore(parts, memtables, applier, writes, now, replayed);
    } catch (error) {
      await applier.close();
      await closeParts(parts).catch(() => {});
      throw error;
    }
  }

  get router(): Router {
    return this.parts.router;
  }

  /** Where the journal ends: everything that was called before is below. */
  get position(): bigint {
    // What a running function has read from must not be taken back.
    if (!this.running.isRunning) this.writes.commit();
    return this.parts.journal.end;
  }

  /** Returns the current entries. */
  source(what: string): ReadSource {
    this.requireOpen(what);
    return this.#now;
  }

  /** Returns the engine of a key, `undefined` where the key is not valid. */
  routeOf(key: BytesLike): EngineName | undefined {
    try {
      return this.router.routeOf(toBytes("Cannot trace", "the key", key));
    } catch {
      return undefined;
    }
  }

  /** @throws {StoreError} `CLOSED`. */
  requireOpen(what: string): void {
    if (this.#closing !== undefined) throw new StoreError("CLOSED", `${what}: the store is closed`);
  }

  /** Refuses what writes, or ends the group that a running function has read from.
   *
   * @throws {StoreError} `CLOSED`.
   * @throws {TypeError} A function of the caller's is running.
   */
  requireIdle(what: string): void {
    this.requireOpen(what);
    this.running.requireNone(what);
  }

  /** Pins the store as it is now. */
  pin(): Moment {
    const { engines, journal, router } = this.parts;
    return pinMoment(this.writes.share(), engines, router, journal.end);
  }

  /** Pins the store as it is now, for a transaction that asks later what was written since. */
  #beginReading(): ReadMoment {
    const moment = this.pin();
    const { recent, active } = this.#memtables;
    const start = recent.begin(active);
    let isOver = false;
    return {
      source: moment.source,
      position: moment.position,
      findConflict: (reads) => recent.find(start, reads),
      release() {
        if (isOver) return;
        isOver = true;
        recent.end(start);
        moment.release();
      },
    };
  }

  /** Moves everything into the engines, and removes the segments that they no longer need.
   *
   * @throws {StoreError} Why an engine or the journal did not do it; `READ_ONLY`.
   */
  async checkpoint(what: string): Promise<void> {
    this.writes.requireChangeable(what);
    this.writes.seal();
    await this.#applier.drain();
    // What came in meanwhile keeps its segment.
    if (this.#memtables.bytes === 0) this.parts.journal.rotate();
    await this.#applier.trim();
  }

  stats(): StoreStats {
    const { engines, journal, recovery } = this.parts;
    const { layers, bytes, recent } = this.#memtables;
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
      transactions: { open: recent.transactions, bytes: recent.bytes },
      groups: writes,
      syncs,
      applies: this.#applier.applies,
      isApplying: this.#applier.isApplying,
      recovery: {
        records: recovery.records,
        replayed: this.#replayed,
        truncatedBytes: recovery.truncatedBytes,
        ...(recovery.reason !== undefined && { reason: recovery.reason }),
      },
    };
  }

  /** Moves into the engines what they take, and closes the parts. A second call returns the same promise.
   *
   * @throws {StoreError} `POISONED`; why an engine stopped.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.writes.close();
    try {
      // What a full disk or a poisoned journal keeps from the engines is replayed by the next open.
      await this.checkpoint("Cannot close store").catch(() => {});
    } finally {
      await this.#applier.close();
      await closeParts(this.parts);
    }
    // Writes may have been acknowledged that are not on disk, and no caller knows of it so far. An engine that
    // failed has lost nothing, but the store should not end as if all were well.
    const reason = this.parts.journal.poison ?? this.#applier.stopped;
    if (reason !== undefined) throw reason;
  }
}
