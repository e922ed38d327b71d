/** The B-tree side: one table in an ordinary SQLite database, in WAL mode.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import { StoreError } from "../codec/error.ts";
import type {
  Engine,
  EngineOptions,
  EngineStats,
  EngineView,
  Entry,
  KeyRange,
  Write,
} from "./engine.ts";
import { type Moment, SharedViews } from "./shared_view.ts";
import {
  openSqlite,
  type SqliteDatabase,
  sqliteError,
  type SqliteStatement,
} from "./sqlite_driver.ts";
import { nextTurn } from "./turn.ts";

/** The database file inside the engine's directory. */
export const SQLITE_FILE = "data.sqlite";

/** A slice of an apply ends after this long, so that the event loop gets its turn. */
const SLICE_MS_MAX = 5;
/** Looking at the clock costs as much as a tenth of a row. */
const ROWS_PER_CLOCK_READ = 32;
/** Connections that are kept for the next view. */
const IDLE_VIEW_CONNECTIONS_MAX = 2;

const SCHEMA = [
  "CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
  "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
];

/** A connection and its prepared statements. */
class Connection implements Moment {
  readonly database: SqliteDatabase;
  readonly #statements = new Map<string, SqliteStatement>();
  readonly #onEnd: ((connection: Connection) => void) | undefined;

  constructor(path: string, onEnd?: (connection: Connection) => void) {
    this.database = openSqlite(path);
    this.#onEnd = onEnd;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    try {
      return this.statement("SELECT value FROM entries WHERE key = ?").value(key) as
        | Uint8Array
        | undefined;
    } catch (error) {
      throw sqliteError("Cannot get key from the B-tree side", error);
    }
  }

  has(key: Uint8Array): boolean {
    try {
      return this.statement("SELECT 1 FROM entries WHERE key = ?").value(key) !== undefined;
    } catch (error) {
      throw sqliteError("Cannot look for key on the B-tree side", error);
    }
  }

  range(range: KeyRange, limit: number): Entry[] {
    const rows = this.#select("key, value", range, limit);
    const entries = new Array<Entry>(rows.length);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      entries[i] = { key: row[0]!, value: row[1]! };
    }
    return entries;
  }

  keys(range: KeyRange, limit: number): Uint8Array[] {
    return this.#select("key", range, limit).map((row) => row[0]!);
  }

  end(): void {
    this.#onEnd?.(this);
  }

  run(sql: string): void {
    this.statement(sql).run();
  }

  statement(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #select(columns: string, range: KeyRange, limit: number): Uint8Array[][] {
    const { start, end, reverse } = range;
    const bound = end === undefined ? "" : "AND key < ?2";
    const order = reverse ? "DESC" : "ASC";
    const statement = this.statement(
      `SELECT ${columns} FROM entries WHERE key >= ?1 ${bound} ORDER BY key ${order} LIMIT ?3`,
    );
    // SQLite reads a negative limit as none.
    const rows = Number.isFinite(limit) ? limit : -1;
    try {
      return statement.rows(start, end ?? null, rows) as Uint8Array[][];
    } catch (error) {
      throw sqliteError("Cannot scan the B-tree side", error);
    }
  }
}

/** An engine over the runtime's own SQLite. {@linkcode openSqliteEngine} opens it. */
class SqliteEngine implements Engine {
  readonly #path: string;
  readonly #connection: Connection;
  readonly #idle: Connection[] = [];
  readonly #views: SharedViews;
  #position: bigint;
  #applying: Promise<void> | undefined;
  #closed = false;

  constructor(path: string, connection: Connection, position: bigint) {
    this.#path = path;
    this.#connection = connection;
    this.#position = position;
    this.#views = new SharedViews(() => this.#beginMoment());
  }

  get position(): bigint {
    return this.#position;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#requireOpen();
    return this.#connection.get(key);
  }

  has(key: Uint8Array): boolean {
    this.#requireOpen();
    return this.#connection.has(key);
  }

  range(range: KeyRange, limit: number): Entry[] {
    this.#requireOpen();
    return this.#connection.range(range, limit);
  }

  keys(range: KeyRange, limit: number): Uint8Array[] {
    this.#requireOpen();
    return this.#connection.keys(range, limit);
  }

