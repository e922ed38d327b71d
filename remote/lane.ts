/** A connection that statements are sent on in the order of the calls, and that is made anew when it is lost.
 *
 * @module
 */

import { pauseFor } from "../runtime/abortable.ts";
import { wallClock } from "../runtime/clock.ts";
import type { Connector, RemoteClient } from "./connection.ts";
import { ConnectionLost, Refusal, refusalError, unreachable } from "./failure.ts";
import type { Result, Statement } from "./statement.ts";

const PAUSE_MS_MIN = 20;
const PAUSE_MS_MAX = 500;

/** Makes connections, and tries again for a while where that fails. */
export class Reconnector {
  readonly connector: Connector;
  /** How long it is tried. */
  readonly timeoutMs: number;

  constructor(connector: Connector, timeoutMs: number) {
    this.connector = connector;
    this.timeoutMs = timeoutMs;
  }

  /** Does something that needs a connection until it has one.
   *
   * @param work What is done, again when it throws a {@linkcode ConnectionLost}.
   * @throws {StoreError} `UNREACHABLE`; that of a refusal.
   */
  async until<T>(what: string, work: () => Promise<T>): Promise<T> {
    const end = wallClock.now() + this.timeoutMs;
    let pause = PAUSE_MS_MIN;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof Refusal) throw refusalError(what, error);
        if (!(error instanceof ConnectionLost)) throw error;
        if (wallClock.now() + pause > end) throw unreachable(what, this.connector.where, error);
      }
      await pauseFor(pause * (0.5 + Math.random()));
      pause = Math.min(pause * 2, PAUSE_MS_MAX);
    }
  }
}

/** A connection on which statements are sent without waiting for those before, and answered in order. */
export class Lane {
  readonly #connector: Connector;
  readonly #preparation: readonly Statement[];
  #client: Promise<RemoteClient> | undefined;

  /** @param preparation What is sent first on each connection. */
  constructor(connector: Connector, preparation: readonly Statement[] = []) {
    this.#connector = connector;
    this.#preparation = preparation;
  }

  /** Returns the connection, for statements that belong together: they must not come to be on two.
   *
   * @throws {Refusal | ConnectionLost} There is none.
   */
  async connection(): Promise<RemoteClient> {
    for (;;) {
      const connecting = this.#client ??= this.#connector.connect(true, this.#preparation);
      try {
        const client = await connecting;
        if (!client.isLost) return client;
        if (this.#client === connecting) this.#client = undefined;
      } catch (error) {
        if (this.#client === connecting) this.#client = undefined;
        throw error;
      }
    }
  }

  /** Sends statements after all that were sent before.
   *
   * @throws {Refusal | ConnectionLost}
   */
  async run(statements: readonly Statement[]): Promise<Result[]> {
    return await (await this.connection()).run(statements);
  }

  /** Ends it once what was sent is answered. */
  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    await client?.end();
  }
}
