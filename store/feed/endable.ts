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

/** Returns an iteration that `return` ends also while `next` waits, which is then answered as the end. A generator
 * alone would take the one up only when the other has its answer.
 *
 * The garbage collector leaves iterations that are no longer referenced.
 *
 * @param begin Returns the generator, which ends without an error once the signal is aborted.
 */
export function endable<Row>(begin: (left: AbortSignal) => Rows<Row>): Rows<Row> {
  const leaving = new AbortController();
  return new Iteration(begin(leaving.signal), leaving);
}

class Iteration<Row> implements Rows<Row> {
  readonly #rows: Rows<Row>;
  readonly #leaving: AbortController;

  constructor(rows: Rows<Row>, leaving: AbortController) {
    this.#rows = rows;
    this.#leaving = leaving;
    forgotten.register(this, leaver(rows, leaving), this);
  }

  async next(): Promise<IteratorResult<Row, undefined>> {
    const call = { iteration: this };
    awaited.add(call);
    try {
      return await this.#rows.next();
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
