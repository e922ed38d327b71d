/** Raw SQLite, as the runtime has it.
 *
 * @module
 */

import { join } from "node:path";
import process from "node:process";
import type { KeySet, Prefix } from "../_data.ts";
import { type Open, type Session, updated } from "./peer.ts";

interface Statement {
  run(...parameters: Value[]): unknown;
  get(...parameters: Value[]): unknown;
  all(...parameters: Value[]): unknown[];
  /** Bun's rows as arrays. */
  values?(...parameters: Value[]): unknown[];
  iterate(...parameters: Value[]): Iterable<unknown>;
  /** Deno's rows as arrays. */
  setReturnArrays?(enabled: boolean): void;
  finalize?(): void;
}

interface Database {
  prepare(sql: string): Statement;
  exec(sql: string): unknown;
  close(): void;
}

type Value = Uint8Array | number;
type Rows = "arrays" | "objects";

const isBun = "bun" in process.versions;
// Looked up at run time: neither runtime has the other's module.
const builtin = process.getBuiltinModule as unknown as (name: string) => {
  Database: new (path: string, options: object) => Database;
  DatabaseSync: new (path: string) => Database;
};

function openDatabase(path: string): Database {
  return isBun
    ? new (builtin("bun:sqlite").Database)(path, { create: true, readwrite: true })
    : new (builtin("node:sqlite").DatabaseSync)(path);
}

/** Returns the version of the runtime's SQLite. */
export function sqliteVersion(): string {
  const database = openDatabase(":memory:");
  const row = database.prepare("SELECT sqlite_version() AS version").get();
  database.close();
  return (row as { version: string }).version;
}

type GetValue = (key: Uint8Array) => Uint8Array | undefined;

/** What reads from snapshots: a connection of its own, since the writer's would see its own writes. */
interface Reader {
  readonly database: Database;
  readonly begin: Statement;
  readonly commit: Statement;
  readonly value: GetValue;
}

class SqliteSession implements Session {
  readonly #path: string;
  readonly #database: Database;
  readonly #statements: Statement[] = [];
  #reader: Reader | undefined;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #put: Statement;
  readonly #delete: Statement;
  readonly #add: Statement;
  readonly #scan: Statement;
  readonly #scanFrom: Statement;
  readonly #scanAll: Statement;
  readonly #rows: (statement: Statement, ...parameters: Value[]) => unknown[];
  readonly #value: GetValue;

  constructor(path: string, synchronous: "FULL" | "NORMAL", rows: Rows) {
    this.#path = path;
    this.#database = openDatabase(path);
    // Page and cache size stay at SQLite's defaults, as in the B-tree side, and nothing is mapped.
    this.#database.exec("PRAGMA journal_mode = WAL");
    this.#database.exec(`PRAGMA synchronous = ${synchronous}`);
    this.#database.exec(
      "CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID",
    );
    this.#begin = this.#prepare("BEGIN IMMEDIATE");
    this.#commit = this.#prepare("COMMIT");
    const upsert = "INSERT INTO kv VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v =";
    this.#put = this.#prepare(`${upsert} excluded.v`);
    // SQL has no arithmetic on blobs; a counter is an integer here, which spares the caller a read.
    this.#add = this.#prepare(`${upsert} v + 1`);
    this.#delete = this.#prepare("DELETE FROM kv WHERE k = ?");
    this.#scan = this.#prepare("SELECT k, v FROM kv WHERE k >= ? AND k < ?");
    this.#scanFrom = this.#prepare("SELECT k, v FROM kv WHERE k >= ? LIMIT ?");
    this.#scanAll = this.#prepare("SELECT k, v FROM kv ORDER BY k");

    const hasArrays = rows === "arrays" && isBun;
    if (rows === "arrays") {
      for (const statement of [this.#scan, this.#scanFrom, this.#scanAll]) {
        statement.setReturnArrays?.(true);
      }
    }
    this.#rows = hasArrays
      ? (statement, ...parameters) => statement.values!(...parameters)
      : (statement, ...parameters) => statement.all(...parameters);
    this.#value = this.#prepareGet(this.#database);
  }

  #prepareGet(database: Database): GetValue {
    const get = this.#prepare("SELECT v FROM kv WHERE k = ?", database);
    // For one value each runtime has its faster way: Deno's arrays gain a fifth, Bun's nothing.
    get.setReturnArrays?.(true);
    return isBun
      ? (key) => (get.get(key) as { v: Uint8Array } | null)?.v
      : (key) => (get.get(key) as [Uint8Array] | undefined)?.[0];
  }

  #prepare(sql: string, database = this.#database): Statement {
    const statement = database.prepare(sql);
    this.#statements.push(statement);
    return statement;
  }

  keysOf = (keys: KeySet) => keys.bytes;
  put = (key: Uint8Array, value: Uint8Array) => void this.#put.run(key, value);
  settle = () => Promise.resolve();
  get = (key: Uint8Array) => this.#value(key);
  getSync = (key: Uint8Array) => this.#value(key);
  add = (key: Uint8Array) => void this.#add.run(key, 1);
  delete = (key: Uint8Array) => void this.#delete.run(key);
  scan = ({ start, end }: Prefix) => this.#rows(this.#scan, start, end).length;
  scanFrom = (key: Uint8Array, limit: number) => this.#rows(this.#scanFrom, key, limit).length;

  putAll(keys: readonly Uint8Array[], values: readonly Uint8Array[]): Promise<void> {
    this.putBatch(keys, values);
    return Promise.resolve();
  }

  putBatch = (keys: readonly Uint8Array[], values: readonly Uint8Array[]) => {
    this.#begin.run();
    for (let i = 0; i < keys.length; i++) this.#put.run(keys[i]!, values[i]!);
    this.#commit.run();
  };

  scanAll = () => {
    let rows = 0;
    for (const _row of this.#scanAll.iterate()) rows++;
    return rows;
  };

  update = (key: Uint8Array) => {
    this.#begin.run();
    this.#put.run(key, updated(this.#value(key)));
    this.#commit.run();
  };

  getInSnapshot = (key: Uint8Array) => {
    const { begin, commit, value } = this.#reader ??= this.#openReader();
    begin.run();
    const found = value(key);
    commit.run();
    return found;
  };

  #openReader(): Reader {
    const database = openDatabase(this.#path);
    return {
      database,
      begin: this.#prepare("BEGIN", database),
      commit: this.#prepare("COMMIT", database),
      value: this.#prepareGet(database),
    };
  }

  close(): Promise<void> {
    // Bun keeps the file open for as long as a statement lives.
    for (const statement of this.#statements) statement.finalize?.();
    this.#reader?.database.close();
    this.#database.close();
    return Promise.resolve();
  }
}

/** How rows come by the runtime's documentation: `values()` in Bun, `all()` in Deno. */
const USUAL_ROWS: Rows = isBun ? "arrays" : "objects";

function sqlite(synchronous: "FULL" | "NORMAL", rows: Rows): Open {
  return (directory) =>
    Promise.resolve(new SqliteSession(join(directory, "data.sqlite"), synchronous, rows));
}

export const sqliteFull = sqlite("FULL", USUAL_ROWS);
export const sqliteNormal = sqlite("NORMAL", USUAL_ROWS);
/** Deno alone: the faster form of `all()`. Bun's usual form is that already. */
export const sqliteArrays: Open | undefined = isBun ? undefined : sqlite("NORMAL", "arrays");
