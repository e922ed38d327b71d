/** What a remote store and its parts share: connections, statements, limits, the order of calls.
 *
 * @module
 */

import type pg from "pg";
import { StoreError } from "../codec/error.ts";
import { clearTimeout, setTimeout } from "../runtime/timers.ts";
import { type Connector, RemoteClient } from "./connection.ts";
import type { Dialect } from "./dialect.ts";
import {
  type ConnectionLost,
  failureOf,
  Refusal,
  refusalError,
  retrying,
  unreachable,
} from "./failure.ts";
import { Lane, Reconnector } from "./lane.ts";
import type { Limits, RemoteSettings } from "./options.ts";
import type { Result, Statement } from "./statement.ts";
import type { Tables, WriteNumber } from "./tables.ts";
import { WriteQueue } from "./write_queue.ts";
import { newWriterId, Writer } from "./writer.ts";

/** A connection of the pool, and the writer that transactions on it number their commits with. */
export interface Leased {
  readonly client: RemoteClient;
  /** Returns the number of the next write, once it has a row. */
  number(): WriteNumber;
  /** What is to be sent before a transaction that may write. */
  readonly preparation: readonly Statement[];
  /** Gives it back; one that is lost, or is in the middle of something, is ended. */
  release(isClean: boolean): void;
}

interface PoolWriter {
  readonly id: Uint8Array;
  n: number;
}

/** The server sees to it that transactions are serializable among those alone that ask for it: a single write that does
 * not could come between two of them as nothing in a row can. */
const SERIALIZABLE: Statement = {
  text: "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
};

/** The open connections of a store. */
export class Session {
  readonly dialect: Dialect;
  readonly tables: Tables;
  readonly limits: Limits;
  readonly queue: WriteQueue;
  readonly reconnector: Reconnector;
  readonly #connector: Connector;
  readonly #reads: Lane;
  readonly #writes: Lane;
  readonly #questions: Lane;
  readonly #writer: Writer;
  readonly #pool: pg.Pool;
  readonly #timeoutMs: number;
  readonly #poolWriters = new WeakMap<RemoteClient, PoolWriter>();
  readonly #clients = new WeakMap<object, RemoteClient>();
  readonly #writerIds: Uint8Array[] = [];
  /** The first write that has failed since the last flush. */
  #failed: unknown;
  #closing: Promise<void> | undefined;
  readonly #ending = new AbortController();

