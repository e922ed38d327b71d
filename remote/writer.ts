/** Writes that take place once: a connection, the row of its writer, and the question what has become of a write.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import type { RemoteClient } from "./connection.ts";
import type { Dialect } from "./dialect.ts";
import { ConnectionLost, Refusal, retrying, unknownResult, WRITER_LOST } from "./failure.ts";
import type { Lane, Reconnector } from "./lane.ts";
import type { Result, Statement } from "./statement.ts";
import type { Tables, WriteNumber } from "./tables.ts";

const ID_BYTES = 16;

/** A new id of a writer. */
export function newWriterId(): Uint8Array {
  return new Uint8Array(randomBytes(ID_BYTES));
}

/** Writes on one connection, one after the other. */
export class Writer {
  readonly #lane: Lane;
  /** What is asked about lost connections must not come into the midst of a write. */
  readonly #questions: Lane;
  readonly #reconnector: Reconnector;
  readonly #tables: Tables;
  readonly #dialect: Dialect;
  /** The id of the row, once there is one. */
  #id: Uint8Array | undefined;
  #n = 0;

  constructor(
    lane: Lane,
    questions: Lane,
    reconnector: Reconnector,
    tables: Tables,
    dialect: Dialect,
  ) {
    this.#lane = lane;
    this.#questions = questions;
    this.#reconnector = reconnector;
    this.#tables = tables;
    this.#dialect = dialect;
  }

  /** The id of its row, where it has one. */
  get id(): Uint8Array | undefined {
    return this.#id;
  }

  /** Makes a write. It takes place once or not at all, and the promise says which, as long as the server can be asked.
   *
   * @param send Sends the write, numbered, and whatever it needs to know before, on one connection. Where that, or the
   * row of the writer, was lost, it is called again.
   * @returns What it returns; `"done"` where that is lost with the connection.
   * @throws {Refusal} It was refused, and has not taken place.
   * @throws {StoreError} `UNREACHABLE`: it has not taken place; `UNKNOWN_RESULT`.
   */
  async write<T>(
    what: string,
    send: (connection: RemoteClient, number: WriteNumber) => Promise<T>,
  ): Promise<T | "done"> {
    for (;;) {
      const number = await this.#next(what);
      try {
        return await send(await this.#lane.connection(), number);
      } catch (error) {
        if (error instanceof Refusal && error.state === WRITER_LOST) {
          this.#id = undefined;
          continue;
        }
        if (!(error instanceof ConnectionLost)) throw error;
        if (!error.wasSent) {
          await this.#reconnector.until(what, () => this.#lane.connection());
          continue;
        }
        const id = newWriterId();
        this.#id = undefined;
        const isDone = await this.hasTakenPlace(what, number, error, id);
        this.#id = id;
        if (isDone) return "done";
        this.#n = number.n;
      }
    }
  }

  /** Returns the number of the next write, with a row for it. */
  async #next(what: string): Promise<WriteNumber> {
    if (this.#id === undefined) {
      await this.#reconnector.until(what, async () => {
        // An id for each attempt: of one that was lost, nobody knows.
        const id = newWriterId();
        await retrying(() => this.#lane.run(apart(this.#tables.addWriter(id))));
        this.#id = id;
        this.#n = 0;
      });
    }
    return { id: this.#id!, n: ++this.#n };
  }

  /** Ends the server's half of a connection that was lost: it may wait for the rest of what was sent, and hold locks
   * meanwhile. Where it may not be ended, time does it.
   *
   * @throws {ConnectionLost}
   */
  async endBackend({ backend }: ConnectionLost): Promise<void> {
    const statement = backend && this.#dialect.terminate?.(backend);
    if (statement === undefined) return;
    await this.#questions.run([statement]).catch((error) => {
      if (!(error instanceof Refusal)) throw error;
    });
  }

  /** Asks on a new connection whether a write has taken place, and sees to it that otherwise it never will.
   *
   * @param id What the row of its writer is called from then on.
   * @throws {StoreError} `UNKNOWN_RESULT`.
   */
  async hasTakenPlace(
    what: string,
    number: WriteNumber,
    lost: ConnectionLost,
    id: Uint8Array,
  ): Promise<boolean> {
    const { where } = this.#reconnector.connector;
    let results: readonly Result[];
    try {
      results = await this.#reconnector.until(what, async () => {
        await this.endBackend(lost);
        return await retrying(() => this.#questions.run([this.#tables.resolve(number.id, id)]));
      });
    } catch {
      throw unknownResult(what, where, lost);
    }
    const row = results[0]!.rows[0];
    if (row === undefined) throw unknownResult(what, where, lost);
    return Number(row[0]) >= number.n;
  }
}

/** Returns a statement about a row of a writer as a transaction of its own, which serializable ones take no notice of: to
 * them the row of another writer, beside theirs in an index, would look like a conflict. */
function apart(statement: Statement): Statement[] {
  return [{ text: "BEGIN ISOLATION LEVEL READ COMMITTED" }, statement, { text: "COMMIT" }];
}

/** Returns the results of a transaction, whose statements are sent without waiting in between.
 *
 * @throws {Refusal | ConnectionLost} Nothing of it has taken place, or that is to be asked.
 */
export async function inTransaction(
  connection: RemoteClient,
  statements: readonly Statement[],
): Promise<Result[]> {
  const results = await connection.run([{ text: "BEGIN" }, ...statements, { text: "COMMIT" }]);
  return results.slice(1, -1);
}
