/** Snapshots: one moment of a remote store, in a transaction that only reads.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import type { KeySpace } from "../store/key_space.ts";
import type { OrderedSnapshot } from "../store/ordered_store.ts";
import { ConnectionLost, Refusal, refusalError } from "./failure.ts";
import { type ReadSource, RemoteReader } from "./reader.ts";
import type { Leased, Session } from "./session.ts";
import type { Statement } from "./statement.ts";

/** One moment of a remote store, until it is closed. It has a connection of the pool for itself.
 *
 * @category RemoteStore
 */
export class RemoteSnapshot extends RemoteReader implements OrderedSnapshot {
  readonly #session: Session;
  readonly #leased: Leased;
  readonly #requireOpen: (what: string) => void;
  #isClosed = false;
  /** Where the change feed goes on behind it; `undefined` where there is none. */
  readonly position: bigint | undefined;

  /** @internal */
  constructor(
    session: Session,
    keys: KeySpace,
    leased: Leased,
    position: bigint | undefined,
    requireOpen: (what: string) => void,
  ) {
    super(keys);
    this.position = position;
    this.#session = session;
    this.#leased = leased;
    this.#requireOpen = requireOpen;
  }

  /** Releases the moment and its connection. A second call does nothing. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    let isClean = false;
    try {
      await this.#leased.client.run([{ text: "COMMIT" }]);
      isClean = true;
    } catch {
      // The connection ends, and the transaction with it.
    }
    this.#leased.release(isClean);
  }

  /** Releases it: `await using` calls it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  protected source(asked: string, options?: object): ReadSource {
    const what = `${asked} in snapshot`;
    if (options !== undefined) {
      throw new TypeError(`${what}: it takes no options: it shows one moment`);
    }
    const requireOpen = (what: string) => {
      this.#requireOpen(what);
      if (this.#isClosed) throw new StoreError("CLOSED", `${what}: the snapshot is closed`);
    };
    requireOpen(what);
    const read = async (_: string, statement: Statement) => {
      requireOpen(what);
      try {
        return (await this.#leased.client.run([statement]))[0]!;
      } catch (error) {
        if (error instanceof Refusal) throw refusalError(what, error);
        if (!(error instanceof ConnectionLost)) throw error;
        throw new StoreError(
          "UNREACHABLE",
          `${what}: its connection was lost, and the moment with it; take another snapshot`,
          { cause: error },
        );
      }
    };
    return {
      tables: this.#session.tables,
      requireOpen,
      readKeys: (what, _, statement) => read(what, statement),
      readRange: read,
    };
  }
}
