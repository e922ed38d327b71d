/** All syncs of a journal that is being written.
 *
 * The system reports a failed write-back once for each open file, to the sync that comes first. Afterwards
 * it takes the lost pages for written. Two syncs of one file at a time would share that report: one of them
 * would fail, and the other would succeed and acknowledge what is lost. So all syncs run here, one run at
 * a time, and after the first failure there are no more.
 *
 * @module
 */

import { now } from "../runtime/timers.ts";
import { nextTurn } from "../runtime/turn.ts";
import { StoreError } from "../codec/error.ts";
import type { DurableMark } from "./durable_mark.ts";
import { DurableWaiters } from "./durable_waiters.ts";
import {
  closeQuietly,
  type JournalFile,
  type JournalFileSystem,
  syncDirectory,
} from "./file_system.ts";
import type { Poison } from "./poison.ts";
import { RESERVE_BYTES_MIN } from "./segment.ts";

/** Once this much is unsynced, a sync starts without being asked for, so that no sync has much more to do. */
const UNSYNCED_BYTES_MAX = 8 * 1024 * 1024;
/** Files that wait for a sync before appends wait with them: each holds a descriptor. */
const RETIRED_FILES_MAX = 8;

/** Syncs that are expected to take less than this are run on the spot: handing one to another thread and
 * waiting for its answer takes about 0.1 ms, as long as the sync itself on a fast disk. */
const SYNC_NOW_MS_MAX = 0.5;
/** More than this is not synced on the spot, however fast the disk was so far. */
const SYNC_NOW_BYTES_MAX = 256 * 1024;
/** The weight of the latest sync in the expected duration of the next. */
const LATEST_SYNC_WEIGHT = 0.25;

/** What is being written. */
export interface SyncSource {
  /** The segment file that takes the records. */
  readonly file: JournalFile;
  /** The offset behind the last record. */
  readonly end: bigint;
  /** Makes room for records to come, and returns whether it wrote anything. */
  reserve(): boolean;
}

/** A sync of one thing: on the spot, or while the event loop turns. */
interface Step {
  readonly what: string;
  readonly sync: (isOnTheSpot: boolean) => Promise<void> | void;
}

/** Syncs what a writer has written. A run syncs, in this order, the segments that were rotated away from,
 * the names in the directory and the current segment, and then notes how far the journal is on disk. So if
 * a record is durable, everything before it is, and the name of its segment.
 */
export class SyncPath {
  readonly #fileSystem: JournalFileSystem;
  readonly #directory: string;
  readonly #source: SyncSource;
  readonly #mark: DurableMark;
  readonly #poison: Poison;
  /** Files that were rotated away from and have to be synced, the oldest first. */
  readonly #retired: JournalFile[] = [];
  #haveNamesChanged = false;
  /** Whether the current file has changed other than by records. */
  #hasFileChanged = false;
  #durableEnd: bigint;
  /** The run that is under way, and the one that follows it. */
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** How long a small sync is expected to take. Unknown at first, so the first ones are not run on the
   * spot. */
  #expectedMs = 2 * SYNC_NOW_MS_MAX;
  #syncs = 0;
  readonly #waiters = new DurableWaiters();
  #isClosed = false;

  /** Starts where everything that was written so far is on disk. */
  constructor(parts: {
    fileSystem: JournalFileSystem;
    directory: string;
    source: SyncSource;
    mark: DurableMark;
    poison: Poison;
  }) {
    this.#fileSystem = parts.fileSystem;
    this.#directory = parts.directory;
    this.#source = parts.source;
    this.#mark = parts.mark;
    this.#poison = parts.poison;
    this.#durableEnd = parts.source.end;
    this.#poison.onSet = (error) => this.#waiters.rejectAll(error);
  }

  /** The offset below which everything is on disk. */
  get durableEnd(): bigint {
    return this.#durableEnd;
  }

  /** Syncs of segments so far. */
  get syncs(): number {
    return this.#syncs;
  }

  /** Whether so many segments wait for a sync that appends should wait for one as well. */
  get isBehind(): boolean {
    return this.#retired.length >= RETIRED_FILES_MAX;
  }

  /** Takes a file that was rotated away from. It is closed once it is on disk. */
  retire(file: JournalFile): void {
    this.#retired.push(file);
    this.noteNames();
    this.noteFile();
  }

  /** Notes that a name in the directory has come or gone. */
  noteNames(): void {
    this.#haveNamesChanged = true;
  }

  /** Notes that the current file has changed in another way than by a record behind the last one. */
  noteFile(): void {
    this.#hasFileChanged = true;
  }

