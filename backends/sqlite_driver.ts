/** The runtime's own SQLite behind one small interface: `bun:sqlite` in Bun, `node:sqlite` in Deno
 * and Node. This is the only file that knows which it is.
 *
 * @module
 */

import { pathToFileURL } from "node:url";
import { REPAIR } from "../codec/_advice.ts";
import { StoreError } from "../codec/error.ts";
import { isFileSystemFull } from "./files.ts";

/** A prepared statement. Rows are arrays of columns; integers have to stay below 2^53.
 *
 * Two things do not hold in every version of Node, so no statement may depend on them: parameters have
 * to be numbered without gaps, and an empty `Uint8Array` may arrive as NULL.
 */
export interface SqliteStatement {
  /** Runs the statement for its effect, and returns how many rows that changed. */
  run(...parameters: SqliteValue[]): number;
  /** Returns the first column of the first row, `undefined` where there is no row. */
  value(...parameters: SqliteValue[]): SqliteValue | undefined;
  /** Returns all rows. */
  rows(...parameters: SqliteValue[]): SqliteValue[][];
  /** Returns all rows as objects; the statement selects `key`, a BLOB, and `value`, a BLOB or NULL. */
  entries(...parameters: SqliteValue[]): SqliteEntry[];
  /** Yields what `entries` returns, row by row; leaving the loop ends the statement. */
  iterate(...parameters: SqliteValue[]): Iterable<SqliteEntry>;
  /** Frees the statement. */
  finalize(): void;
}

/** A row with a key and a value, which may have been left out. */
export interface SqliteEntry {
  key: Uint8Array;
  value: Uint8Array | null;
}

/** What a column or a parameter can be here. */
export type SqliteValue = Uint8Array | string | number | null;

/** An open database. */
export interface SqliteDatabase {
  /** Prepares a statement, which lives until it is finalized or the database is closed. */
  prepare(sql: string): SqliteStatement;
  /** Runs a statement once, for its effect. Errors need not carry a result code. */
  exec(sql: string): void;
  /** Finalizes all statements and closes the database. A second call does nothing. */
  close(): void;
}

const OPEN_READONLY = 1;
const OPEN_URI = 64;

interface BunStatement {
  run(...parameters: SqliteValue[]): unknown;
  values(...parameters: SqliteValue[]): SqliteValue[][];
  all(...parameters: SqliteValue[]): unknown[];
  iterate(...parameters: SqliteValue[]): Iterable<unknown>;
  finalize(): void;
}

interface BunDatabase {
  prepare(sql: string): BunStatement;
  exec(sql: string): unknown;
  close(throwOnError?: boolean): void;
}

interface NodeStatement {
  run(...parameters: SqliteValue[]): unknown;
  get(...parameters: SqliteValue[]): unknown;
  all(...parameters: SqliteValue[]): unknown[];
  iterate(...parameters: SqliteValue[]): Iterable<unknown>;
  /** Node has it since 22.16; before that every row is an object. */
  setReturnArrays?(enabled: boolean): void;
}

interface NodeDatabase {
  prepare(sql: string): NodeStatement;
  exec(sql: string): unknown;
  close(): void;
}

type Modules = {
  "bun:sqlite": { Database: new (path: string, options: object | number) => BunDatabase };
  "node:sqlite": { DatabaseSync: new (path: string, options?: object) => NodeDatabase };
};

