/** What a database of the B-tree side consists of: two tables, and what the store notes in one of them.
 *
 * | `meta.name` | `meta.value` |
 * |---|---|
 * | `identity` | the store's name |
 * | `position` | the journal position that the entries were written up to |
 * | `note` | the text that came with the latest apply that had one: the cursors |
 * | `keys` | how many entries there are; a database that was never written since this is noted lacks it |
 *
 * @module
 */

import type { EngineOptions } from "./engine.ts";
import { requireIdentity, requireReadable } from "./_refusal.ts";
import type { Connection } from "./sqlite_connection.ts";
import type { SqliteValue } from "./sqlite_driver.ts";

/** What a database of this package is created with; SQLite keeps the words. */
export const SCHEMA: readonly string[] = [
  "CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
  "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
];
const PUT_META =
  "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/** What the database says of itself. */
export interface SqliteMeta {
  readonly identity: string;
  readonly position: bigint;
  readonly keys: number;
  readonly note: string | undefined;
}

/** Notes something about the database, within a transaction. */
export function putMeta(connection: Connection, noted: Partial<SqliteMeta>): void {
  for (const [name, value] of Object.entries(noted)) {
    connection.write(PUT_META, name, String(value));
  }
}

/** Creates the tables of an empty engine. */
export function createTables(connection: Connection, identity: string): SqliteMeta {
  const meta: SqliteMeta = { identity, position: 0n, keys: 0, note: undefined };
  connection.transact(() => {
    for (const sql of SCHEMA) connection.write(sql);
    putMeta(connection, { identity, position: 0n, keys: 0 });
  });
  return meta;
}

/** Reads what a database says of itself.
 *
 * @throws {StoreError} `CORRUPT`: it is not an engine's, or it is another store's.
 */
export function readMeta(
  connection: Connection,
  path: string,
  options: EngineOptions,
): SqliteMeta {
  const tables = connection.rows(
    "SELECT sql FROM sqlite_schema WHERE name IN ('entries', 'meta') ORDER BY name",
  );
  const isOurs = tables.map(([sql]) => sql).join() === SCHEMA.join();
  const found = isOurs ? connection.meta("identity") : undefined;
  requireIdentity(path, found, options);
  const noted = connection.meta("position") ?? "";
  const position = requireReadable(path, /^\d{1,20}$/.test(noted) ? BigInt(noted) : undefined);
  const keys = connection.meta("keys") ?? connection.rows(COUNTS)[0]![1];
  return { identity: found, position, keys: Number(keys), note: connection.meta("note") };
}

/** Selects how many entries the database says there are, and how many there are. */
const COUNTS =
  "SELECT (SELECT value FROM meta WHERE name = 'keys'), (SELECT count(*) FROM entries)";

/** Lets SQLite check all of a database, which reads it in one call, and compares the number of entries.
 *
 * @param path What the faults name.
 * @param select Returns the rows of a statement.
 * @returns What is wrong, a sentence each.
 */
export function findSqliteFaults(
  path: string,
  select: (sql: string) => SqliteValue[][],
): string[] {
  const found = select("PRAGMA integrity_check").map(([message]) => `${message}`);
  if (found.join() !== "ok") return found.map((message) => `${path}: ${message}`);
  const [noted, counted] = select(COUNTS)[0]!;
  if (noted === null || Number(noted) === counted) return [];
  return [`${path}: it says that it has ${noted} keys, and has ${counted}`];
}
