/** The append side: one LMDB environment.
 *
 * Writes go through the library's own writer thread, in sorted batches: the main thread only queues
 * them. `overlappingSync: false` gives LMDB's classic durability: a commit is on disk when its
 * promise resolves, and the file cannot be damaged by a power loss.
 *
 * @module
 */

import { join } from "@std/path";
import { type Database, open, type RootDatabase } from "lmdb";
import * as fs from "node:fs";
import { equalBytes } from "../codec/bytes.ts";
import { StoreError } from "../codec/error.ts";
import { MAX_KEY_BYTES } from "../codec/limits.ts";
import { nextTurn } from "../runtime/turn.ts";
import type { Engine, EngineOptions, EngineStats, Write } from "./engine.ts";
import { FileEngine } from "./file_engine.ts";
import { createFile, fileError } from "./files.ts";
import { checkLmdbPages } from "./lmdb_check.ts";
import { commitBatch } from "./lmdb_commit.ts";
import { lmdbError } from "./lmdb_error.ts";
import { checkLmdbFile } from "./lmdb_file.ts";
import { encoding, LmdbReader } from "./lmdb_reader.ts";
import type { Moment } from "./shared_view.ts";

/** Moments that views can hold at the same time; each takes a reader slot of the library. */
const MOMENTS_MAX = 1024;
/** The engine's own reads need slots too, whatever views take. */
const READERS_MAX = MOMENTS_MAX + 16;

/** The data file inside the engine's directory. */
export const LMDB_FILE = "data.mdb";

const LMDB_LOCK_FILE = "lock.mdb";
/** Somewhat more than the library needs for its readers, which take 64 bytes each. */
const LMDB_LOCK_BYTES = 64 * READERS_MAX + 4096;

/** Writes that are queued in one go; about 2 ms of the main thread. */
const SLICE_WRITES = 4096;
/** Bytes that are queued in one go: a transaction is in memory until it is committed. */
const SLICE_BYTES = 8 * 2 ** 20;
/** Slices that may wait for the writer thread, which is enough to keep it busy. The library blocks
 * the main thread at 300,000 writes. */
const WAITING_SLICES_MAX = 4;
/** Larger than the system's, which costs a fifth of the space and writes and scans half as fast again.
 * A file that is there keeps its own. */
const PAGE_BYTES = 8192;

type Bytes = Uint8Array;
type Db = Database<Bytes, Bytes>;

const FOREIGN = "it is not part of a store";
const IDENTITY = new TextEncoder().encode("identity");
const POSITION = new TextEncoder().encode("position");

/** An engine over LMDB. {@linkcode openLmdbEngine} opens it. */
class LmdbEngine extends FileEngine {
  readonly #path: string;
  readonly #environment: RootDatabase<Bytes, Bytes>;
  readonly #entries: Db;
  readonly #meta: Db;

  constructor(path: string, environment: RootDatabase<Bytes, Bytes>, databases: Databases) {
    super("append side", new LmdbReader(databases.entries, {}), databases.position);
    this.#path = path;
    this.#environment = environment;
    this.#entries = databases.entries;
    this.#meta = databases.meta;
  }

