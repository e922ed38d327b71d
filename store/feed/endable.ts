/** Iterations that wait for what may never come, and end at once when they are left.
 *
 * @module
 */

type Rows<Row> = AsyncGenerator<Row, undefined>;

// An iteration that is no longer referenced must not keep the journal, a file and a watcher for ever. Its generator
// does not refer to it, and neither does the function that leaves it.
const forgotten = new FinalizationRegistry<() => void>((leave) => leave());
/** Those of which a row is awaited: only the promise of it may be referenced. */
const awaited = new Set<{ readonly iteration: unknown }>();

/** What ends an iteration besides `return`. */
export interface Ends {
  /** Aborted when the store is closed, or the part of it that is read. */
  readonly closing: AbortSignal;
  /** Whether that is an end like any other. Otherwise it is an error: not everything has been shown. */
  readonly isLive: boolean;
  /** The caller's, whose reason is thrown. */
  readonly signal: AbortSignal | undefined;
}

/** Returns an iteration that `return` ends also while `next` waits, which is then answered as the end. A generator
 * alone would take the one up only when the other has its answer.
 *
 * The garbage collector leaves iterations that are no longer referenced.
 *
 * @param begin Returns the generator, which throws once the signal is aborted: by `return`, or by one of the ends.
 */
export function endable<Row>(ends: Ends, begin: (ended: AbortSignal) => Rows<Row>): Rows<Row> {
  const leaving = new AbortController();
  const { closing, signal } = ends;
  const signals = [closing, leaving.signal, ...signal === undefined ? [] : [signal]];
  return new Iteration(begin(AbortSignal.any(signals)), leaving, ends);
}

class Iteration<Row> implements Rows<Row> {
  readonly #rows: Rows<Row>;
  readonly #leaving: AbortController;
  readonly #ends: Ends;

  constructor(rows: Rows<Row>, leaving: AbortController, ends: Ends) {
    this.#rows = rows;
    this.#leaving = leaving;
    this.#ends = ends;
    forgotten.register(this, leaver(rows, leaving), this);
  }

  async next(): Promise<IteratorResult<Row, undefined>> {
    const call = { iteration: this };
    awaited.add(call);
    try {
      return await this.#rows.next();
    } catch (error) {
      this.#requireEnd(error);
      return { done: true, value: undefined };
    } finally {
      awaited.delete(call);
    }
  }

  return(value?: undefined): Promise<IteratorResult<Row, undefined>> {
    this.#leave();
    return this.#rows.return(value);
  }

  throw(error: unknown): Promise<IteratorResult<Row, undefined>> {
    this.#leave();
    return this.#rows.throw(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** @throws What the generator has thrown, unless that is how it ends. */
  #requireEnd(error: unknown): void {
    if (this.#leaving.signal.aborted) return;
    const { closing, isLive, signal } = this.#ends;
    signal?.throwIfAborted();
    if (!(closing.aborted && isLive)) throw error;
  }

  #leave(): void {
    forgotten.unregister(this);
    this.#leaving.abort();
  }
}

function leaver(rows: Rows<unknown>, leaving: AbortController): () => void {
  return () => {
    leaving.abort();
    rows.return(undefined).catch(() => {});
  };
}
