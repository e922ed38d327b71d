/** The way of a write: into the group of this turn, from there as one record into the journal, and
 * with it into the memtable.
 *
 * A write is encoded once, right where its journal record is being built; the memtable points into
 * the same bytes, and the engines are written from them.
 *
 * @module
 */

import { StoreError } from "../../codec/error.ts";
import { fileError } from "../../codec/_file_error.ts";
import { RECORD_HEADER_BYTES, sealRecord } from "../../journal/record.ts";
import type { JournalWriter } from "../../journal/writer.ts";
import {
  clearTimeout,
  queueMicrotask,
  setImmediate,
  setTimeout,
  type Timer,
} from "../../runtime/timers.ts";
import { answer, isTurnOver } from "../../runtime/turn.ts";
import type { Cursors } from "../feed/cursors.ts";
import type { Watches } from "../feed/watches.ts";
import type { Applier } from "./applier.ts";
import type { MemtableStack, SharedLayers } from "../memtable/memtable_stack.ts";
import type { Ownership } from "../directory/ownership.ts";
import { encodeWrite, WRITE_HEADER_BYTES, writeBytes } from "../payload.ts";
import type { Durability } from "../types.ts";
import type { WriteSet } from "./write_set.ts";

/** Records are built in chunks of this size; a group ends at the latest where its chunk does. */
const CHUNK_BYTES = 256 * 1024;