  protected override size(): EngineStats {
    try {
      const { entryCount } = this.#entries.getStats() as { entryCount: number };
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
    await this.#environment.close();
  }

  protected override beginMoment(): Moment {
    if (this.views.moments >= MOMENTS_MAX) {
      throw new StoreError(
        "IO",
        `Cannot take view of the append side: ${MOMENTS_MAX} moments are held; release views`,
      );
    }
    try {
      return new LmdbReader(this.#entries, { transaction: this.#entries.useReadTransaction() });
    } catch (error) {
      throw lmdbError("Cannot take view of the append side", error);
    }
  }

  protected override mayRetry(error: unknown): boolean {
    return error instanceof RangeError ||
      (error instanceof StoreError && error.code === "NO_SPACE");
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
        while (waiting.length >= (mayBeLast ? 1 : WAITING_SLICES_MAX)) await waiting.shift();
        const { end, committed } = this.#queue(writes, next, position);
        // It may fail before anyone waits for it, and an unhandled rejection ends the process.
        committed.catch(() => {});
        waiting.push(committed);
        next = end;
        if (next < writes.length) await nextTurn();
      } while (next < writes.length);
      while (waiting.length > 0) await waiting.shift();
    } finally {
      // Nothing may still be under way when an error is reported.
      await Promise.allSettled(waiting);
    }
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
    const batch = commitBatch(this.#environment, () => {
      // What is thrown in here would not keep the library from committing what it has got so far.
      try {
        for (let bytes = 0; end < last && bytes < SLICE_BYTES; end++) {
          bytes += this.#put(writes[end]!);
        }
        if (end === writes.length) this.#meta.put(POSITION, encodePosition(position));
      } catch (error) {
        failure = { error };
      }
    });
    const committed = batch.then(() => {
      if (failure !== undefined) throw failure.error;
    }).catch((error) => {
      if (error instanceof RangeError) throw error;
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
    if (value === undefined) this.#entries.remove(key);
    else this.#entries.put(key, value);
    return value?.length ?? 0;
  }
}

function encodePosition(position: bigint): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, position, true);
  return bytes;
}

interface Databases {
  readonly entries: Db;
  readonly meta: Db;
  readonly position: bigint;
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
  if (options.create) createFile(path);
  else await checkLmdbFile(path);
  writeLockFile(join(directory, LMDB_LOCK_FILE));
  let environment: RootDatabase<Bytes, Bytes> | undefined;
  try {
    environment = open<Bytes, Bytes>({
      path: directory,
      ...encoding,
      overlappingSync: false,
      pageSize: PAGE_BYTES,
      maxReaders: READERS_MAX,
    });
    const entries = openDatabase(environment, path, "entries", options.create);
    const meta = openDatabase(environment, path, "meta", options.create);
    if (options.create) {
      await commitBatch(environment, () => {
        meta.put(IDENTITY, new TextEncoder().encode(options.identity));
        meta.put(POSITION, encodePosition(0n));
      });
    }
    const position = readPosition(meta, path, options.identity);
    return new LmdbEngine(path, environment, { entries, meta, position });
  } catch (error) {
    await environment?.close();
    throw lmdbError(`Cannot open ${path}`, error, path);
  }
}

/** Creates the library's lock file, unless it is there. The library would make it as long as this without
 * taking up the space, and a full disk would then end the process when it writes to its memory map.
 */
function writeLockFile(path: string): void {
  try {
    const size = fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (size >= LMDB_LOCK_BYTES) return;
    fs.writeFileSync(path, new Uint8Array(LMDB_LOCK_BYTES), { mode: 0o600 });
  } catch (error) {
    throw fileError(`Cannot create ${path}`, error);
  }
}

function openDatabase(
  environment: RootDatabase<Bytes, Bytes>,
  path: string,
  name: string,
  create: boolean,
): Db {
  // The types say nothing of `create`, nor that the answer can be undefined without it.
  const options = { name, create, ...encoding };
  const database = environment.openDB<Bytes, Bytes>(options) as Db | undefined;
  if (database !== undefined) return database;
  throw new StoreError("CORRUPT", `Cannot open ${path}: ${FOREIGN}; restore a backup`);
}

function readPosition(meta: Db, path: string, identity: string): bigint {
  const found = meta.get(IDENTITY);
  if (found === undefined || !equalBytes(found, new TextEncoder().encode(identity))) {
    const reason = found === undefined ? FOREIGN : "it belongs to another store";
    throw new StoreError("CORRUPT", `Cannot open ${path}: ${reason}; restore a backup`);
  }
  const position = meta.get(POSITION);
  if (position?.length !== 8) {
    throw new StoreError("CORRUPT", `Cannot open ${path}: its journal position is not readable`);
  }
  return new DataView(position.buffer, position.byteOffset, 8).getBigUint64(0, true);
}
