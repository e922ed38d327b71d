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
import type { Engine, EngineOptions, EngineStats, Writes } from "./engine.ts";
import { FileEngine } from "./file_engine.ts";
import { settleWithin } from "./limit.ts";
import { checkLmdbPages } from "./lmdb_check.ts";
import { commitBatch } from "./lmdb_commit.ts";
import { LmdbEnvironment } from "./lmdb_environment.ts";
import { LMDB_FILE } from "./lmdb_file.ts";
import { lmdbError } from "./lmdb_error.ts";
import { LmdbReader } from "./lmdb_reader.ts";
import { queuedKey, QueuedValues } from "./_lmdb_queue.ts";
import type { Moment } from "./shared_view.ts";

/** Writes of one transaction, which are queued in one go; about 4 ms of the main thread. */
const SLICE_WRITES = 4096;
/** Bytes of one transaction: it is in memory until it is committed. */
const SLICE_BYTES = 8 * 2 ** 20;
/** A commit that takes longer is given up: a disk that has not taken 8 MiB by then does not answer. Tests put
 * a limit of their own here.
 *
 * @internal
 */
export const commitLimit: { ms: number } = { ms: 120_000 };

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
    const now = new LmdbReader(environment, {});
    super("append side", now, environment.readPosition(path), options.guard);
    this.#directory = directory;
    this.#path = path;
    this.#options = { ...options, create: false };
    this.#environment = environment;
  }

  override get isStuck(): boolean {
    return this.#isStuck;
  }

  override get keyBytesMax(): number {
    return this.#environment.keyBytesMax;
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
      const transaction = this.#environment.entries.useReadTransaction();
      return new LmdbReader(this.#environment, { transaction });
    } catch (error) {
      throw lmdbError("Cannot take view of the append side", error);
    }
  }

  /** Writes slice by slice; the last one carries the position. The next one is queued when the one before
   * is on disk: after a failed one the library may refuse everything, and a commit that already waits
   * for its turn then keeps a lock without which the environment cannot be closed.
   */
  protected override async write(writes: Writes, position: bigint): Promise<void> {
    const values = new QueuedValues();
    let next = 0;
    do {
      const { end, committed } = this.#queue(writes, values, next, position);
      // It may fail before anyone waits for it, and an unhandled rejection ends the process.
      committed.catch(() => {});
      if (!await settleWithin([committed], commitLimit.ms)) {
        this.#isStuck = true;
        throw this.fail(
          new Error(`Cannot write to ${this.#path}: no answer within ${commitLimit.ms / 1000} s`),
        );
      }
      try {
        await committed;
      } catch (error) {
        if (error instanceof StoreError) await this.#leavePanic(error);
        throw error;
      }
      next = end;
    } while (next < writes.length);
  }

  /** Gets reads going again after the write of a meta page has failed: from then on the library refuses
   * everything, and never settles what is queued. Views end first: while one is held, its transaction
   * serves all reads, and hides the state of the library. A full disk is no reason to end them; only on
   * file systems that write elsewhere can it keep a meta page from being written.
   */
  async #leavePanic(error: StoreError): Promise<void> {
    if (!this.mayRetry(error)) this.views.endAll();
    if (!this.#environment.hasPanicked()) return;
    this.fail(error);
    await this.#environment.close();
    try {
      this.#options.guard?.("Cannot reopen the append side");
      this.#environment = await LmdbEnvironment.open(this.#directory, this.#options);
      this.now = new LmdbReader(this.#environment, {});
    } catch {
      // Then reads go on failing, and closing has nothing to do. The reason is the first failure.
    }
  }

  /** Queues one transaction for the library's writer thread: a slice of writes, and behind the last
   * write the position.
   *
   * @throws {RangeError} A key is empty or too long. The library would refuse it in the midst of the
   * batch, and end the process when it is closed.
   */
  #queue(
    writes: Writes,
    values: QueuedValues,
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
          bytes += this.#put(writes, end, values);
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
  #put(writes: Writes, index: number, values: QueuedValues): number {
    const keyLength = writes.keyLength(index);
    if (keyLength === 0 || keyLength > this.keyBytesMax) {
      throw new RangeError(
        `Cannot apply writes: a key has ${keyLength} bytes, not 1 to ${this.keyBytesMax}`,
      );
    }
    const chunk = writes.chunk(index);
    const keyStart = writes.keyStart(index);
    const valueLength = writes.valueLength(index);
    const { entries } = this.#environment;
    const key = queuedKey(chunk, keyStart, keyLength);
    if (valueLength < 0) entries.remove(key);
    else entries.put(key, values.value(chunk, keyStart + keyLength, valueLength));
    return Math.max(0, valueLength);
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
