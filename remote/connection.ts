/** Connections: what a caller passes, and clients of `pg` that are made of it.
 *
 * @module
 */

import pg, { type ClientConfig } from "pg";
import { clearTimeout, now, setTimeout, type Timer } from "../runtime/timers.ts";
import { describe } from "../store/limits.ts";
import { ConnectionLost, failureOf, type Refusal } from "./failure.ts";
import { COLUMN_TYPES, type Result, type Statement } from "./statement.ts";

/** How a database is connected to: a URL, or what a client of `pg` is made with: TLS, password files and the rest
 * are as it has them.
 *
 * @category RemoteStore
 */
export type Connection = string | ClientConfig;

/** Makes connections to one database. */
export class Connector {
  /** The server, for messages: without user and password. */
  readonly where: string;
  /** What it is asked how to name it, once that is known. */
  backend: Statement | undefined;
  readonly #config: ClientConfig;
  readonly #timeoutMs: number;

  /**
   * @param timeoutMs How long the server may take to answer anything.
   * @throws {TypeError} It is no connection.
   */
  constructor(what: string, connection: Connection, timeoutMs: number) {
    const given = typeof connection === "string" ? { connectionString: connection } : connection;
    if (typeof given !== "object" || given === null) {
      throw new TypeError(
        `${what}: the connection is ${describe(connection)}, neither a URL nor the options of pg`,
      );
    }
    this.#config = {
      keepAlive: true,
      application_name: "hybridstore",
      ...given,
      connectionTimeoutMillis: timeoutMs,
      types: COLUMN_TYPES as never,
    };
    this.#timeoutMs = timeoutMs;
    let client: pg.Client;
    try {
      client = new pg.Client(this.#config);
    } catch {
      // What the driver says may have the password in it.
      throw new TypeError(
        `${what}: the connection is not a URL of PostgreSQL: postgres://USER@HOST/DATABASE`,
      );
    }
    this.where = `${client.host}:${client.port}, database ${client.database}`;
  }

  /** Returns a pool of connections.
   *
   * @param size How many there are at most.
   */
  pool(size: number): pg.Pool {
    const pool = new pg.Pool({ ...this.#config, max: size });
    // What an idle connection ends with is found when it is used.
    pool.on("error", () => {});
    return pool;
  }

  /** Returns a connection.
   *
   * @param isPipelined Whether statements are sent while others are not answered yet. They are answered in order.
   * @param preparation What is sent first.
   * @throws {ConnectionLost | Refusal}
   */
  async connect(
    isPipelined: boolean,
    preparation: readonly Statement[] = [],
  ): Promise<RemoteClient> {
    const client = new pg.Client(this.#config);
    const remote = new RemoteClient(client, isPipelined, this.#timeoutMs);
    try {
      await client.connect();
      if (this.backend !== undefined) await remote.identify(this.backend);
      if (preparation.length > 0) await remote.run(preparation);
    } catch (error) {
      void client.end().catch(() => {});
      throw failureOf(error, false);
    }
    return remote;
  }
}

/** A connection. */
export class RemoteClient {
  readonly #client: pg.Client;
  #lost: ConnectionLost | undefined;
  #backend: readonly unknown[] | undefined;
  readonly #timeoutMs: number;
  /** One for all answers: a timer for each took a tenth of the time of a read. */
  #timer: Timer | undefined;
  /** How many answers are waited for, and since when nothing has come. */
  #waiting = 0;
  #since = 0;

  /** @param timeoutMs How long the server may be silent while it is waited for. */
  constructor(client: pg.Client, isPipelined: boolean, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
    (client as unknown as { pipeline: boolean }).pipeline = isPipelined;
    const lose = (message: string) => {
      this.#lost ??= new ConnectionLost(true, message, this.#backend);
    };
    client.on("error", (error) => lose(error.message));
    client.on("end", () => lose("the connection was ended"));
  }

  /** Whether it is of no use any more. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Asks what the connection is called: before anything is sent of which it could then be asked what has become of it.
   *
   * @throws {ConnectionLost | Refusal}
   */
  async identify(statement: Statement): Promise<void> {
    if (this.#backend !== undefined) return;
    const [result] = await this.run([statement]);
    this.#backend = result!.rows[0];
  }

  /** Sends statements one after the other, without waiting in between, and returns what they returned.
   *
   * @throws {Refusal} Of the first that was refused.
   * @throws {ConnectionLost}
   */
  async run(statements: readonly Statement[]): Promise<Result[]> {
    if (this.#lost !== undefined) throw new ConnectionLost(false, this.#lost.message);
    const [first] = statements;
    if (first !== undefined && statements.length === 1) {
      try {
        return [await this.#send(first)];
      } catch (error) {
        throw this.#failed([error]);
      }
    }
    const settled = await Promise.allSettled(statements.map((statement) => this.#send(statement)));
    const errors = settled.flatMap((each) => each.status === "rejected" ? [each.reason] : []);
    if (errors.length > 0) throw this.#failed(errors);
    return settled.map((each) => (each as PromiseFulfilledResult<Result>).value);
  }

  async #send({ name, text, values }: Statement): Promise<Result> {
    if (this.#waiting++ === 0) this.#since = now();
    if (this.#timer === undefined) this.#watch(this.#timeoutMs);
    try {
      return await this.#client.query({
        text,
        rowMode: "array",
        ...(name !== undefined && { name }),
        ...(values !== undefined && { values: values as unknown[] }),
      });
    } finally {
      this.#waiting--;
      this.#since = now();
    }
  }

  /** Ends the connection when the server has been silent for too long. */
  #watch(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#waiting === 0) return;
      const left = this.#since + this.#timeoutMs - now();
      if (left > 0) return this.#watch(left);
      this.#lost ??= new ConnectionLost(
        true,
        `the server has not answered for ${this.#timeoutMs} ms`,
        this.#backend,
      );
      this.destroy();
    }, ms);
    // What is waited for keeps the process alive by its connection.
    this.#timer.unref();
  }

  /** Returns what the errors of some statements come to, and ends the connection where that is lost. */
  #failed(errors: readonly unknown[]): ConnectionLost | Refusal {
    const failures = errors.map((error) => failureOf(error, true, this.#backend));
    const lost = failures.find((failure) => failure instanceof ConnectionLost);
    if (lost === undefined) return failures[0]!;
    // What was known before says more than that the connection is gone.
    const { message } = this.#lost ??= lost;
    // A server that does not answer may do so later: nothing is to be read as the answer to something else.
    this.destroy();
    return new ConnectionLost(true, message, this.#backend);
  }

  /** Ends it at once. */
  destroy(): void {
    this.#lost ??= new ConnectionLost(true, "the connection was ended");
    clearTimeout(this.#timer);
    (this.#client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream
      .destroy();
  }

  /** Ends it once what was sent is answered. */
  async end(): Promise<void> {
    if (this.isLost) return;
    this.#lost = new ConnectionLost(false, "the connection was ended");
    await this.#client.end().catch(() => {});
    clearTimeout(this.#timer);
  }
}
