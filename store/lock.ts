/** The lock of a store's directory: one owner at a time, in this process and among processes.
 *
 * The owner holds an exclusive transaction on a small SQLite file, which the kernel ends when the
 * process dies, however it dies. Its process id stands in a file beside it for those who are refused:
 * the locked file itself must not be opened by other means, because on POSIX systems closing any
 * descriptor of a file drops the locks that the process has on it.
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
} from "../backends/sqlite_driver.ts";
import { StoreError } from "../codec/error.ts";

/** The names of the lock's files. */
export const LOCK_FILE = "lock";
/** Holds the owner's process id. */
export const LOCK_PID_FILE = "lock.pid";

// Kept on the global object, because a program can hold this module twice. It also keeps the
// databases reachable: Bun drops a lock soon after its database object becomes garbage.
const OWNED_KEY = Symbol.for("hybridstore.owned_directories");
const owned = ((globalThis as Record<symbol, unknown>)[OWNED_KEY] ??= new Map()) as Map<
  string,
  StoreLock
>;

/** A held lock. */
export class StoreLock {
  readonly #directory: string;
  readonly #database: SqliteDatabase;

  private constructor(directory: string, database: SqliteDatabase) {
    this.#directory = directory;
    this.#database = database;
  }

  /** Takes the lock of an existing directory.
   *
   * @throws {StoreError} `LOCKED` with the owner's process id; `CORRUPT`, `IO`, `NO_SPACE`.
   */
  static acquire(directory: string): StoreLock {
    const realPath = fs.realpathSync(directory);
    if (owned.has(realPath)) throw refusal(directory, `this process (pid ${process.pid})`);
    const path = join(realPath, LOCK_FILE);
    let database: SqliteDatabase | undefined;
    try {
      if (!fs.existsSync(path)) fs.closeSync(fs.openSync(path, "a", 0o600));
      database = openSqlite(path);
      database.prepare("BEGIN EXCLUSIVE").run();
      fs.writeFileSync(join(realPath, LOCK_PID_FILE), `${process.pid}\n`, { mode: 0o600 });
    } catch (error) {
      database?.close();
      if (isSqliteBusy(error)) throw refusal(directory, ownerOf(realPath));
      const failure = sqliteError(`Cannot lock store ${directory}`, error);
      if (failure.code !== "CORRUPT") throw failure;
      throw new StoreError("CORRUPT", `Cannot lock store: ${path} is damaged; remove it`, {
        cause: error,
      });
    }
    const lock = new StoreLock(realPath, database);
    owned.set(realPath, lock);
    return lock;
  }

  /** Gives the lock back. */
  release(): void {
    try {
      fs.rmSync(join(this.#directory, LOCK_PID_FILE), { force: true });
    } catch {
      // It is there for those who are refused, and nobody will be.
    }
    try {
      // Bun keeps the lock of a connection that is closed within a transaction.
      this.#database.prepare("ROLLBACK").run();
      this.#database.close();
    } finally {
      owned.delete(this.#directory);
    }
  }
}

function ownerOf(directory: string): string {
  try {
    const pid = fs.readFileSync(join(directory, LOCK_PID_FILE), "utf8").trim();
    if (/^\d+$/.test(pid)) return `process ${pid}`;
  } catch {
    // The owner may be between taking the lock and writing its id.
  }
  return "another process";
}

function refusal(directory: string, owner: string): StoreError {
  return new StoreError("LOCKED", `Cannot open store ${directory}: ${owner} has it open`);
}
