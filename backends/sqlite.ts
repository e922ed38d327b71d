/** The B-tree side: one table in an ordinary SQLite database, in WAL mode.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import { StoreError } from "../codec/error.ts";
import { now } from "../runtime/timers.ts";
import { nextTurn } from "../runtime/turn.ts";
import type { Engine, EngineOptions, EngineStats, Write } from "./engine.ts";
import { FileEngine } from "./file_engine.ts";
import { createFile } from "./files.ts";
import type { Moment } from "./shared_view.ts";
import { Connection } from "./sqlite_connection.ts";
import { sqliteError } from "./sqlite_driver.ts";

/** The database file inside the engine's directory. */
export const SQLITE_FILE = "data.sqlite";

/** A slice of an apply takes writes for this long; its commit takes another 2 ms or so. */
const SLICE_MS_MAX = 3;
/** Looking at the clock costs as much as a tenth of a row. */
const ROWS_PER_CLOCK_READ = 32;
const BYTES_PER_CLOCK_READ = 64 * 1024;
/** Pages of the log that are worth moving into the database; 400 take about 6 ms. */
const CHECKPOINT_PAGES = 400;
/** Where a view has made the log grow beyond this, its file is cut once it is used anew. */
const LOG_BYTES = 16 * 2 ** 20;
/** Connections that are kept for the next view. */
const IDLE_VIEW_CONNECTIONS_MAX = 2;

/** What a database of this package is created with; SQLite keeps the words. */
export const SCHEMA: readonly string[] = [
  "CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
  "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
];
// REPLACE would delete and insert where this overwrites. A value that is empty arrives as NULL in some
// versions of Node.
const PUT =
  "INSERT INTO entries VALUES (?, ifnull(?, x'')) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const DELETE = "DELETE FROM entries WHERE key = ?";
const PUT_META =
  "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/** An engine over the runtime's own SQLite. {@linkcode openSqliteEngine} opens it. */
class SqliteEngine extends FileEngine {
  readonly #path: string;
  readonly #connection: Connection;
  readonly #idle: Connection[] = [];

  constructor(path: string, connection: Connection, position: bigint) {
    super("B-tree side", connection, position);
    this.#path = path;
    this.#connection = connection;
  }

