/** The lock of a store's directory: one owner at a time, in this process and among processes.
 *
 * The owner holds an exclusive transaction on a small SQLite file, which the kernel ends when the
 * process dies, however it dies. That is the lock that every runtime has; but on POSIX systems closing
 * any descriptor of a file drops such locks of the process, and a program may read its own store's
 * directory. So in Bun and Deno the owner holds its note as well, by a lock that survives that. Where
 * there is none, and another process gets the lock, {@linkcode Ownership} finds out.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import {
  isSqliteBusy,
  openSqlite,
  type SqliteDatabase,
  sqliteError,
} from "../../backends/sqlite_driver.ts";
import { fileError } from "../../codec/_file_error.ts";
import { StoreError } from "../../codec/error.ts";
import { NOTE_FILE, NoteHeldError, OwnerNote, readOwner } from "./owner_note.ts";
import { Ownership } from "./ownership.ts";

/** The name of the locked file. */
export const LOCK_FILE = "lock";

// Kept on the global object, because a program can hold this module twice. It also keeps the
// databases reachable: Bun drops a lock soon after its database object becomes garbage.
const OWNED_KEY = Symbol.for("hybridstore.owned_directories");
const owned = ((globalThis as Record<symbol, unknown>)[OWNED_KEY] ??= new Map()) as Map<
  string,
  StoreLock
>;

/** A held lock. */
export class StoreLock {
  /** The real path of the directory, which no change of a symbolic link changes. */
  readonly directory: string;
  /** Whether the directory is still the owner's. */
  readonly ownership: Ownership;
  /** Whether the last owner has left without a word. */
  readonly followsCrash: boolean;
  readonly #database: SqliteDatabase;
  readonly #note: OwnerNote;

  private constructor(directory: string, database: SqliteDatabase, note: OwnerNote) {
    this.directory = directory;
    this.#database = database;
    this.#note = note;
    this.ownership = new Ownership(directory, note);
    this.followsCrash = note.hasPredecessor;
  }

  /** Takes the lock of an existing directory.
   *
   * @throws {StoreError} `LOCKED` with the owner's process id; `CORRUPT`, `IO`, `NO_SPACE`.
   */
  static acquire(directory: string): StoreLock {
    const realPath = realPathOf(`Cannot lock store ${directory}`, directory);
    if (owned.has(realPath)) {
      throw refusal(
        directory,
        `this process (pid ${process.pid}) has it open; use that store, and where a module runs ` +
          "again (bun --hot) open it with globalThis.store ??= await HybridStore.open(…)",
      );
    }
    const path = join(realPath, LOCK_FILE);
    let database: SqliteDatabase | undefined;
    let note: OwnerNote | undefined;
    let lock: StoreLock;
    try {
      if (!fs.existsSync(path)) fs.closeSync(fs.openSync(path, "a", 0o600));
      database = openSqlite(path);
      // A journal on disk would be removed by its path, which may lead elsewhere by then.
      database.exec("PRAGMA journal_mode = MEMORY");
      database.prepare("BEGIN EXCLUSIVE").run();
      note = new OwnerNote(realPath);
      lock = new StoreLock(realPath, database, note);
    } catch (error) {
      note?.close();
      database?.close();
      if (isSqliteBusy(error) || error instanceof NoteHeldError) {
        throw refusal(directory, otherOwner(realPath));
      }
      const failure = sqliteError(`Cannot lock store ${directory}`, error);
      if (failure.code !== "CORRUPT") throw failure;
      throw new StoreError("CORRUPT", `Cannot lock store: ${path} is damaged; remove it`, {
        cause: error,
      });
    }
    owned.set(realPath, lock);
    return lock;
  }

  /** Gives the lock back. Where the directory is another owner's by now, what is in it stays.
   *
   * @throws {StoreError} `POISONED`: the directory was not this owner's any more. The lock is given back
   * all the same.
   */
  release(): void {
    try {
      this.ownership.requireDirectory("Cannot close store");
      this.#note.remove();
    } catch (error) {
      // A note that stays does no harm.
      if (this.ownership.isLost) throw error;
    } finally {
      owned.delete(this.directory);
      this.ownership.close();
      this.#note.close();
      // Bun keeps the lock of a connection that is closed within a transaction.
      this.#database.prepare("ROLLBACK").run();
      this.#database.close();
    }
  }
}

/** Returns the real path of a directory, which another process may have removed since it was looked at.
 *
 * @throws {StoreError} `IO`.
 */
export function realPathOf(what: string, directory: string): string {
  try {
    return fs.realpathSync(directory);
  } catch (error) {
    throw fileError(what, error);
  }
}

/** Returns why a directory cannot be had that is locked, naming the process as far as it is known. */
export function otherOwner(directory: string): string {
  const owner = readOwner(join(directory, NOTE_FILE));
  const name = owner === undefined ? "another process" : `process ${owner}`;
  return `${name} has it open; close it there, or work with the store in that process`;
}

function refusal(directory: string, reason: string): StoreError {
  return new StoreError("LOCKED", `Cannot open store ${directory}: ${reason}`);
}
