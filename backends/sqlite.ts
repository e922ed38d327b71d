/** The B-tree side: one table in an ordinary SQLite database, in WAL mode.
 *
 * @module
 */

import { dirname, join } from "@std/path";
import * as fs from "node:fs";
import { StoreError } from "../codec/error.ts";
import { nextTurn } from "../runtime/turn.ts";
import type { Engine, EngineOptions, EngineStats, Writes } from "./engine.ts";
import { FileEngine } from "./file_engine.ts";
import { refusal } from "./_refusal.ts";
import { fileError } from "../codec/_file_error.ts";
import { areDescriptorsScarce, createFile, rewriteDurably, syncNames } from "./files.ts";
import { type Moment, tooManyMoments } from "./shared_view.ts";
import { Connection } from "./sqlite_connection.ts";
import { isSqliteTransient, sqliteError } from "./sqlite_driver.ts";
import { requireWholePages, SQLITE_FILE } from "./sqlite_file.ts";
import { SqliteLog } from "./sqlite_log.ts";
import {
  createTables,
  findSqliteFaults,
  putMeta,
  readMeta,
  type SqliteMeta,
} from "./sqlite_schema.ts";
import { SqliteWriter } from "./sqlite_writer.ts";

/** Connections that are kept for the next view. */
const IDLE_VIEW_CONNECTIONS_MAX = 2;

/** An engine over the runtime's own SQLite. {@linkcode openSqliteEngine} opens it. */
class SqliteEngine extends FileEngine {
  readonly #path: string;
  readonly #guard: ((what: string) => void) | undefined;
  readonly #log: SqliteLog;
  readonly #writer: SqliteWriter;
  readonly #idle: Connection[] = [];
  #connection: Connection;
  #note: string | undefined;
  /** The log being moved behind the last view, which an apply waits for. */
  #moving: Promise<unknown> | undefined;

  constructor(
    path: string,
    connection: Connection,
    { position, keys, note }: SqliteMeta,
    guard: ((what: string) => void) | undefined,
  ) {
    super("B-tree side", connection, position, guard);
    this.#path = path;
    this.#guard = guard;
    this.#log = new SqliteLog(path);
    this.#writer = new SqliteWriter(keys);
    this.#connection = connection;
    this.#note = note;
  }

  get note(): string | undefined {
    return this.#note;
  }

  /** Makes the names of the files durable, that of the new log above all, and moves what a process before
   * this one left in the log into the database: all of it is then known to be on disk. */
  async start(): Promise<void> {
    await this.#ofDisk(syncNames(dirname(this.#path)));
    await this.#settle();
  }

