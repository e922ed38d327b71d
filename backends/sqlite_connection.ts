/** A connection to the B-tree side's database.
 *
 * @module
 */

import type { Entry, KeyRange } from "./engine.ts";
import type { Moment } from "./shared_view.ts";
import {
  openSqlite,
  openSqliteImmutable,
  type SqliteDatabase,
  sqliteError,
  type SqliteStatement,
  type SqliteValue,
} from "./sqlite_driver.ts";

const GET = "SELECT value FROM entries WHERE key = ?";
const HAS = "SELECT 1 FROM entries WHERE key = ?";
/** Selects a range: columns, whether it has an end, whether it is read backwards.
 *
 * SQLite plans anew whenever a limit that is a mere parameter is bound, which takes as long as reading
 * twenty rows. It does not look into a sum. A start that is empty arrives as NULL in some versions of
 * Node, and nothing is greater than NULL.
 */
const SELECT = (columns: string, hasEnd: boolean, reverse: boolean) =>
  `SELECT ${columns} FROM entries WHERE key >= ifnull(?, x'') ${hasEnd ? "AND key < ?" : ""} ` +
  `ORDER BY key ${reverse ? "DESC" : "ASC"} LIMIT ? + 0`;
/** The same by its two properties, which are 0 or 1: no text is put together for a scan. */
const selects = (columns: string) =>
  [false, true].map((hasEnd) => [false, true].map((reverse) => SELECT(columns, hasEnd, reverse)));
/** A value that is too long for its share of the memory is left out, and read by itself. Its length is
 * found without reading it, at no cost that shows.
 */
const SELECT_ENTRIES = selects("key, CASE WHEN length(value) <= ? THEN value END AS value");
const SELECT_KEYS = selects("key");
/** SQLite holds no longer one. */
const VALUE_BYTES_MAX = 2 ** 31;
/** Rows of which each may take so much are read one by one. Per row that takes three times as long as all
 * at once, which does not show beside such values; and looking for each again would. */
const ROW_BY_ROW_BYTES = 64 * 1024;
const GET_META = "SELECT value FROM meta WHERE name = ?";

/** One connection, its prepared statements, and its read transaction.
 *
 * Without a transaction every read would begin and end one, which takes as long as the read itself.
 * So the first read begins one, and it lasts until something is written.
 */
export class Connection implements Moment {
  readonly #path: string;
  readonly #database: SqliteDatabase;
  readonly #statements = new Map<string, SqliteStatement>();
  readonly #onEnd: ((connection: Connection) => void) | undefined;
  #isReading = false;