  protected override size(): EngineStats {
    let bytes = 0;
    for (const suffix of ["", "-wal"]) {
      bytes += fs.statSync(this.#path + suffix, { throwIfNoEntry: false })?.size ?? 0;
    }
    return { keys: this.#connection.count(), bytes };
  }

  /** SQLite checks all of the database in one call, and the event loop waits for it. */
  // deno-lint-ignore require-await
  protected override async findDamage(): Promise<string[]> {
    try {
      const rows = this.#connection.rows("PRAGMA integrity_check");
      const found = rows.map(([message]) => String(message));
      return found.length === 1 && found[0] === "ok"
        ? []
        : found.map((message) => `${this.#path}: ${message}`);
    } catch (error) {
      return [`${this.#path}: ${error instanceof Error ? error.message : error}`];
    }
  }

  // deno-lint-ignore require-await
  protected override async closeFiles(): Promise<void> {
    try {
      for (const idle of this.#idle.splice(0)) idle.close();
      this.#connection.close();
    } catch (error) {
      throw sqliteError(`Cannot close ${this.#path}`, error, this.#path);
    }
  }

  protected override mayRetry(error: unknown): boolean {
    return error instanceof StoreError && error.code === "NO_SPACE";
  }

  protected override async write(writes: readonly Write[], position: bigint): Promise<void> {
    const connection = this.#connection;
    for (let next = 0; next < writes.length;) {
      next = connection.transact(() => this.#applySlice(writes, next));
      await nextTurn();
      await this.#checkpoint();
    }
    connection.endReading();
    // One sync of the log makes this transaction and all before it durable.
    connection.pragma("synchronous = FULL");
    try {
      connection.transact(() => connection.write(PUT_META, "position", String(position)));
    } finally {
      connection.pragma("synchronous = NORMAL");
    }
  }

  /** Applies writes from an index on until the time of a slice is over; returns the next index. */
  #applySlice(writes: readonly Write[], first: number): number {
    const deadline = now() + SLICE_MS_MAX;
    let next = first;
    let rows = 0;
    let bytes = 0;
    while (next < writes.length) {
      const { key, value } = writes[next++]!;
      if (value === undefined) this.#connection.write(DELETE, key);
      else this.#connection.write(PUT, key, value);
      bytes += value?.length ?? 0;
      if (++rows < ROWS_PER_CLOCK_READ && bytes < BYTES_PER_CLOCK_READ) continue;
      if (now() > deadline) break;
      rows = bytes = 0;
    }
    return next;
  }

  /** Moves the log into the database where it has grown. SQLite would do it within a commit, and
   * both together would hold the event loop for too long.
   */
  async #checkpoint(): Promise<void> {
    if (this.#connection.logPages() < CHECKPOINT_PAGES) return;
    this.#connection.checkpoint();
    await nextTurn();
  }

  /** Pins the database as it is on a connection of its own. */
  protected override beginMoment(): Moment {
    let connection: Connection | undefined;
    try {
      connection = this.#idle.pop() ??
        new Connection(this.#path, (ended) => this.#endMoment(ended));
      connection.pin();
      return connection;
    } catch (error) {
      connection?.close();
      throw sqliteError("Cannot take view of the B-tree side", error, this.#path);
    }
  }

  #endMoment(connection: Connection): void {
    const isKept = !this.isClosing && this.#idle.length < IDLE_VIEW_CONNECTIONS_MAX;
    if (isKept) this.#idle.push(connection);
    else connection.close();
    this.#checkpointBehindViews();
  }

  /** Moves what a view kept in the log, when it was the last one. Left to the applies, a store that
   * has a view at each of them would never get to use its log anew.
   */
  #checkpointBehindViews(): void {
    if (this.views.moments > 0 || this.isApplying || this.isClosing) return;
    try {
      if (this.#connection.logPages() >= CHECKPOINT_PAGES) this.#connection.checkpoint();
    } catch {
      // A full disk, say. Letting go of a view cannot fail; the next apply tries again.
    }
  }
}

/** Opens the B-tree side in a directory of its own.
 *
 * @param directory Where its file is, or is to be created.
 * @param options The store's identity, and whether to create.
 * @throws {StoreError} `CORRUPT`: the file is missing, cut, no database, or of another store;
 * `NOT_EMPTY`: it is to be created and is there; `NO_SPACE`, `IO`.
 */
// deno-lint-ignore require-await
export async function openSqliteEngine(directory: string, options: EngineOptions): Promise<Engine> {
  const path = join(directory, SQLITE_FILE);
  if (options.create) {
    createFile(path);
  } else if (!fs.existsSync(path)) {
    throw new StoreError("CORRUPT", `Cannot open ${path}: the file is missing; restore a backup`);
  }
  let connection: Connection | undefined;
  try {
    requireWholePages(path);
    connection = new Connection(path);
    // Before anything is set: a database that is not ours stays as it is.
    const position = options.create ? 0n : readPosition(connection, path, options.identity);
    setUp(connection);
    if (options.create) create(connection, options.identity);
    return new SqliteEngine(path, connection, position);
  } catch (error) {
    connection?.close();
    throw sqliteError(`Cannot open ${path}`, error, path);
  }
}

/** Refuses a database that ends within a page. SQLite notices when pages are missing, but reads what is
 * missing of a page as zeros. Where there is a log, a power loss may have left it so, and the log has
 * the page.
 */
function requireWholePages(path: string): void {
  const header = new Uint8Array(18);
  const descriptor = fs.openSync(path, "r");
  try {
    fs.readSync(descriptor, header, 0, header.length, 0);
    const { size } = fs.fstatSync(descriptor);
    const log = fs.statSync(`${path}-wal`, { throwIfNoEntry: false });
    // Big-endian at 16; 65536 is written as 1, and then nothing is refused.
    const pageBytes = (header[16]! << 8 | header[17]!) || 1;
    if (size % pageBytes === 0 || (log !== undefined && log.size > 0)) return;
    throw new StoreError(
      "CORRUPT",
      `Cannot open ${path}: it was cut within page ${
        Math.ceil(size / pageBytes)
      }; restore a backup`,
    );
  } finally {
    fs.closeSync(descriptor);
  }
}

function setUp(connection: Connection): void {
  connection.pragma("journal_mode = WAL");
  connection.pragma("synchronous = NORMAL");
  // On macOS a sync as such leaves the bytes in the cache of the drive.
  connection.pragma("fullfsync = ON");
  connection.pragma("checkpoint_fullfsync = ON");
  connection.pragma("wal_autocheckpoint = 0");
  connection.pragma(`journal_size_limit = ${LOG_BYTES}`);
}

function create(connection: Connection, identity: string): void {
  connection.transact(() => {
    for (const sql of SCHEMA) connection.write(sql);
    connection.write(PUT_META, "identity", identity);
    connection.write(PUT_META, "position", "0");
  });
}

function readPosition(connection: Connection, path: string, identity: string): bigint {
  const refusal = (reason: string) => new StoreError("CORRUPT", `Cannot open ${path}: ${reason}`);
  const tables = connection.rows(
    "SELECT sql FROM sqlite_schema WHERE name IN ('entries', 'meta') ORDER BY name",
  );
  // SQLite keeps the words of a CREATE.
  const isOurs = tables.map(([sql]) => sql).join() === SCHEMA.join();
  const found = isOurs ? connection.meta("identity") : undefined;
  if (found === undefined) throw refusal("it is not part of a store; restore a backup");
  if (found !== identity) throw refusal("it belongs to another store; restore a backup");
  const position = connection.meta("position");
  if (position === undefined || !/^\d{1,20}$/.test(position)) {
    throw refusal("its journal position is not readable; restore a backup");
  }
  return BigInt(position);
}