  /** Starts a sync without a caller that waits for it, if much is unsynced. */
  catchUp(): void {
    if (this.#running !== undefined || this.#next !== undefined) return;
    const isMuch = this.#source.end - this.#durableEnd > UNSYNCED_BYTES_MAX;
    // A failure poisons the journal, and the next call says so.
    if (isMuch || this.#retired.length > 0) this.sync().catch(() => {});
  }

  /** Resolves once everything that was done before the call is on disk. However many callers wait, at most
   * one run is under way and one follows. It begins when the event loop turns, and covers everything
   * written by then.
   *
   * @throws {StoreError} `POISONED` where a sync fails, or failed before.
   */
  sync(): Promise<void> {
    if (this.#poison.error !== undefined) return Promise.reject(this.#poison.error);
    if (this.#running === undefined && !this.#isBehindDisk()) return Promise.resolve();
    return this.#next ??= this.#runNext();
  }

  /** Resolves once the journal is on disk beyond an offset: at once, if it is. Asks for no sync.
   *
   * @param signal Ends the wait.
   * @throws {StoreError} `POISONED` or `CLOSED`: that will not be.
   * @throws The reason of the signal, once it is aborted.
   */
  whenDurableBeyond(offset: bigint, signal?: AbortSignal): Promise<void> {
    if (this.#durableEnd > offset) return Promise.resolve();
    if (this.#poison.error !== undefined) return Promise.reject(this.#poison.error);
    if (this.#isClosed) return Promise.reject(closedError());
    return this.#waiters.wait(offset, signal);
  }

  /** Waits for the runs that were asked for, and closes the files that it holds. */
  async close(): Promise<void> {
    await (this.#next ?? this.#running)?.catch(() => {});
    this.#retired.splice(0).forEach(closeQuietly);
    await this.#mark.close();
    this.#isClosed = true;
    this.#waiters.rejectAll(closedError());
  }

  #isBehindDisk(): boolean {
    return this.#durableEnd < this.#source.end || this.#hasFileChanged || this.#haveNamesChanged ||
      this.#retired.length > 0;
  }

  async #runNext(): Promise<void> {
    await nextTurn();
    // The one before may have begun before the latest write. Its failure is that of this one as well.
    await this.#running;
    this.#running = this.#next;
    this.#next = undefined;
    try {
      await this.#run();
    } finally {
      this.#running = undefined;
    }
  }

  async #run(): Promise<void> {
    // Only the first sync after a failed write-back reports it: the next one of the same file may succeed.
    if (this.#poison.error !== undefined) throw this.#poison.error;
    if (!this.#isBehindDisk()) return;
    const target = this.#source.end;
    const bytes = Number(target - this.#durableEnd);
    const isSmall = bytes <= SYNC_NOW_BYTES_MAX;
    const isReserving = bytes > 0 && bytes <= RESERVE_BYTES_MIN && this.#source.reserve();
    const retired = this.#retired.length;
    const steps = this.#takeSteps(bytes);
    const isOnTheSpot = isSmall && this.#expectedMs * steps.length < SYNC_NOW_MS_MAX;
    const start = now();
    for (const { what, sync } of steps) {
      try {
        const syncing = sync(isOnTheSpot);
        if (syncing !== undefined) await syncing;
      } catch (error) {
        throw this.#poison.set(what, error);
      }
    }
    // The cost of a reserve, a rotation or a removal says nothing about the next sync.
    if (bytes > 0 && isSmall && !isReserving && steps.length === 1) {
      this.#expectedMs += (now() - start - this.#expectedMs) * LATEST_SYNC_WEIGHT;
    }
    if (bytes > 0) {
      this.#durableEnd = target;
      this.#mark.note(target);
      if (this.#waiters.size > 0) this.#waiters.resolveBelow(target);
    }
    if (retired === 0) return;
    this.#retired.splice(0, retired).forEach(closeQuietly);
    // So that a power loss leaves no more than the current segment to be judged without a mark.
    this.#mark.sync();
  }

  /** Returns everything that has to be synced so far, in order. */
  #takeSteps(bytes: number): Step[] {
    const steps = this.#retired.map((file) => this.#fileStep(file));
    if (this.#haveNamesChanged) {
      steps.push({
        what: "Cannot sync journal directory",
        sync: (isOnTheSpot) => {
          if (!isOnTheSpot) return syncDirectory(this.#fileSystem, this.#directory);
          this.#fileSystem.syncDirectory(this.#directory);
        },
      });
    }
    if (bytes > 0 || this.#hasFileChanged) steps.push(this.#fileStep(this.#source.file));
    this.#haveNamesChanged = this.#hasFileChanged = false;
    return steps;
  }

  #fileStep(file: JournalFile): Step {
    return {
      what: "Cannot sync journal segment",
      sync: (isOnTheSpot) => {
        this.#syncs++;
        return isOnTheSpot ? file.syncNow() : file.sync();
      },
    };
  }
}

function closedError(): StoreError {
  return new StoreError("CLOSED", "Cannot wait for the disk: the journal is closed");
}