function builtin<Name extends keyof Modules>(name: Name, path: string): Modules[Name] {
  // Looked up at run time, so that no bundler and no other runtime trips over the name.
  const found = (process.getBuiltinModule as ((name: string) => unknown) | undefined)?.(name);
  if (found !== undefined) return found as Modules[Name];
  const { bun, deno, node } = process.versions as Record<string, string | undefined>;
  const runtime = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`;
  throw new StoreError(
    "UNSUPPORTED",
    `Cannot open ${path}: ${runtime} has no ${name}; use Node 22.13, Bun 1.4, Deno 2.9 or later`,
  );
}

/** Opens a database file, which is created where it is missing unless it is only to be read.
 *
 * @throws {StoreError} `UNSUPPORTED`: the runtime has no SQLite.
 * @throws The native error; {@linkcode sqliteError} converts it.
 */
export function openSqlite(path: string, access: "read" | "write" = "write"): SqliteDatabase {
  const isRead = access === "read";
  if ("bun" in process.versions) {
    const options = isRead ? { readonly: true } : { create: true, readwrite: true };
    return new BunConnection(new (builtin("bun:sqlite", path).Database)(path, options));
  }
  return new NodeConnection(
    new (builtin("node:sqlite", path).DatabaseSync)(path, { readOnly: isRead }),
  );
}

/** Opens a database file without changing anything: it gets no log, and one that it has is not looked at.
 * Nothing may write it meanwhile.
 *
 * @throws The native error; {@linkcode sqliteError} converts it.
 */
export function openSqliteImmutable(path: string): SqliteDatabase {
  const url = `${pathToFileURL(path).href}?immutable=1`;
  return "bun" in process.versions
    ? new BunConnection(new (builtin("bun:sqlite", path).Database)(url, OPEN_READONLY | OPEN_URI))
    : new NodeConnection(new (builtin("node:sqlite", path).DatabaseSync)(url, { readOnly: true }));
}

class BunConnection implements SqliteDatabase {
  readonly #statements = new Set<BunStatement>();
  #database: BunDatabase | undefined;

  constructor(database: BunDatabase) {
    this.#database = database;
  }

  prepare(sql: string): SqliteStatement {
    const statement = requireOpen(this.#database).prepare(sql);
    this.#statements.add(statement);
    return {
      run: (...parameters) => changesOf(statement.run(...parameters)),
      value: (...parameters) => statement.values(...parameters)[0]?.[0],
      rows: (...parameters) => statement.values(...parameters),
      // As fast as `values`, so that nothing has to be made of arrays.
      entries: (...parameters) => statement.all(...parameters) as SqliteEntry[],
      iterate: (...parameters) => statement.iterate(...parameters) as Iterable<SqliteEntry>,
      finalize: () => {
        this.#statements.delete(statement);
        statement.finalize();
      },
    };
  }

  exec(sql: string): void {
    requireOpen(this.#database).exec(sql);
  }

  close(): void {
    // A statement that is left alive keeps the file open and can still be run.
    for (const statement of this.#statements) statement.finalize();
    this.#statements.clear();
    const database = this.#database;
    this.#database = undefined;
    database?.close(true);
  }
}

class NodeConnection implements SqliteDatabase {
  #database: NodeDatabase | undefined;

  constructor(database: NodeDatabase) {
    this.#database = database;
  }

  prepare(sql: string): SqliteStatement {
    const statement = requireOpen(this.#database).prepare(sql);
    const hasArrays = statement.setReturnArrays !== undefined;
    statement.setReturnArrays?.(true);
    // An object has its columns in the statement's order.
    const columns = (row: unknown) =>
      hasArrays ? row as SqliteValue[] : Object.values(row as Record<string, SqliteValue>);
    return {
      run: (...parameters) => changesOf(statement.run(...parameters)),
      value: (...parameters) => {
        const row = statement.get(...parameters);
        return row === undefined ? undefined : columns(row)[0];
      },
      rows: (...parameters) => {
        const rows = statement.all(...parameters);
        return hasArrays ? rows as SqliteValue[][] : rows.map(columns);
      },
      entries: (...parameters) => {
        const rows = statement.all(...parameters);
        return hasArrays
          ? (rows as [Uint8Array, Uint8Array | null][]).map(([key, value]) => ({ key, value }))
          : (rows as SqliteEntry[]).map(({ key, value }) => ({ key, value }));
      },
      *iterate(...parameters) {
        for (const row of statement.iterate(...parameters)) {
          const [key, value] = columns(row);
          yield { key, value } as SqliteEntry;
        }
      },
      // The database closes its statements; until then they only take memory.
      finalize: () => {},
    };
  }

  exec(sql: string): void {
    requireOpen(this.#database).exec(sql);
  }

  close(): void {
    const database = this.#database;
    this.#database = undefined;
    database?.close();
  }
}

function changesOf(outcome: unknown): number {
  return Number((outcome as { changes: number | bigint }).changes);
}

function requireOpen<T>(database: T | undefined): T {
  if (database === undefined) throw new Error("the database is closed");
  return database;
}

const BUSY = 5;
const CORRUPT = 11;
const FULL = 13;
const NOT_A_DATABASE = 26;

/** Returns SQLite's extended result code of an error, from whichever field the runtime keeps it in. */
function extendedCode(error: unknown): number | undefined {
  const { errno, errcode } = error as { errno?: unknown; errcode?: unknown };
  const extended = typeof errno === "number" ? errno : errcode;
  return typeof extended === "number" ? extended : undefined;
}

/** Returns SQLite's primary result code of an error. */
function resultCode(error: unknown): number | undefined {
  const extended = extendedCode(error);
  // The low byte: SQLITE_IOERR_WRITE is 10 | 3 << 8.
  return extended === undefined ? undefined : extended & 0xff;
}

/** Returns whether an error says that another connection holds a lock. */
export function isSqliteBusy(error: unknown): boolean {
  return resultCode(error) === BUSY || /database is locked/i.test(String(error));
}

const LOCKED = 6;
const NO_MEMORY = 7;
const CANNOT_OPEN = 14;
/** What fails of the memory that connections share, and of no database: SHMOPEN, SHMSIZE, SHMLOCK, SHMMAP. */
const SHARED_MEMORY: ReadonlySet<unknown> = new Set([18, 19, 20, 21].map((n) => 10 | n << 8));

/** Returns whether an error of SQLite says that it has written nothing, for want of something that may be
 * there later: a lock, memory, a descriptor.
 */
export function isSqliteTransient(error: unknown): boolean {
  const result = resultCode(error);
  return result === BUSY || result === LOCKED || result === NO_MEMORY || result === CANNOT_OPEN ||
    SHARED_MEMORY.has(extendedCode(error));
}

/** Converts a native error of SQLite into a `StoreError`.
 *
 * @param what What was asked, as the message's beginning.
 * @param error The error that was met, kept as `cause`.
 * @param path The database file, where the error may come of writing it.
 */
export function sqliteError(what: string, error: unknown, path?: string): StoreError {
  if (error instanceof StoreError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const result = resultCode(error);
  // Errors of open and exec carry no code in Deno, only SQLite's own words.
  const isCorrupt = result === CORRUPT || result === NOT_A_DATABASE ||
    /not a database|malformed/i.test(reason);
  // Not every file of a database says what kept it from growing.
  const isFull = () =>
    result === FULL || /disk is full|no space left|quota exceeded/i.test(reason) ||
    (path !== undefined && isFileSystemFull(path));
  const code = isCorrupt ? "CORRUPT" : isFull() ? "NO_SPACE" : "IO";
  const advice = isCorrupt ? `; ${REPAIR}` : "";
  return new StoreError(code, `${what}: ${reason}${advice}`, { cause: error });
}
