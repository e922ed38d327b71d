/** The B-tree side of a store that is only read: no file of the store is changed.
 *
 * SQLite reads a database without a log as a file that nobody changes. One with a log is copied first, and the
 * log moved into the copy.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import { fileError } from "../codec/_file_error.ts";
import type { Engine, EngineOptions, EngineStats } from "./engine.ts";
import { FileEngine } from "./file_engine.ts";
import { refusal } from "./_refusal.ts";
import type { Moment } from "./shared_view.ts";
import { Connection } from "./sqlite_connection.ts";
import { sqliteError } from "./sqlite_driver.ts";
import { hasLog, requireWholePages, SQLITE_FILE } from "./sqlite_file.ts";
import { findSqliteFaults, readMeta, type SqliteMeta } from "./sqlite_schema.ts";

class ReadOnlySqliteEngine extends FileEngine {
  readonly #path: string;
  readonly #connection: Connection;
  readonly #keys: number;
  readonly note: string | undefined;

  constructor(path: string, connection: Connection, { position, keys, note }: SqliteMeta) {
    super("B-tree side", connection, position);
    this.#path = path;
    this.#connection = connection;
    this.#keys = keys;
    this.note = note;
  }

  protected override size(): EngineStats {
    return { keys: this.#keys, bytes: fs.statSync(this.#path).size };
  }

  // deno-lint-ignore require-await
  protected override async findDamage(): Promise<string[]> {
    try {
      return findSqliteFaults(this.#path, (sql) => this.#connection.rows(sql));
    } catch (error) {
      return [`${this.#path}: ${error instanceof Error ? error.message : error}`];
    }
  }

  /** Nothing changes, so that the engine itself is the moment. */
  protected override beginMoment(): Moment {
    const connection = this.#connection;
    return {
      get: (key) => connection.get(key),
      has: (key) => connection.has(key),
      range: (range, rows, bytes) => connection.range(range, rows, bytes),
      keys: (range, rows, bytes) => connection.keys(range, rows, bytes),
      end() {},
    };
  }

  // deno-lint-ignore require-await
  protected override async write(): Promise<never> {
    throw new TypeError(`Cannot write to ${this.#path}: it was opened to be read`);
  }

  // deno-lint-ignore require-await
  protected override async closeFiles(): Promise<void> {
    this.#connection.close();
  }
}

/** Opens the B-tree side to be read, without changing a file in its directory. Nothing may write it meanwhile.
 *
 * @param options.scratch Has room for a copy, where the database has a log.
 * @throws {StoreError} `CORRUPT`, as `openSqliteEngine` does; `NO_SPACE`, `IO`.
 */
export function openSqliteReadOnly(
  directory: string,
  options: EngineOptions & { readonly scratch: string },
): Engine {
  const path = join(directory, SQLITE_FILE);
  if (!fs.existsSync(path)) throw refusal(path, "the file is missing");
  let connection: Connection | undefined;
  try {
    requireWholePages(path);
    const read = hasLog(path) ? copyDatabase(path, options) : path;
    connection = new Connection(read, "immutable");
    return new ReadOnlySqliteEngine(read, connection, readMeta(connection, path, options));
  } catch (error) {
    connection?.close();
    throw sqliteError(`Cannot open ${path}`, error);
  }
}

/** Copies a database with its log, and returns the path of the copy, which has none. */
function copyDatabase(path: string, options: EngineOptions & { readonly scratch: string }): string {
  const { scratch } = options;
  const copy = join(scratch, SQLITE_FILE);
  try {
    fs.mkdirSync(scratch, { recursive: true, mode: 0o700 });
    for (const suffix of ["", "-wal"]) {
      fs.copyFileSync(path + suffix, copy + suffix, fs.constants.COPYFILE_FICLONE);
      // The original may be one that must not be written.
      fs.chmodSync(copy + suffix, 0o600);
    }
  } catch (error) {
    throw fileError(`Cannot copy ${path}`, error);
  }
  // The last connection moves the log when it is closed.
  const connection = new Connection(copy, "write");
  try {
    // One that is not ours, or is damaged, is refused in the same words as without a log.
    readMeta(connection, path, options);
    connection.pin();
    connection.emptyLog();
  } finally {
    connection.close();
  }
  return copy;
}
