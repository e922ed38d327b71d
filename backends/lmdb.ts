/** The append side: one LMDB environment.
 *
 * Writes go through the library's own writer thread, in sorted batches: the main thread only queues
 * them. `overlappingSync: false` gives LMDB's classic durability: a commit is on disk when its
 * promise resolves, and the file cannot be damaged by a power loss.
 *
 * @module
 */

import { join } from "@std/path";
import { type Database, open, type RootDatabase, type Transaction } from "lmdb";
import * as fs from "node:fs";
import { equalBytes } from "../codec/bytes.ts";
import { StoreError } from "../codec/error.ts";
import { MAX_KEY_BYTES } from "../codec/limits.ts";
import type {
  Engine,
  EngineOptions,
  EngineStats,
  EngineView,
  Entry,
  KeyRange,
  Write,
} from "./engine.ts";
import { checkLmdbFile } from "./lmdb_file.ts";
import { type Moment, SharedViews } from "./shared_view.ts";
import { nextTurn } from "./turn.ts";

/** The data file inside the engine's directory. */
export const LMDB_FILE = "data.mdb";

/** Writes that are queued in one go; about 2 ms of the main thread. */
const SLICE_WRITES = 4096;
/** Slices that may wait for the writer thread. The library blocks the main thread at 300,000 writes. */
const WAITING_SLICES_MAX = 16;
/** Each live view that began at another moment takes one of these. */
const READERS_MAX = 1024;

type Bytes = Uint8Array;
type Db = Database<Bytes, Bytes>;

const IDENTITY = new TextEncoder().encode("identity");
const POSITION = new TextEncoder().encode("position");

/** Copies out of the library's buffers, into plain `Uint8Array`s: its own copies are `Buffer`s. */
const encoding = {
  keyEncoder: {
    writeKey(key: Bytes, target: Bytes, start: number): number {
      target.set(key, start);
      return start + key.length;
    },
    readKey(source: Bytes, start: number, end: number): Bytes {
      const key = new Uint8Array(end - start);
      key.set(source.subarray(start, end));
      return key;
    },
  },
  encoder: {
    encode: (value: Bytes): Bytes => value,
    decode(source: Bytes): Bytes {
      // `length` is what the value has; the buffer itself is longer.
      const value = new Uint8Array(source.length);
      value.set(source.subarray(0, source.length));
      return value;
    },
  },
};

type RangeOptions = NonNullable<Parameters<Db["getRange"]>[0]>;
type ReadOptions = { transaction?: Transaction };

const FIRST_KEY = new Uint8Array(1);

/** Expresses a half-open range as the library does, which starts where the reading starts and refuses
 * bounds that are longer than a key: a key is at or above a longer bound where it is above that
 * bound's first 1978 bytes, and below it where it is at or below them.
 */
function rangeOptions({ start, end, reverse }: KeyRange, limit: number): RangeOptions {
  const low = start.subarray(0, MAX_KEY_BYTES);
  const high = end?.subarray(0, MAX_KEY_BYTES);
  const lowIsIncluded = low.length === start.length;
  const highIsIncluded = high?.length !== end?.length;
  if (reverse) {
    return {
      ...(high && { start: high, exclusiveStart: !highIsIncluded }),
      // Without an end property the library skips the key 00; an empty end means none.
      end: low.length === 0 ? undefined : low,
      inclusiveEnd: lowIsIncluded,
      reverse,
      limit,
    } as RangeOptions;
  }
  return {
    start: low.length === 0 ? FIRST_KEY : low,
    exclusiveStart: !lowIsIncluded,
    ...(high && { end: high, inclusiveEnd: highIsIncluded }),
    limit,
  };
}

class LmdbReader implements Moment {
  readonly #entries: Db;
  readonly #options: ReadOptions;

  constructor(entries: Db, options: ReadOptions) {
    this.#entries = entries;
    this.#options = options;
  }

  get(key: Bytes): Bytes | undefined {
    try {
      return this.#entries.get(key, this.#options);
    } catch (error) {
      throw lmdbError("Cannot get key from the append side", error);
    }
  }