  constructor(
    connector: Connector,
    dialect: Dialect,
    tables: Tables,
    { poolSize, timeoutMs, limits }: Pick<RemoteSettings, "poolSize" | "timeoutMs" | "limits">,
  ) {
    this.#connector = connector;
    connector.backend = dialect.backend;
    this.dialect = dialect;
    this.tables = tables;
    this.limits = limits;
    this.#timeoutMs = timeoutMs;
    this.reconnector = new Reconnector(connector, timeoutMs);
    this.#reads = new Lane(connector);
    this.#writes = new Lane(connector, [SERIALIZABLE]);
    this.#questions = new Lane(connector);
    this.#writer = new Writer(this.#writes, this.#questions, this.reconnector, tables, dialect);
    this.queue = new WriteQueue(this.#writer, tables);
    this.#pool = connector.pool(poolSize);
  }

  /** @throws {StoreError} `CLOSED`. */
  requireOpen(what: string): void {
    if (this.#closing !== undefined) throw new StoreError("CLOSED", `${what}: the store is closed`);
  }

  /** Aborted when the store is closed. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** Reads by key: after all earlier writes of the keys, before all later ones. */
  async readKeys(what: string, keys: readonly Uint8Array[], statement: Statement): Promise<Result> {
    this.requireOpen(what);
    return await this.queue.read(
      keys,
      () =>
        this.reconnector.until(
          what,
          () => retrying(async () => (await this.#reads.run([statement]))[0]!),
        ),
    );
  }

  /** Sends statements on a connection of the pool; again, where it is lost, or others were in the way.
   *
   * @param statements What is sent; the result that counts is that at the place.
   */
  async runPooled(what: string, statements: readonly Statement[], at: number): Promise<Result> {
    this.requireOpen(what);
    const readOnce = async () => {
      const { client, release } = await this.lease(what);
      let isClean = false;
      try {
        const results = await client.run(statements);
        isClean = true;
        return results[at]!;
      } finally {
        release(isClean || statements.length === 1);
      }
    };
    return await this.reconnector.until(what, () => retrying(readOnce));
  }

  /** Notes a write for the next flush, and returns it. */
  async noted<T>(write: Promise<T>): Promise<T> {
    try {
      return await write;
    } catch (error) {
      // That the value was no counter is the caller's mistake, as a wrong argument is.
      if (error instanceof StoreError && error.code !== "INVALID_VALUE") this.#failed ??= error;
      throw error;
    }
  }

  /** Waits for all earlier writes.
   *
   * @throws The first failure since the last flush.
   */
  async flush(what: string): Promise<void> {
    this.requireOpen(what);
    await this.queue.settle();
    // Those who wait for the writes hear of them first.
    await undefined;
    const failed = this.#failed;
    this.#failed = undefined;
    if (failed !== undefined) throw failed;
  }

  /** Returns a connection of the pool, for a time.
   *
   * @throws {ConnectionLost}
   * @throws {StoreError} `UNREACHABLE`: none was free in time; that of a refusal.
   */
  async lease(what: string): Promise<Leased> {
    let lent: pg.PoolClient;
    try {
      lent = await this.#pool.connect();
    } catch (error) {
      if (
        Object(error).message === "timeout exceeded when trying to connect" &&
        this.#pool.totalCount >= this.#pool.options.max
      ) {
        throw new StoreError(
          "UNREACHABLE",
          `${what}: none of the ${this.#pool.options.max} connections was free within ` +
            `${this.#timeoutMs} ms; close snapshots, or raise poolSize`,
        );
      }
      const failure = failureOf(error, false);
      throw failure instanceof Refusal ? refusalError(what, failure) : failure;
    }
    const client = await this.#clientOf(lent);
    let writer = this.#poolWriters.get(client);
    const preparation: Statement[] = [];
    if (writer === undefined) {
      writer = { id: newWriterId(), n: 0 };
      preparation.push(this.tables.addWriter(writer.id));
    }
    const { id } = writer;
    let isReleased = false;
    return {
      client,
      preparation,
      number: () => {
        if (!this.#poolWriters.has(client)) {
          this.#poolWriters.set(client, writer);
          this.#writerIds.push(id);
        }
        return { id, n: ++writer.n };
      },
      release: (isClean) => {
        if (isReleased) return;
        isReleased = true;
        lent.release(client.isLost || !isClean);
      },
    };
  }

  async #clientOf(lent: pg.PoolClient): Promise<RemoteClient> {
    const client = this.#clients.get(lent) ??
      new RemoteClient(lent as unknown as pg.Client, true, this.#timeoutMs);
    this.#clients.set(lent, client);
    if (this.dialect.backend === undefined) return client;
    try {
      await client.identify(this.dialect.backend);
      return client;
    } catch (error) {
      lent.release(true);
      throw error;
    }
  }

  /** Returns whether a commit has taken place on a connection that is lost, and sees to it that otherwise it never
   * will.
   *
   * @throws {StoreError} `UNKNOWN_RESULT`.
   */
  async hasTakenPlace(what: string, number: WriteNumber, lost: ConnectionLost): Promise<boolean> {
    return await this.#writer.hasTakenPlace(what, number, lost, newWriterId());
  }

  /** Ends the server's half of a connection that was lost, if the server can be reached. */
  async endBackend(lost: ConnectionLost): Promise<void> {
    await this.#writer.endBackend(lost).catch(() => {});
  }

  /** Returns the error of a connection that could not be made. */
  unreachable(what: string, lost: ConnectionLost): StoreError {
    return unreachable(what, this.#connector.where, lost);
  }

  /** Waits for what is under way, and ends the connections. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#ending.abort();
    await this.queue.settle();
    const ids = [...this.#writerIds, ...this.#writer.id === undefined ? [] : [this.#writer.id]];
    // Rows that stay where the server cannot be reached do no harm.
    if (ids.length > 0) await this.#writes.run([this.tables.removeWriters(ids)]).catch(() => {});
    const lanes = [this.#reads, this.#writes, this.#questions];
    await Promise.all([...lanes.map((lane) => lane.close()), this.#endPool()]);
  }

  /** Ends the pool. Connections that are lent, to snapshots and transactions, end when they are given back. */
  async #endPool(): Promise<void> {
    const ended = this.#pool.end().catch(() => {});
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, 50));
    await Promise.race([ended, late]);
    clearTimeout(timer);
  }
}
