/** What databases that speak the PostgreSQL wire differ in.
 *
 * @module
 */

import type { Statement } from "./statement.ts";

/** The databases that are known. */
export type DialectName = "postgresql" | "cockroachdb" | "yugabytedb";

/** What one of them does otherwise than others. */
export interface Dialect {
  readonly name: DialectName;
  /** Returns whether a server is one, by what `version()` says. */
  readonly isVersion: (version: string) => boolean;
  /** Returns the definition of the columns of the table of keys. */
  readonly keyColumns: string;
  /** Whether a lock on a row orders the commits of all who take it, and numbers are given in the order in which they are
   * asked for: a change feed needs both. */
  readonly hasFeed: boolean;
  /** Returns what ends a connection that was lost, in which the server may still wait for more; `undefined` where
   * there is no such thing.
   *
   * @param backend What {@linkcode Dialect.backend} has returned on the connection.
   */
  readonly terminate: ((backend: readonly unknown[]) => Statement) | undefined;
  /** Reads what names the connection that it is sent on, as one row. */
  readonly backend: Statement | undefined;
  /** Returns what begins a transaction that may read the state of some time ago; `undefined` where there is no such
   * thing.
   *
   * @param ms How old it may be, in milliseconds: a number, checked.
   */
  readonly beginStale: (ms: number) => readonly string[] | undefined;
}