  has(key: Bytes): boolean {
    try {
      return this.#entries.doesExist(key, undefined as unknown as Bytes, this.#options);
    } catch (error) {
      throw lmdbError("Cannot look for key on the append side", error);
    }
  }

  range(range: KeyRange, limit: number): Entry[] {
    if (range.end?.length === 0 || limit === 0) return [];
    try {
      return [...this.#entries.getRange({ ...rangeOptions(range, limit), ...this.#options })];
    } catch (error) {
      throw lmdbError("Cannot scan the append side", error);
    }
  }

  keys(range: KeyRange, limit: number): Bytes[] {
    if (range.end?.length === 0 || limit === 0) return [];
    try {
      return [...this.#entries.getKeys({ ...rangeOptions(range, limit), ...this.#options })];
    } catch (error) {
      throw lmdbError("Cannot scan the append side", error);
    }
  }

  end(): void {
    this.#options.transaction?.done();
  }
}

/** An engine over LMDB. {@linkcode openLmdbEngine} opens it. */
class LmdbEngine implements Engine {
  readonly #path: string;
  readonly #environment: RootDatabase<Bytes, Bytes>;
  readonly #entries: Db;
  readonly #meta: Db;
  readonly #now: LmdbReader;
  readonly #views: SharedViews;
  #position: bigint;
  #applying: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(path: string, environment: RootDatabase<Bytes, Bytes>, databases: Databases) {
    this.#path = path;
    this.#environment = environment;
    this.#entries = databases.entries;
    this.#meta = databases.meta;
    this.#position = databases.position;
    this.#now = new LmdbReader(this.#entries, {});
    this.#views = new SharedViews(() =>
      new LmdbReader(this.#entries, { transaction: this.#entries.useReadTransaction() })
    );
  }

  get position(): bigint {
    return this.#position;
  }

  get(key: Bytes): Bytes | undefined {
    this.#requireOpen();
    return this.#now.get(key);
  }

  has(key: Bytes): boolean {
    this.#requireOpen();
    return this.#now.has(key);
  }

  range(range: KeyRange, limit: number): Entry[] {
    this.#requireOpen();
    return this.#now.range(range, limit);
  }

  keys(range: KeyRange, limit: number): Bytes[] {
    this.#requireOpen();
    return this.#now.keys(range, limit);
  }

  async apply(writes: Iterable<Write>, position: bigint): Promise<void> {
    this.#requireOpen();
    this.#views.engineChanges();
    this.#applying = this.#apply(writes, position);
    try {
      await this.#applying;
    } finally {
      this.#applying = undefined;
      this.#views.engineChanges();
    }
  }

  view(): EngineView {
    this.#requireOpen();
    return this.#views.take();
  }

  stats(): EngineStats {
    this.#requireOpen();
    const { entryCount } = this.#entries.getStats() as { entryCount: number };
    return { keys: entryCount, bytes: fs.statSync(this.#path).size };
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.#applying?.catch(() => {});
    this.#views.endAll();
    await this.#environment.close();
  }

  /** Queues all slices but the last without waiting for each, and the last, which carries the
   * position, only when those are on disk: a commit that fails must never be followed by a position
   * that claims it.
   */
  async #apply(writes: Iterable<Write>, position: bigint): Promise<void> {
    const iterator = writes[Symbol.iterator]();
    let waiting: Promise<void>[] = [];
    let slice = takeSlice(iterator);
    while (slice.length === SLICE_WRITES) {
      waiting.push(this.#commit(slice));
      if (waiting.length === WAITING_SLICES_MAX) {
        await allSettled(waiting);
        waiting = [];
      }
      await nextTurn();
      slice = takeSlice(iterator);
    }
    await allSettled(waiting);
    await this.#commit(slice, position);
    this.#position = position;
  }

  /** Commits a slice as one transaction, on the library's writer thread. */
  async #commit(slice: readonly Write[], position?: bigint): Promise<void> {
    try {
      await this.#entries.batch(() => {
        for (const { key, value } of slice) {
          if (value === undefined) this.#entries.remove(key);
          else this.#entries.put(key, value);
        }
        if (position !== undefined) this.#meta.put(POSITION, encodePosition(position));
      });
    } catch (error) {
      throw await commitError(error, this.#environment);
    }
  }

  #requireOpen(): void {
    if (this.#closing === undefined) return;
    throw new StoreError("CLOSED", "Cannot use engine: the append side is closed");
  }
}

function takeSlice(iterator: Iterator<Write>): Write[] {
  const slice: Write[] = [];
  while (slice.length < SLICE_WRITES) {
    const step = iterator.next();
    if (step.done) break;
    slice.push(step.value);
  }
  return slice;
}

/** Waits for all, so that nothing still runs when the first error is thrown. */
async function allSettled(promises: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) {
    if (result.status === "rejected") throw result.reason;
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
 * @throws {StoreError} `CORRUPT`: the file is missing, cut, not one of LMDB, or of another store.
 */
export async function openLmdbEngine(directory: string, options: EngineOptions): Promise<Engine> {
  const path = join(directory, LMDB_FILE);
  if (options.create) fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  else checkLmdbFile(path);
  let environment: RootDatabase<Bytes, Bytes> | undefined;
  try {
    environment = open<Bytes, Bytes>({
      path: directory,
      ...encoding,
      overlappingSync: false,
      maxReaders: READERS_MAX,
    });
    for (const name of fs.readdirSync(directory)) fs.chmodSync(join(directory, name), 0o600);
    const entries = environment.openDB<Bytes, Bytes>({ name: "entries", ...encoding });
    const meta = environment.openDB<Bytes, Bytes>({ name: "meta", ...encoding });
    if (options.create) {
      await meta.batch(() => {
        meta.put(IDENTITY, new TextEncoder().encode(options.identity));
        meta.put(POSITION, encodePosition(0n));
      });
    }
    const position = readPosition(meta, path, options.identity);
    return new LmdbEngine(path, environment, { entries, meta, position });
  } catch (error) {
    await environment?.close();
    throw lmdbError(`Cannot open ${path}`, error);
  }
}

function readPosition(meta: Db, path: string, identity: string): bigint {
  const found = meta.get(IDENTITY);
  if (found === undefined || !equalBytes(found, new TextEncoder().encode(identity))) {
    const reason = found === undefined
      ? "it is not part of a store"
      : "it belongs to another store";
    throw new StoreError("CORRUPT", `Cannot open ${path}: ${reason}; restore a backup`);
  }
  const position = meta.get(POSITION);
  if (position?.length !== 8) {
    throw new StoreError("CORRUPT", `Cannot open ${path}: its journal position is not readable`);
  }
  return new DataView(position.buffer, position.byteOffset, 8).getBigUint64(0, true);
}

const DAMAGE = /MDB_(CORRUPTED|INVALID|VERSION_MISMATCH|PAGE_NOTFOUND|PANIC|BAD_TXN|INCOMPATIBLE)/;
const FULL = /MDB_MAP_FULL|ENOSPC|EDQUOT|No space left|quota exceeded/i;

function lmdbError(what: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const code = DAMAGE.test(reason) ? "CORRUPT" : FULL.test(reason) ? "NO_SPACE" : "IO";
  return new StoreError(code, `${what}: ${reason}`, { cause: error });
}

/** Finds out why a commit failed. The library keeps the reason in a promise of its own, and rejects
 * further ones that nobody else would handle.
 */
async function commitError(
  error: unknown,
  environment: RootDatabase<Bytes, Bytes>,
): Promise<StoreError> {
  const inner = (error as { commitError?: Promise<unknown> }).commitError;
  const reason = inner?.then(() => error, (cause: unknown) => cause);
  const committed = environment.committed as unknown as PromiseLike<unknown>;
  committed.then(() => {}, () => {});
  await nextTurn();
  committed.then(() => {}, () => {});
  const cause = await Promise.race([reason ?? error, nextTurn().then(() => error)]);
  return lmdbError("Cannot write to the append side", cause);
}
