/** An LMDB environment as the append side uses it: its two databases, and opening and closing it.
 *
 * @module
 */

import { join } from "@std/path";
import { type Database, open, type RootDatabase } from "lmdb";
import * as fs from "node:fs";
import { fileError } from "../codec/_file_error.ts";
import { MAX_KEY_BYTES } from "../codec/limits.ts";
import { decodeU64, encodeU64 } from "../codec/value.ts";
import type { EngineOptions } from "./engine.ts";
import { foreign, requireIdentity, requireReadable } from "./_refusal.ts";
import { createFile, rewriteDurably } from "./files.ts";
import { commitBatch } from "./lmdb_commit.ts";
import { emptyDatabase } from "./_lmdb_meta.ts";
import { LMDB_FILE, requireLmdbFile } from "./lmdb_file.ts";
import { encoding } from "./lmdb_reader.ts";
import { closedToChildren } from "../runtime/inheritance.ts";
import { MOMENTS_MAX } from "./shared_view.ts";

/** The engine's own reads need slots too, besides those of views. */
const READERS_MAX = MOMENTS_MAX + 16;

const LMDB_LOCK_FILE = "lock.mdb";
/** Somewhat more than the library needs for its readers, which take 64 bytes each. */
const LMDB_LOCK_BYTES = 64 * READERS_MAX + 4096;
/** Larger than the system's, which costs a fifth of the space and writes and scans half as fast again.
 * A file that is there keeps its own. */
const PAGE_BYTES = 8192;
/** Both meta pages are within these, for every page size. */
const META_BYTES = 2 * 65536;

type Bytes = Uint8Array;
/** A database of bytes. */
export type Db = Database<Bytes, Bytes>;
type Root = RootDatabase<Bytes, Bytes>;

const IDENTITY = new TextEncoder().encode("identity");
const POSITION = new TextEncoder().encode("position");

/** An open environment and its databases. */
export class LmdbEnvironment {
  readonly root: Root;
  readonly entries: Db;
  /** Bytes of the longest key, which the size of the pages decides. */
  readonly keyBytesMax: number;
  readonly #meta: Db;

  private constructor(root: Root, entries: Db, meta: Db) {
    this.root = root;
    this.entries = entries;
    // The types do not know it.
    const { maxKeySize } = root as unknown as { maxKeySize: number };
    this.keyBytesMax = Math.min(maxKeySize, MAX_KEY_BYTES);
    this.#meta = meta;
  }

  /** Opens the environment in a directory, once its file is known to be one.
   *
   * The file's meta pages are written anew first: a meta page whose write failed may be on disk all the
   * same, and would become the newest one again after a power loss.
   */
  static async open(directory: string, options: EngineOptions): Promise<LmdbEnvironment> {
    const path = join(directory, LMDB_FILE);
    const { scratch } = options;
    if (options.create) {
      // Where the library cannot write these itself, it ends the process.
      await createFile(path, emptyDatabase(PAGE_BYTES));
    } else {
      await requireLmdbFile(path);
      options.guard?.(`Cannot open ${path}`);
      try {
        if (scratch === undefined) await rewriteDurably(path, META_BYTES);
        else linkFile(path, scratch);
      } catch (error) {
        throw fileError(`Cannot open ${path}`, error);
      }
    }
    const home = scratch ?? directory;
    // The directory may have become another store's while a sync was waited for.
    options.guard?.(`Cannot open ${path}`);
    writeLockFile(join(home, LMDB_LOCK_FILE));
    let root: Root | undefined;
    try {
      root = closedToChildren(() =>
        open<Bytes, Bytes>({
          path: home,
          ...encoding,
          readOnly: scratch !== undefined,
          overlappingSync: false,
          pageSize: PAGE_BYTES,
          maxReaders: READERS_MAX,
        })
      );
      const entries = openDatabase(root, path, "entries", options.create);
      const meta = openDatabase(root, path, "meta", options.create);
      const environment = new LmdbEnvironment(root, entries, meta);
      if (options.create) await environment.#writeMeta(options.identity);
      else await environment.#requireIdentity(path, options);
      return environment;
    } catch (error) {
      await root?.close();
      throw error;
    }
  }

  /** Returns the journal position that the environment was written up to.
   *
   * @param path The data file, for the message.
   * @throws {StoreError} `CORRUPT`: it is not readable.
   */
  readPosition(path: string): bigint {
    const noted = this.#meta.get(POSITION);
    return requireReadable(path, noted?.length === 8 ? decodeU64(noted) : undefined);
  }

  /** Adds the journal position to the batch that is being queued. */
  putPosition(position: bigint): void {
    this.#meta.put(POSITION, encodeU64(position));
  }

  /** Returns whether the library refuses everything, reads included, because a meta page could not be
   * written. */
  hasPanicked(): boolean {
    try {
      this.root.resetReadTxn();
      this.#meta.get(POSITION);
      return false;
    } catch (error) {
      return /MDB_PANIC/.test(String(error));
    }
  }

  close(): Promise<void> {
    return this.root.close();
  }

  async #writeMeta(identity: string): Promise<void> {
    await commitBatch(this.root, () => {
      this.#meta.put(IDENTITY, new TextEncoder().encode(identity));
      this.putPosition(0n);
    });
  }

  async #requireIdentity(path: string, options: EngineOptions): Promise<void> {
    const { identity } = options;
    const bytes = this.#meta.get(IDENTITY);
    const found = bytes && new TextDecoder().decode(bytes);
    requireIdentity(path, found, options);
    if (found === identity || options.scratch !== undefined) return;
    await commitBatch(this.root, () => {
      this.#meta.put(IDENTITY, new TextEncoder().encode(identity));
    });
  }
}

/** Makes a file appear in another directory: the library puts its lock beside the file that it opens. */
function linkFile(path: string, directory: string): void {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  const link = join(directory, LMDB_FILE);
  try {
    fs.symlinkSync(fs.realpathSync(path), link);
  } catch (error) {
    // Windows asks for a right of its own.
    if ((error as { code?: unknown }).code !== "EPERM") throw error;
    fs.copyFileSync(path, link, fs.constants.COPYFILE_FICLONE);
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

function openDatabase(root: Root, path: string, name: string, create: boolean): Db {
  // The types say nothing of `create`, nor that the answer can be undefined without it.
  const options = { name, create, ...encoding };
  const database = root.openDB<Bytes, Bytes>(options) as Db | undefined;
  if (database !== undefined) return database;
  throw foreign(path);
}