  async #settle(): Promise<void> {
    await this.#ofDisk(this.#log.move(this.#connection));
  }

  protected override size(): EngineStats {
    let bytes = 0;
    for (const suffix of ["", "-wal"]) {
      bytes += fs.statSync(this.#path + suffix, { throwIfNoEntry: false })?.size ?? 0;
    }
    return { keys: this.#writer.keys, bytes };
  }

  /** SQLite checks all of the database in one call, and the event loop waits for it. */
  // deno-lint-ignore require-await
  protected override async findDamage(): Promise<string[]> {
    try {
      return findSqliteFaults(this.#path, (sql) => this.#connection.rows(sql));
    } catch (error) {
      return [`${this.#path}: ${error instanceof Error ? error.message : error}`];
    }
  }

  protected override async closeFiles(): Promise<void> {
    await this.#moving;
    if (this.failure === undefined) {
      // SQLite would move the log as well when it closes, and hold the event loop while it syncs.
      await this.#settle().catch(() => {
        // A failure is kept. On a full disk SQLite gets no further, and leaves the log for the next open.
      });
    }
    try {
      for (const idle of this.#idle.splice(0)) idle.close();
      this.#connection.close();
      this.#log.close();
    } catch (error) {
      throw sqliteError(`Cannot close ${this.#path}`, error, this.#path);
    }
  }

  protected override mayRetry(error: StoreError): boolean {
    return super.mayRetry(error) || isSqliteTransient(error.cause);
  }

  /** Leaves the database to a connection that only reads. SQLite would move the log when the connection
   * that wrote it is closed, and by then the system may take for written what is not. While the other
   * connection reads, it does not. */
  protected override fail(error: unknown): StoreError {
    const isFirst = this.failure === undefined;
    const failure = super.fail(error);
    if (!isFirst) return failure;
    try {
      const reading = new Connection(this.#path, "read");
      reading.pin();
      const writing = this.#connection;
      this.#connection = this.now = reading;
      writing.close();
    } catch {
      // What keeps the database from being opened keeps the process from much else.
    }
    return failure;
  }

  protected override async write(
    writes: Writes,
    position: bigint,
    note = this.#note,
  ): Promise<void> {
    await this.#moving;
    if (this.failure !== undefined) throw this.failure;
    const noted = { position, ...(note !== this.#note && { note }) };
    for (let next = 0; next < writes.length || next === 0;) {
      const emptied = this.#log.prepareWrite(this.#connection);
      if (emptied !== undefined) {
        await this.#ofDisk(emptied);
        continue;
      }
      const first = next;
      next = this.#connection.withoutSyncs(() =>
        this.#writer.writeSlice(this.#connection, writes, first, noted)
      );
      if (writes.length === 0) break;
      await nextTurn();
      if (this.#log.hasGrown) await this.#settle();
    }
    // One sync of the log makes all its transactions durable, in their order.
    await this.#ofDisk(this.#log.sync());
    this.#note = note;
  }

  /** Waits for work that syncs. Where a sync fails, what is on disk is unknown, also if the disk is merely
   * full: the system has dropped what it could not write. SQLite's own errors say which they are. */
  async #ofDisk<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof StoreError && this.mayRetry(error)) throw error;
      throw this.fail(sqliteError("Cannot write to the B-tree side", error));
    }
  }

  /** Pins the database as it is on a connection of its own. */
  protected override beginMoment(): Moment {
    let connection: Connection | undefined;
    try {
      connection = this.#idle.pop() ?? this.#connect();
      connection.pin();
      return connection;
    } catch (error) {
      // Asked before what was got is given back. SQLite itself says only that it cannot open a file.
      const lacksDescriptors = this.views.moments > 0 &&
        areDescriptorsScarce(dirname(this.#path));
      connection?.close();
      if (lacksDescriptors) {
        const reason =
          `${this.views.moments} moments are held already, and the process has no file ` +
          "descriptors left";
        throw tooManyMoments("B-tree side", reason);
      }
      throw sqliteError("Cannot take view of the B-tree side", error, this.#path);
    }
  }

  /** To pin a connection takes five times as long as all else in a snapshot. But one that is pinned keeps the
   * log from being cut. */
  protected override mayRest(): boolean {
    return !this.isApplying && !this.isClosing && !this.#log.isLarge;
  }

  #connect(): Connection {
    this.#guard?.("Cannot take view of the B-tree side");
    return new Connection(this.#path, "read", (ended) => this.#endMoment(ended));
  }

  #endMoment(connection: Connection): void {
    const isKept = !this.isClosing && this.#idle.length < IDLE_VIEW_CONNECTIONS_MAX;
    if (isKept) this.#idle.push(connection);
    else connection.close();
    this.#moveBehindViews();
  }

  /** Moves what a view kept in the log, when it was the last one. Left to the applies, a store that
   * has a view at each of them would never get to use its log anew.
   */
  #moveBehindViews(): void {
    const isBusy = this.views.moments > 0 || this.isApplying || this.isClosing;
    if (isBusy || this.#moving !== undefined || this.failure !== undefined) return;
    if (!this.#log.isLarge) return;
    this.#moving = this.#settle().catch(() => {
      // A failure is kept, and a full disk is met again by the next apply.
    }).finally(() => this.#moving = undefined);
  }
}

/** Opens the B-tree side in a directory of its own.
 *
 * @param directory Where its file is, or is to be created.
 * @param options The store's identity, and whether to create.
 * @throws {StoreError} `CORRUPT`: the file is missing, cut, no database, or of another store;
 * `NOT_EMPTY`: it is to be created and is there; `NO_SPACE`, `IO`.
 */
export async function openSqliteEngine(directory: string, options: EngineOptions): Promise<Engine> {
  const path = join(directory, SQLITE_FILE);
  options.guard?.(`Cannot open ${path}`);
  if (options.create) {
    // It takes an empty file for an empty database.
    await createFile(path, new Uint8Array(0));
  } else if (!fs.existsSync(path)) {
    throw refusal(path, "the file is missing");
  }
  try {
    requireWholePages(path);
    await rewriteDurably(`${path}-wal`);
  } catch (error) {
    throw fileError(`Cannot open ${path}`, error);
  }
  let connection: Connection | undefined;
  let engine: SqliteEngine | undefined;
  try {
    // The directory may have become another store's while a sync was waited for.
    options.guard?.(`Cannot open ${path}`);
    connection = new Connection(path, "write");
    // Before anything is set: a database that is not ours stays as it is.
    const { identity } = options;
    const found = options.create ? undefined : readMeta(connection, path, options);
    setUp(connection);
    const meta = found ?? createTables(connection, identity);
    if (meta.identity !== identity) {
      connection.transact(() => putMeta(connection!, { identity }));
    }
    // The first read creates the log's file.
    connection.pin();
    engine = new SqliteEngine(path, connection, meta, options.guard);
    await engine.start();
    return engine;
  } catch (error) {
    if (engine === undefined) connection?.close();
    else await engine.close().catch(() => {});
    throw sqliteError(`Cannot open ${path}`, error, path);
  }
}

function setUp(connection: Connection): void {
  connection.pragma("journal_mode = WAL");
  connection.pragma("synchronous = NORMAL");
  // On macOS a sync as such leaves the bytes in the cache of the drive.
  connection.pragma("fullfsync = ON");
  connection.pragma("checkpoint_fullfsync = ON");
  connection.pragma("wal_autocheckpoint = 0");
}
