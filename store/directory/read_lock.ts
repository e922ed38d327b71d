/** Keeping a store closed while its files are copied, without writing anything in its directory.
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
import { StoreError } from "../../codec/error.ts";
import { isFileLocked } from "../../runtime/file_lock.ts";
import { LOCK_FILE, otherOwner, realPathOf } from "./lock.ts";
import { NOTE_FILE } from "./owner_note.ts";

/** A hold on a store that is not open.
 *
 * Where the store has a lock file, it is locked for reading, so that no process can open the store
 * meanwhile. A backup that was never opened has none, and none may be created. So the files are
 * compared afterwards: opening a store creates one and changes others.
 */
export class ReadLock {
  /** The real path of the directory. */
  readonly directory: string;
  readonly #database: SqliteDatabase | undefined;
  readonly #before: string;

  private constructor(directory: string, database: SqliteDatabase | undefined) {
    this.directory = directory;
    this.#database = database;
    this.#before = stateOf(directory);
  }

  /** Whether there is a lock file, so that no process can open the store. */
  get isHeld(): boolean {
    return this.#database !== undefined;
  }

  /** Takes hold of a store.
   *
   * @throws {StoreError} `LOCKED`: a process has it open; `IO`.
   */
  static acquire(what: string, directory: string): ReadLock {
    const realPath = realPathOf(`${what} ${directory}`, directory);
    const path = join(realPath, LOCK_FILE);
    // The owner may have lost its lock on the lock file, and still holds its note.
    if (isFileLocked(join(realPath, NOTE_FILE))) {
      throw new StoreError("LOCKED", `${what} ${directory}: ${otherOwner(realPath)}`);
    }
    if (!fs.existsSync(path)) return new ReadLock(realPath, undefined);
    let database: SqliteDatabase | undefined;
    try {
      database = openSqlite(path, "read");
      database.prepare("BEGIN").run();
      // The transaction begins with the first read.
      database.prepare("SELECT count(*) FROM sqlite_schema").value();
      return new ReadLock(realPath, database);
    } catch (error) {
      database?.close();
      if (!isSqliteBusy(error)) {
        const failure = sqliteError(`${what}: ${path}`, error);
        // What is not a database cannot be locked.
        if (failure.code === "CORRUPT") return new ReadLock(realPath, undefined);
        throw failure;
      }
      throw new StoreError("LOCKED", `${what} ${directory}: ${otherOwner(realPath)}`);
    }
  }

  /** Makes sure that the store was not opened since.
   *
   * @throws {StoreError} `LOCKED`.
   */
  requireUnchanged(what: string): void {
    if (stateOf(this.directory) === this.#before) return;
    throw new StoreError(
      "LOCKED",
      `${what}: ${this.directory} was opened meanwhile; try again when it is closed`,
    );
  }

  /** Releases the store. */
  release(): void {
    if (this.#database === undefined) return;
    // Bun keeps the lock of a connection that is closed within a transaction.
    this.#database.prepare("ROLLBACK").run();
    this.#database.close();
  }
}

/** Returns what changes about the files of a directory when they are written. */
function stateOf(directory: string): string {
  const names = fs.readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
  return names.map((name) => {
    const found = fs.statSync(join(directory, name), { bigint: true, throwIfNoEntry: false });
    return [name, found?.ino, found?.size, found?.mtimeNs].join(" ");
  }).join("\n");
}