  /** @param access A connection that only reads never moves the log, not even when it is closed as the
   * last one. `"immutable"`: there is no log, and nothing writes the file meanwhile.
   * @param onEnd Called when the connection is done with being a moment.
   */
  constructor(
    path: string,
    access: "read" | "write" | "immutable",
    onEnd?: (connection: Connection) => void,
  ) {
    this.#path = path;
    this.#database = access === "immutable" ? openSqliteImmutable(path) : openSqlite(path, access);
    this.#onEnd = onEnd;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    try {
      this.#beginReading();
      return this.#statement(GET).value(key) as Uint8Array | undefined;
    } catch (error) {
      throw sqliteError("Cannot get key from the B-tree side", error);
    }
  }

  has(key: Uint8Array): boolean {
    try {
      this.#beginReading();
      return this.#statement(HAS).value(key) !== undefined;
    } catch (error) {
      throw sqliteError("Cannot look for key on the B-tree side", error);
    }
  }

  range(range: KeyRange, rows: number, bytes = Infinity): Entry[] {
    // What each row may take, for all of them together to stay within the bytes.
    const share = bytes === Infinity ? VALUE_BYTES_MAX : Math.floor(bytes / Math.max(rows, 1));
    const isRowByRow = bytes !== Infinity && share >= ROW_BY_ROW_BYTES;
    return this.#select(SELECT_ENTRIES, range, (statement, bounds) => {
      const found = isRowByRow
        ? statement.iterate(VALUE_BYTES_MAX, ...bounds, limitOf(rows))
        : statement.entries(share, ...bounds, limitOf(rows));
      const entries: Entry[] = [];
      let left = bytes;
      for (const { key, value } of found) {
        const entry = { key, value: value ?? this.get(key)! };
        entries.push(entry);
        left -= key.length + entry.value.length;
        if (left <= 0) break;
      }
      return entries;
    });
  }

  keys(range: KeyRange, rows: number, bytes = Infinity): Uint8Array[] {
    return this.#select(SELECT_KEYS, range, (statement, bounds) => {
      const keys: Uint8Array[] = [];
      let left = bytes;
      for (const [key] of statement.rows(...bounds, limitOf(rows)) as [Uint8Array][]) {
        keys.push(key);
        left -= key.length;
        if (left <= 0) break;
      }
      return keys;
    });
  }

  /** Returns a value of the table `meta`. */
  meta(name: string): string | undefined {
    return this.#statement(GET_META).value(name) as string | undefined;
  }

  /** Holds on to the database as it is now. */
  pin(): void {
    this.#beginReading();
    // BEGIN alone takes no snapshot; the first read does.
    this.meta("position");
  }

  /** Lets the next read see what was written meanwhile, and a checkpoint move all of the log. */
  endReading(): void {
    if (!this.#isReading) return;
    this.#isReading = false;
    this.#rollBack();
  }

  end(): void {
    this.endReading();
    this.#onEnd?.(this);
  }

  /** Runs `body` in a transaction. What `body` throws is thrown on, with nothing written. */
  transact<T>(body: () => T): T {
    this.endReading();
    this.write("BEGIN IMMEDIATE");
    try {
      const result = body();
      this.write("COMMIT");
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /** Runs a statement that changes the database, and returns how many rows.
   *
   * @throws {StoreError} `NO_SPACE`, `CORRUPT`, `IO`.
   */
  write(sql: string, ...parameters: SqliteValue[]): number {
    try {
      return this.#statement(sql).run(...parameters);
    } catch (error) {
      throw sqliteError("Cannot write to the B-tree side", error, this.#path);
    }
  }

  /** Runs `body` with SQLite syncing nothing: the caller does, without holding the event loop. `body` is
   * synchronous, so that the connection never rests in this state: where it is closed unforeseen, at the
   * end of the process, SQLite syncs as it should.
   */
  withoutSyncs<T>(body: () => T): T {
    // Within a transaction the setting cannot be changed.
    this.endReading();
    this.pragma("synchronous = OFF");
    try {
      return body();
    } finally {
      this.endReading();
      this.pragma("synchronous = NORMAL");
    }
  }

  /** Moves the log into the database, as far as no view reads from it.
   *
   * @returns Whether all of the log is in the database now.
   */
  moveLog(): boolean {
    const [isBusy, logged, moved] = this.#checkpoint("PASSIVE");
    return isBusy === 0 && logged === moved;
  }

  /** Cuts the log, all of which is in the database, unless a view is reading from it.
   *
   * @returns Whether the log is empty now.
   */
  emptyLog(): boolean {
    return this.#checkpoint("TRUNCATE")[0] === 0;
  }

  /** Returns all rows of a statement, which begins no transaction. */
  rows(sql: string): SqliteValue[][] {
    return this.#statement(sql).rows();
  }

  /** Sets up the connection. A PRAGMA may take effect when it is prepared, so none is kept. */
  pragma(sql: string): void {
    this.#database.exec(`PRAGMA ${sql}`);
  }

  /** Closes the connection. The last one to close empties the log into the database. */
  close(): void {
    // Closed within a transaction, a connection would keep its lock in Bun.
    this.endReading();
    this.#database.close();
  }

  #checkpoint(mode: string): number[] {
    // Even to look at the log, this connection must not be reading.
    this.endReading();
    try {
      return this.rows(`PRAGMA wal_checkpoint(${mode})`)[0] as number[];
    } catch (error) {
      throw sqliteError("Cannot write to the B-tree side", error, this.#path);
    }
  }

  #statement(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #beginReading(): void {
    if (this.#isReading) return;
    this.#statement("BEGIN").run();
    this.#isReading = true;
  }

  #rollBack(): void {
    try {
      this.#statement("ROLLBACK").run();
    } catch {
      // Some errors, a full disk among them, have ended the transaction already.
    }
  }

  #select<Row>(
    sql: string[][],
    { start, end, reverse }: KeyRange,
    read: (statement: SqliteStatement, bounds: Uint8Array[]) => Row[],
  ): Row[] {
    try {
      this.#beginReading();
      const statement = this.#statement(sql[Number(end !== undefined)]![Number(reverse)]!);
      return read(statement, end === undefined ? [start] : [start, end]);
    } catch (error) {
      throw sqliteError("Cannot scan the B-tree side", error);
    }
  }
}

/** SQLite reads a negative limit as none. */
function limitOf(rows: number): number {
  return Number.isFinite(rows) ? rows : -1;
}