  async apply(writes: Iterable<Write>, position: bigint): Promise<void> {
    this.#requireOpen();
    this.#views.engineChanges();
    this.#applying = this.#apply(writes, position);
    try {
      await this.#applying;
    } catch (error) {
      throw sqliteError("Cannot write to the B-tree side", error);
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
    const keys = this.#connection.statement("SELECT count(*) FROM entries").value() as number;
    let bytes = 0;
    for (const suffix of ["", "-wal"]) {
      bytes += fs.statSync(this.#path + suffix, { throwIfNoEntry: false })?.size ?? 0;
    }
    return { keys, bytes };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#applying?.catch(() => {});
    this.#views.endAll();
    for (const idle of this.#idle.splice(0)) idle.database.close();
    // The last connection to close empties the log into the database and removes it.
    this.#connection.database.close();
  }

  async #apply(writes: Iterable<Write>, position: bigint): Promise<void> {
    const iterator = writes[Symbol.iterator]();
    let step = iterator.next();
    while (!step.done) {
      step = this.#transact(() => this.#applySlice(iterator, step));
      if (!step.done) await nextTurn();
    }
    // One sync of the log makes this transaction and all before it durable.
    this.#connection.run("PRAGMA synchronous = FULL");
    try {
      this.#transact(() => writeMeta(this.#connection, "position", String(position)));
    } finally {
      this.#connection.run("PRAGMA synchronous = NORMAL");
    }
    this.#position = position;
  }

  #applySlice(iterator: Iterator<Write>, first: IteratorResult<Write>): IteratorResult<Write> {
    const put = this.#connection.statement(
      "INSERT INTO entries VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
    const remove = this.#connection.statement("DELETE FROM entries WHERE key = ?");
    const deadline = performance.now() + SLICE_MS_MAX;
    let step = first;
    for (let rows = 1; !step.done; rows++) {
      const { key, value } = step.value;
      if (value === undefined) remove.run(key);
      else put.run(key, value);
      step = iterator.next();
      if (rows % ROWS_PER_CLOCK_READ === 0 && performance.now() > deadline) break;
    }
    return step;
  }

  #transact<T>(body: () => T): T {
    this.#connection.run("BEGIN IMMEDIATE");
    try {
      const result = body();
      this.#connection.run("COMMIT");
      return result;
    } catch (error) {
      try {
        this.#connection.run("ROLLBACK");
      } catch {
        // Some errors, a full disk among them, have rolled back already.
      }
      throw error;
    }
  }

  /** Pins the database as it is on a connection of its own. */
  #beginMoment(): Moment {
    const connection = this.#idle.pop() ??
      new Connection(this.#path, (ended) => this.#endMoment(ended));
    connection.run("BEGIN");
    // BEGIN alone takes no snapshot; the first read does.
    connection.statement("SELECT value FROM meta WHERE name = ?").value("position");
    return connection;
  }

  #endMoment(connection: Connection): void {
    connection.run("ROLLBACK");
    if (this.#closed || this.#idle.length >= IDLE_VIEW_CONNECTIONS_MAX) connection.database.close();
    else this.#idle.push(connection);
  }

  #requireOpen(): void {
    if (this.#closed) {
      throw new StoreError("CLOSED", "Cannot use engine: the B-tree side is closed");
    }
  }
}

function readMeta(connection: Connection, name: string): string | undefined {
  return connection.statement("SELECT value FROM meta WHERE name = ?").value(name) as
    | string
    | undefined;
}

function writeMeta(connection: Connection, name: string, value: string): void {
  connection.statement(
    "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
  ).run(name, value);
}

/** Opens the B-tree side in a directory of its own.
 *
 * @param directory Where its file is, or is to be created.
 * @param options The store's identity, and whether to create.
 * @throws {StoreError} `CORRUPT`: the file is missing, is no database, or belongs to another store.
 */
// deno-lint-ignore require-await
export async function openSqliteEngine(directory: string, options: EngineOptions): Promise<Engine> {
  const path = join(directory, SQLITE_FILE);
  if (options.create) {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    // An empty file is an empty database, and SQLite gives its log the same mode.
    fs.closeSync(fs.openSync(path, "wx", 0o600));
  } else if (!fs.existsSync(path)) {
    throw new StoreError("CORRUPT", `Cannot open ${path}: the file is missing; restore a backup`);
  }
  let connection: Connection | undefined;
  try {
    connection = new Connection(path);
    connection.run("PRAGMA journal_mode = WAL");
    connection.run("PRAGMA synchronous = NORMAL");
    if (options.create) create(connection, options.identity);
    return new SqliteEngine(path, connection, readPosition(connection, path, options.identity));
  } catch (error) {
    connection?.database.close();
    throw sqliteError(`Cannot open ${path}`, error);
  }
}

function create(connection: Connection, identity: string): void {
  connection.run("BEGIN IMMEDIATE");
  for (const sql of SCHEMA) connection.run(sql);
  writeMeta(connection, "identity", identity);
  writeMeta(connection, "position", "0");
  connection.run("COMMIT");
}

function readPosition(connection: Connection, path: string, identity: string): bigint {
  const tables = connection.statement(
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('entries', 'meta')",
  ).value();
  const found = tables === 2 ? readMeta(connection, "identity") : undefined;
  const position = tables === 2 ? readMeta(connection, "position") : undefined;
  if (found !== identity) {
    throw new StoreError(
      "CORRUPT",
      `Cannot open ${path}: ${
        found === undefined ? "it is not part of a store" : "it belongs to another store"
      }; restore a backup`,
    );
  }
  if (position === undefined || !/^\d{1,20}$/.test(position)) {
    throw new StoreError("CORRUPT", `Cannot open ${path}: its journal position is not readable`);
  }
  return BigInt(position);
}
