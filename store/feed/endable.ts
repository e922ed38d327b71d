/** Iterations that wait for what may never come, and end at once when they are left.
 *
 * @module
 */

/** Returns an iteration that `return` ends also while `next` waits, which is then answered as the end. A generator
 * alone would take the one up only when the other has its answer.
 *
 * @param begin Returns the generator, which ends without an error once the signal is aborted.
 */
export function endable<Row>(
  begin: (left: AbortSignal) => AsyncGenerator<Row, undefined>,
): AsyncGenerator<Row, undefined> {
  const leaving = new AbortController();
  const rows = begin(leaving.signal);
  return {
    next: () => rows.next(),
    return(value) {
      leaving.abort();
      return rows.return(value);
    },
    throw(error) {
      leaving.abort();
      return rows.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await this.return(undefined);
    },
  };
}
