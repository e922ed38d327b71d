/** The append side: one LMDB environment.
 *
 * Writes go through the library's own writer thread, in sorted batches: the main thread only queues
 * them. `overlappingSync: false` gives LMDB's classic durability: a commit is on disk when its
 * promise resolves, and the file cannot be damaged by a power loss.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import { StoreError } from "../codec/error.ts";
import { MAX_KEY_BYTES } from "../codec/limits.ts";
import { nextTurn } from "../runtime/turn.ts";
import type { Engine, EngineOptions, EngineStats, Write } from "./engine.ts";
import { FileEngine } from "./file_engine.ts";
import { settleWithin } from "./limit.ts";
import { checkLmdbPages } from "./lmdb_check.ts";
import { commitBatch } from "./lmdb_commit.ts";
import { LMDB_FILE, LmdbEnvironment } from "./lmdb_environment.ts";
import { lmdbError } from "./lmdb_error.ts";
import { LmdbReader } from "./lmdb_reader.ts";
import type { Moment } from "./shared_view.ts";

export { LMDB_FILE };

/** Writes that are queued in one go; about 2 ms of the main thread. */
const SLICE_WRITES = 4096;
/** Bytes that are queued in one go: a transaction is in memory until it is committed. */
const SLICE_BYTES = 8 * 2 ** 20;
/** Slices that may wait for the writer thread, which is enough to keep it busy. The library blocks
 * the main thread at 300,000 writes. */
const WAITING_SLICES_MAX = 4;
/** A commit that takes longer is given up: a disk that has not taken 8 MiB by then does not answer. */
const COMMIT_MS_MAX = 120_000;
/** After a failed commit those behind it settle within this, or never. */
const OTHERS_MS_MAX = 2000;

/** An engine over LMDB. {@linkcode openLmdbEngine} opens it. */
class LmdbEngine extends FileEngine {
  readonly #directory: string;
  readonly #path: string;
  readonly #options: EngineOptions;
  #environment: LmdbEnvironment;
  /** Whether the library may still be writing, for which it has been waited long enough. */
  #isStuck = false;

  constructor(directory: string, environment: LmdbEnvironment, options: EngineOptions) {
    const path = join(directory, LMDB_FILE);
    const now = new LmdbReader(environment.entries, {});
    super("append side", now, environment.readPosition(path), options.guard);
    this.#directory = directory;
    this.#path = path;
    this.#options = { ...options, create: false };
    this.#environment = environment;
  }

  override get isStuck(): boolean {
    return this.#isStuck;
  }

