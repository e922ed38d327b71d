/** An open store behind its public surface: the open parts, wired together.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import type { EngineName, Router } from "../codec/route.ts";
import { closeParts, openParts, type Parts } from "./directory/lifecycle.ts";
import { openReadOnlyParts } from "./directory/read_only.ts";
import type { JournalWriter } from "../journal/writer.ts";
import { followPages } from "../journal/follow.ts";
import type { BackupMoment } from "./maintenance/backup.ts";
import { requirePast } from "./feed/changes.ts";
import { requirePosition as requireGiven } from "./call_options.ts";
import { Cursors, requireName } from "./feed/cursors.ts";
import { Watches } from "./feed/watches.ts";
import { KeySpace } from "./key_space.ts";
import { toBytes } from "./limits.ts";
import { MemtableStack } from "./memtable/memtable_stack.ts";
import type { Settings } from "./options.ts";
import type { ReadSource } from "./read/merge.ts";
import { type Moment, pinMoment } from "./read/moment.ts";
import { CachedReader } from "./read/read_cache.ts";
import type { BytesLike, CursorState, StoreStats } from "./types.ts";
import { Applier } from "./write/applier.ts";
import { replay } from "./write/replay.ts";
import { RunningFunction } from "./write/running_function.ts";
import { commitSet, idle } from "./write/commit.ts";
import { type ReadMoment, TransactionRunner } from "./write/transaction_runner.ts";
import { WriteSet } from "./write/write_set.ts";
import { WritePath } from "./write/write_path.ts";
import type { LiveSurface } from "./live_store.ts";

/** One open store: what its operations work on. */
export class OpenStore implements LiveSurface {
  readonly where = "";
  readonly isTraced = true;
  readonly parts: Parts;
  readonly writes: WritePath;
  readonly running: RunningFunction = new RunningFunction();
  readonly keys: KeySpace;
  readonly transactions: TransactionRunner;
  readonly cursors: Cursors;
  readonly watches: Watches;
  readonly #closed = new AbortController();
  readonly #memtables: MemtableStack;
  readonly #applier: Applier;
  readonly #replayed: number;
  /** What reads consult: it follows the memtables, so that one object serves all reads. */
  readonly #now: ReadSource;
  #closing: Promise<void> | undefined;

  private constructor(
    parts: Parts,
    { memtables, cursors, watches, applier }: {
      memtables: MemtableStack;
      cursors: Cursors;
      watches: Watches;
      applier: Applier;
    },
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
    this.cursors = cursors;
    this.watches = watches;
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
    const cursors = new Cursors(settings.feedBytesMax, btree.note);
    const watches = new Watches();
    const cache = new CachedReader(btree, settings.readCacheBytes);
    const applier = new Applier({ ...parts, memtables, cache, cursors, memtableBytes });
    const shared = { memtables, cursors, watches, applier };
    const writes = new WritePath({ ...parts, ...settings, memtableBytes, ...shared });
    const now = {
      get layers() {
        return memtables.layers;
      },
      engines: { append, btree: cache },
      router,
    };
    try {
      const replayed = await replay(parts, memtables, cursors, applier, memtableBytes);
      return new OpenStore(parts, shared, writes, now, replayed);
    } catch (error) {
      await applier.close();
      await closeParts(parts).catch(() => {});
      throw error;
    }
  }

  get router(): Router {
    return this.parts.router;
  }

  get journal(): JournalWriter {
    return this.parts.journal;
  }

  /** Aborted when the store is closed. */
  get closing(): AbortSignal {
    return this.#closed.signal;
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
    const memory = this.writes.share();
    return pinMoment(memory, engines, router, {
      position: journal.end,
      note: this.cursors.note(),
    });
  }

  /** Pins the store as it is now, with the records that its cursors have still before them. */
  pinWithBacklog(): BackupMoment {
    const moment = this.pin();
    const { journal } = this.parts;
    const from = this.cursors.backlogStart(journal, moment.position);
    const hold = this.cursors.hold(from, "backup");
    return {
      ...moment,
      backlogStart: from,
      async *backlog() {
        await journal.sync();
        yield* followPages(journal, { from, until: moment.position, verify: "crc32c" });
      },
      release() {
        hold.release();
        moment.release();
      },
    };
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

  /** Creates a cursor, unless there is one that is not lost.
   *
   * @param after Where it begins; at the present end of the journal, if left out.
   * @returns Its position, once it is on disk.
   * @throws {TypeError | RangeError} An argument is not valid.
   * @throws {StoreError} `CURSOR_LOST`: the journal does not reach back to `after`; as a write does.
   */
  async createCursor(what: string, name: string, after: bigint | undefined): Promise<bigint> {
    requireName(what, name);
    if (after !== undefined) requireGiven(what, "after", after);
    const { writes, cursors } = idle(what, this);
    const { journal } = this.parts;
    const settled = this.#settleCursor(name);
    const found = cursors.get(name);
    if (found !== undefined && found >= journal.segments[0]!.base) {
      await settled;
      return found;
    }
    const position = after === undefined ? this.position : requirePast(what, this, after);
    writes.requireWritable(what);
    this.parts.allowCursors?.();
    await this.#setCursor(what, name, position);
    return position;
  }

  /** Removes a cursor, and returns whether there was one, once that is on disk.
   *
   * @throws {TypeError | RangeError} The name is not valid.
   * @throws {StoreError} As a write does.
   */
  async deleteCursor(what: string, name: string): Promise<boolean> {
    requireName(what, name);
    const { cursors } = idle(what, this);
    const settled = this.#settleCursor(name);
    if (cursors.get(name) === undefined) {
      await settled;
      return false;
    }
    await this.#setCursor(what, name, undefined);
    return true;
  }

  /** Writes what was called before about a cursor, or takes it back, and returns a promise for when that is on
   * disk. */
  #settleCursor(name: string): Promise<void> | undefined {
    const { journal } = this.parts;
    if (this.cursors.isDurable(name, journal)) return undefined;
    this.writes.commit();
    const synced = journal.sync();
    // What was taken back is done again, and nobody waits for this.
    synced.catch(() => {});
    return synced;
  }

  /** Returns all cursors. */
  cursorStates(): CursorState[] {
    const start = this.parts.journal.segments[0]!.base;
    return Array.from(this.cursors.all(), ([name, position]) => ({
      name,
      position,
      isLost: position < start,
    }));
  }

  #setCursor(what: string, name: string, position: bigint | undefined): Promise<bigint> {
    const set = new WriteSet(this.router);
    set.moveCursor(what, name, position);
    return commitSet(what, this, set, true);
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
      feed: {
        cursors: this.cursors.all().size,
        readers: this.cursors.readers,
        watches: this.watches.size,
        bytes: Number(journal.end - this.cursors.floor(journal)),
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
    this.#closed.abort(new StoreError("CLOSED", "Cannot go on: the store is closed"));
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