/** What a write waits for: the group's record being written, or being on disk. */
class Acknowledgement {
  readonly promise: Promise<void>;
  /** Where the group's record ends in the journal, once it is written. */
  position = 0n;
  resolve!: () => void;
  reject!: (reason: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** Takes the writes of a store and acknowledges them as its durability says. */
export class WritePath {
  readonly #ownership: Pick<Ownership, "require" | "requireLately" | "requireUnlost">;
  readonly #isReadOnly: boolean;
  readonly #journal: JournalWriter;
  readonly #memtables: MemtableStack;
  readonly #cursors: Cursors;
  readonly #watches: Watches;
  readonly #applier: Applier;
  readonly #durability: Durability;
  readonly #syncIntervalMs: number;
  readonly #memtableBytes: number;

  #chunk: Uint8Array = new Uint8Array(CHUNK_BYTES);
  /** Where the record of the open group starts in the chunk, and where its next write goes. */
  #start = 0;
  #at = RECORD_HEADER_BYTES;
  #written: Acknowledgement | undefined;
  #durable: Acknowledgement | undefined;
  #isScheduled = false;
  /** Why the first write failed that failed since the last flush. */
  #unreported: StoreError | undefined;

  #syncTimer: Timer | undefined;

  constructor(parts: {
    ownership: Pick<Ownership, "require" | "requireLately" | "requireUnlost">;
    isReadOnly?: boolean;
    journal: JournalWriter;
    memtables: MemtableStack;
    cursors: Cursors;
    watches: Watches;
    applier: Applier;
    durability: Durability;
    syncIntervalMs: number;
    memtableBytes: number;
  }) {
    this.#ownership = parts.ownership;
    this.#isReadOnly = parts.isReadOnly ?? false;
    this.#journal = parts.journal;
    this.#memtables = parts.memtables;
    this.#cursors = parts.cursors;
    this.#watches = parts.watches;
    this.#applier = parts.applier;
    this.#durability = parts.durability;
    this.#syncIntervalMs = parts.syncIntervalMs;
    this.#memtableBytes = parts.memtableBytes;
  }

  /** Throws where no write can be taken. Called before a write changes anything.
   *
   * @throws {StoreError} `READ_ONLY`; `POISONED`; or what keeps the applier from making room.
   */
  requireWritable(what: string): void {
    this.requireChangeable(what);
    this.#ownership.requireUnlost(what);
    const { poison } = this.#journal;
    if (poison !== undefined) {
      throw new StoreError("POISONED", `${what}: ${poison.message}`, { cause: poison.cause });
    }
    try {
      this.#applier.requireRoom(what);
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
  }

  /** Throws where nothing of the store may be changed.
   *
   * @throws {StoreError} `READ_ONLY`.
   */
  requireChangeable(what: string): void {
    if (!this.#isReadOnly) return;
    throw new StoreError(
      "READ_ONLY",
      `${what}: the store was opened to be read; open it without readOnly`,
    );
  }

  /** Throws where a batch or a transaction advances a cursor that is not to go there.
   *
   * @throws {RangeError | StoreError} As `Cursors.requireMove` does.
   */
  requireAdvances(what: string, { advances, cursors }: WriteSet): void {
    for (const name of advances) {
      this.#cursors.requireMove(what, this.#journal, name, cursors.get(name)!);
    }
  }

  /** Takes one write.
   *
   * @param hash The key's hash.
   * @param durable Whether it waits for the disk; the store's durability says so where it is left out.
   * @returns A promise that resolves once it is acknowledged. Writes of one group share it.
   */
  write(
    key: Uint8Array,
    value: Uint8Array | undefined,
    hash: number,
    durable?: boolean,
  ): Promise<void> {
    this.#reserve(writeBytes(key, value));
    const { active } = this.#memtables;
    const keyStart = this.#at + WRITE_HEADER_BYTES;
    const valueLength = value === undefined ? -1 : value.length;
    this.#at = encodeWrite(this.#chunk, this.#at, key, value);
    const id = active.set(key, hash, this.#chunk, keyStart, valueLength);
    if (this.#watches.isWatching) this.#watches.note(key, hash);
    return this.#acknowledge(active.engine(id) === "btree", durable).promise;
  }

  /** Takes writes that are whole or absent together.
   *
   * @param durable As for `write`.
   * @returns Where they end in the journal, once they are acknowledged.
   */
  writeAll(set: WriteSet, durable?: boolean): Promise<bigint> {
    if (set.bytes === 0) return answer(this.#journal.end);
    this.#reserve(set.bytes);
    this.#at = set.writeInto(this.#chunk, this.#at, this.#memtables.active);
    for (const [name, position] of set.cursors) this.#cursors.set(name, position);
    if (this.#watches.isWatching) this.#watches.noteAll(set.memtable);
    const acknowledgement = this.#acknowledge(set.touchesBtree, durable);
    return acknowledgement.promise.then(() => acknowledgement.position);
  }

  /** Writes the open group into the journal. Its writes are then in the journal or nowhere.
   *
   * @returns Why they are nowhere, if so; the callers that wait for them get it too.
   */
  commit(): unknown {
    this.#isScheduled = false;
    const payloadBytes = this.#at - this.#start - RECORD_HEADER_BYTES;
    if (payloadBytes === 0) return undefined;
    const written = this.#written;
    const durable = this.#durable;
    this.#written = this.#durable = undefined;
    sealRecord(this.#chunk, this.#start, payloadBytes);
    try {
      this.#ownership.requireLately("Cannot write record");
      this.#journal.write(this.#chunk.subarray(this.#start, this.#at));
    } catch (error) {
      this.#takeBack();
      this.#noteFailure(error);
      this.#journal.afterUndo(error).then((reason) => {
        written?.reject(reason);
        durable?.reject(reason);
      });
      return error;
    }
    const position = this.#journal.end;
    if (written !== undefined) written.position = position;
    if (durable !== undefined) durable.position = position;
    this.#memtables.active.bytes += this.#at - this.#start;
    this.#memtables.active.keep();
    if (this.#cursors.keep(position)) this.#applier.cursorMoved();
    this.#watches.wake();
    this.#start = this.#at;
    this.#at += RECORD_HEADER_BYTES;
    if (this.#chunk.length > CHUNK_BYTES) this.#startChunk(0);
    if (this.#memtables.active.bytes >= this.#memtableBytes) this.seal();
    if (durable !== undefined) this.#settleWhenDurable(durable);
    else if (this.#durability !== "flush") this.#syncLater();
    if (written === undefined) return undefined;
    if (this.#journal.isBehind) this.#settleWhenDurable(written);
    else this.#settle(written);
    return undefined;
  }

  /** Writes the open group and hands the active memtable to the applier. */
  seal(): void {
    this.commit();
    this.#memtables.seal(this.#journal.end, this.#cursors.note());
    this.#applier.wake();
  }

  /** Writes the open group, and returns what a moment reads of memory. */
  share(): SharedLayers {
    this.commit();
    return this.#memtables.share();
  }

  /** Resolves once everything that was written before the call is on disk. Of the writes that failed
   * since the last call, it rejects with the first one's failure: which of them were awaited
   * cannot be found out.
   *
   * @throws {StoreError} `NO_SPACE` or `IO`: a write failed; `POISONED`: a sync did, or the directory is not the
   * store's any more.
   */
  async flush(what: string): Promise<void> {
    this.commit();
    // What is on disk elsewhere is not in the store.
    this.#ownership.require(what);
    const failure = this.#unreported;
    this.#unreported = undefined;
    // What did not fail is to be on disk all the same.
    await this.#journal.sync();
    if (failure === undefined) return;
    throw new StoreError(
      failure.code,
      `${what}: a write before it failed and is not in the store; write it again ` +
        `(${failure.message})`,
      { cause: failure },
    );
  }

  /** Writes the open group and stops the timer. */
  close(): void {
    this.commit();
    clearTimeout(this.#syncTimer);
  }

  /** Makes sure that this many bytes of writes fit behind what the open group holds. */
  #reserve(bytes: number): void {
    // It was shared with no group open, so that everything in it is in the journal.
    if (this.#memtables.active.moments > 0) this.seal();
    if (this.#at + bytes <= this.#chunk.length) return;
    const failure = this.commit();
    // The write at hand may have been computed from what was just taken back.
    if (failure !== undefined) throw failure;
    this.#startChunk(Math.max(CHUNK_BYTES, RECORD_HEADER_BYTES + bytes));
  }

  /** Continues in a new chunk. The memtable keeps the old one for as long as it needs it. */
  #startChunk(bytes: number): void {
    this.#chunk = new Uint8Array(bytes);
    this.#start = 0;
    this.#at = RECORD_HEADER_BYTES;
  }

  #acknowledge(touchesBtree: boolean, durable: boolean | undefined): Acknowledgement {
    this.#schedule();
    const waitsForDisk = durable ??
      (this.#durability === "always" || (this.#durability === "hybrid" && touchesBtree));
    if (waitsForDisk) return this.#durable ??= new Acknowledgement();
    return this.#written ??= new Acknowledgement();
  }

  /** Commits the group when the code that is running has finished.
   *
   * A microtask is the soonest, and lets a loop of awaited writes run at full speed; but such a loop
   * would never let a timer fire, so that now and then a commit waits for the next turn instead.
   */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    if (isTurnOver()) setImmediate(() => this.commit());
    else queueMicrotask(() => this.commit());
  }

  #noteFailure(error: unknown): void {
    this.#unreported ??= fileError("Cannot write", error);
  }

  #takeBack(): void {
    this.#memtables.active.takeBack();
    this.#cursors.takeBack();
    // What was read of it meanwhile is no more.
    this.#watches.wakeAll();
    this.#at = this.#start + RECORD_HEADER_BYTES;
  }

  #settle(acknowledgement: Acknowledgement): void {
    const room = this.#applier.room();
    if (room === undefined) acknowledgement.resolve();
    else room.then(acknowledgement.resolve);
  }

  #settleWhenDurable(acknowledgement: Acknowledgement): void {
    this.#journal.sync().then(() => this.#settle(acknowledgement), acknowledgement.reject);
  }

  #syncLater(): void {
    if (this.#syncTimer !== undefined) return;
    this.#syncTimer = setTimeout(() => {
      this.#syncTimer = undefined;
      // A failure poisons the journal, and the next write says so.
      this.#journal.sync().catch(() => {});
    }, this.#syncIntervalMs);
    // What waits is with the operating system already, so it need not keep the process alive.
    this.#syncTimer.unref();
  }
}