  protected override size(): EngineStats {
    try {
      const { entryCount } = this.#environment.entries.getStats() as { entryCount: number };
      return { keys: entryCount, bytes: fs.statSync(this.#path).size };
    } catch (error) {
      throw lmdbError("Cannot read statistics of the append side", error);
    }
  }

  /** The check begins with the meta pages, and no commit may run until it has read them. */
  protected override async findDamage(
    onProgress: (done: number, total: number) => void,
  ): Promise<string[]> {
    const view = this.view();
    try {
      const { faults } = await checkLmdbPages(this.#path, { onProgress });
      return faults.map(({ page, reason }) => `page ${page} of ${this.#path}: ${reason}`);
    } finally {
      view.release();
    }
  }

  protected override async closeFiles(): Promise<void> {
    if (this.#isStuck) {
      throw new StoreError(
        "IO",
        `Cannot close ${this.#path}: a write to it has not come to an end, and may do so later; end ` +
          "the process before the store is opened again",
        { cause: this.failure },
      );
    }
    await this.#environment.close();
  }

  protected override beginMoment(): Moment {
    try {
      const { entries } = this.#environment;
      return new LmdbReader(entries, { transaction: entries.useReadTransaction() });
    } catch (error) {
      throw lmdbError("Cannot take view of the append side", error);
    }
  }

  /** Queues slices without waiting for each. The last one, which carries the position, is queued when
   * those before it are on disk: a commit that fails must never be followed by a position that claims it.
   */
  protected override async write(writes: readonly Write[], position: bigint): Promise<void> {
    const waiting: Promise<void>[] = [];
    let next = 0;
    try {
      do {
        const mayBeLast = writes.length - next <= SLICE_WRITES;
        while (waiting.length >= (mayBeLast ? 1 : WAITING_SLICES_MAX)) {
          await this.#committed(waiting.shift()!);
        }
        const { end, committed } = this.#queue(writes, next, position);
        // It may fail before anyone waits for it, and an unhandled rejection ends the process.
        committed.catch(() => {});
        waiting.push(committed);
        next = end;
        if (next < writes.length) await nextTurn();
      } while (next < writes.length);
      while (waiting.length > 0) await this.#committed(waiting.shift()!);
    } catch (error) {
      // Nothing may still be under way when an error is reported, if it ever ends.
      const isOver = await settleWithin(waiting, OTHERS_MS_MAX);
      if (await this.#leavePanic()) throw this.fail(error);
      if (!isOver) this.#isStuck = true;
      if (this.#isStuck) throw this.fail(error);
      throw error;
    }
  }

  async #committed(commit: Promise<void>): Promise<void> {
    if (await settleWithin([commit], COMMIT_MS_MAX)) return await commit;
    this.#isStuck = true;
    throw new StoreError(
      "IO",
      `Cannot write to ${this.#path}: no answer within ${COMMIT_MS_MAX / 1000} s`,
    );
  }

  /** Gets reads going again after the write of a meta page has failed: from then on the library refuses
   * everything, and never settles what is queued. What views show ends with the old environment.
   *
   * @returns Whether that was so.
   */
  async #leavePanic(): Promise<boolean> {
    if (!this.#environment.hasPanicked()) return false;
    this.views.endAll();
    await this.#environment.abandon();
    try {
      this.#options.guard?.("Cannot reopen the append side");
      this.#environment = await LmdbEnvironment.open(this.#directory, this.#options);
      this.now = new LmdbReader(this.#environment.entries, {});
    } catch {
      // Then reads go on failing, and closing has nothing to do. The reason is the first failure.
    }
    return true;
  }

  /** Queues one transaction for the library's writer thread: a slice of writes, and behind the last
   * write the position.
   *
   * @throws {RangeError} A key is empty or too long. The library would refuse it in the midst of the
   * batch, and end the process when it is closed.
   */
  #queue(
    writes: readonly Write[],
    start: number,
    position: bigint,
  ): { end: number; committed: Promise<void> } {
    const last = Math.min(writes.length, start + SLICE_WRITES);
    let end = start;
    let failure: { error: unknown } | undefined;
    const batch = commitBatch(this.#environment.root, () => {
      // What is thrown in here would not keep the library from committing what it has got so far.
      try {
        for (let bytes = 0; end < last && bytes < SLICE_BYTES; end++) {
          bytes += this.#put(writes[end]!);
        }
        if (end === writes.length) this.#environment.putPosition(position);
      } catch (error) {
        failure = { error };
      }
    });
    const committed = batch.then(() => {
      // Of those who made the writes, and not of the disk.
      if (failure !== undefined) throw failure.error;
    }, (error) => {
      throw lmdbError("Cannot write to the append side", error, this.#path);
    });
    return { end: failure === undefined ? end : writes.length, committed };
  }

  /** Queues one write and returns the bytes of its value. */
  #put({ key, value }: Write): number {
    if (key.length === 0 || key.length > MAX_KEY_BYTES) {
      throw new RangeError(
        `Cannot apply writes: a key has ${key.length} bytes, not 1 to ${MAX_KEY_BYTES}`,
      );
    }
    const { entries } = this.#environment;
    if (value === undefined) entries.remove(key);
    else entries.put(key, value);
    return value?.length ?? 0;
  }
}

/** Opens the append side in a directory of its own.
 *
 * @param directory Where its file is, or is to be created.
 * @param options The store's identity, and whether to create.
 * @throws {StoreError} `CORRUPT`: the file is missing, cut, not one of LMDB, or of another store;
 * `NOT_EMPTY`: it is to be created and is there; `NO_SPACE`, `IO`.
 */
export async function openLmdbEngine(directory: string, options: EngineOptions): Promise<Engine> {
  const path = join(directory, LMDB_FILE);
  let environment: LmdbEnvironment | undefined;
  try {
    environment = await LmdbEnvironment.open(directory, options);
    return new LmdbEngine(directory, environment, options);
  } catch (error) {
    await environment?.close();
    throw lmdbError(`Cannot open ${path}`, error, path);
  }
}
