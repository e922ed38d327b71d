/** SQLite's log, moved into the database and synced without holding the event loop.
 *
 * SQLite itself syncs on the thread that it runs on. Here it syncs nothing while it works
 * ({@linkcode Connection.withoutSyncs}), and its rules of order are kept in its place:
 *
 * - what is in the log is committed once the log is synced;
 * - the log is on disk before any of it is moved into the database;
 * - the database is on disk before the log is cut, and the log is written anew from its beginning only
 *   after that cut is on disk. Otherwise a power loss could leave old pages behind new ones.
 *
 * @module
 */

import * as fs from "node:fs";
import { syncDescriptor } from "./files.ts";
import type { Connection } from "./sqlite_connection.ts";

/** Bytes by which the log grows before it is worth moving: 400 pages, which take some milliseconds. */
const MOVE_BYTES = 400 * 4120;

/** The log of one database that a single connection writes.
 *
 * The descriptors are its own: an error of the disk is reported once to each, and closing one of the
 * database's drops the locks that SQLite has on it, so they are closed last.
 */
export class SqliteLog {
  readonly #database: number;
  readonly #log: number;
  /** Whether everything in the log is on disk. */
  #isSynced = false;
  /** The log's bytes when they were last looked at. */
  #knownBytes = 0;
  /** Where the log ended when it was last moved. */
  #triedBytes = 0;
  /** Whether all of the log is in the database, which is on disk: SQLite would begin it anew with the
   * next write. */
  #isMoved = false;

  /** @param path The database, which a connection has opened in WAL mode, so that the log is there. */
  constructor(path: string) {
    this.#database = fs.openSync(path, "r+");
    try {
      this.#log = fs.openSync(`${path}-wal`, "r+");
    } catch (error) {
      fs.closeSync(this.#database);
      throw error;
    }
  }

  /** Resolves once everything that is committed is on disk. Nothing may be written meanwhile. */
  async sync(): Promise<void> {
    await syncDescriptor(this.#log);
    this.#isSynced = true;
  }

  /** Makes sure that SQLite does not begin the log anew by itself. To be called before a transaction that
   * writes; what follows must run without a pause.
   *
   * @returns Something to wait for before this is called again, or nothing.
   */
  prepareWrite(connection: Connection): Promise<void> | undefined {
    if (this.#isMoved && this.#empty(connection)) return this.sync();
    this.#isMoved = this.#isSynced = false;
    return undefined;
  }

  /** Whether there was enough in the log to move it when `hasGrown` was last asked. */
  get isLarge(): boolean {
    return this.#knownBytes >= MOVE_BYTES;
  }

  /** Whether the log has grown enough since it was last moved, which a view may have kept from getting
   * anywhere. */
  get hasGrown(): boolean {
    return this.#measure() - this.#triedBytes >= MOVE_BYTES;
  }

  /** Moves the log into the database as far as views allow, and cuts it where that is all of it. Nothing
   * may be written meanwhile. A log that is on disk is moved at once: a view that is taken right after the
   * call then reads from the database alone, and does not keep the log. */
  async move(connection: Connection): Promise<void> {
    const bytes = this.#measure();
    if (bytes === 0) return;
    if (!this.#isSynced) await this.sync();
    const isMoved = connection.withoutSyncs(() => connection.moveLog());
    this.#triedBytes = bytes;
    await syncDescriptor(this.#database);
    this.#isMoved = isMoved;
    if (isMoved && this.#empty(connection)) await this.sync();
  }

  /** Closes the descriptors, after the connections. */
  close(): void {
    fs.closeSync(this.#log);
    fs.closeSync(this.#database);
  }

  #measure(): number {
    return this.#knownBytes = fs.fstatSync(this.#log).size;
  }

  #empty(connection: Connection): boolean {
    if (!connection.withoutSyncs(() => connection.emptyLog())) return false;
    this.#isMoved = this.#isSynced = false;
    this.#triedBytes = this.#knownBytes = 0;
    return true;
  }
}
