/** Creating the tables of a store, and finding them.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import { type Connection, Connector, type RemoteClient } from "./connection.ts";
import type { Dialect } from "./dialect.ts";
import { COCKROACHDB } from "./dialects/cockroachdb.ts";
import { POSTGRESQL } from "./dialects/postgresql.ts";
import { YUGABYTEDB } from "./dialects/yugabytedb.ts";
import { FedTables } from "./fed_tables.ts";
import { Reconnector } from "./lane.ts";
import type { RemoteSettings } from "./options.ts";
import { Tables } from "./tables.ts";

/** The more particular ones first: Yugabyte says that it is PostgreSQL as well. */
const DIALECTS: readonly Dialect[] = [COCKROACHDB, YUGABYTEDB, POSTGRESQL];

/** Finds out what a database is, and that it has the tables of a store, which it may be given before. */
export async function connectOnce(
  what: string,
  connection: Connection,
  { table, changes, timeoutMs }: RemoteSettings,
  isCreating: boolean,
): Promise<{ connector: Connector; dialect: Dialect; tables: Tables }> {
  const plain = new Tables(what, table);
  const fed = new FedTables(what, table);
  const connector = new Connector(what, connection, timeoutMs);
  const { dialect, tables } = await new Reconnector(connector, timeoutMs).until(what, async () => {
    const client = await connector.connect(false);
    try {
      const dialect = await dialectOf(what, client);
      const isFed = await hasFeed(client, dialect, fed);
      if (changes && !isFed) requireFeed(what, dialect, isCreating);
      const tables = isFed || changes ? fed : plain;
      const statements = isCreating && !isFed ? tables.create(dialect) : [];
      for (const statement of [...statements, ...tables.probe()]) await client.run([statement]);
      return { dialect, tables };
    } finally {
      await client.end();
    }
  });
  return { connector, dialect, tables };
}

async function hasFeed(client: RemoteClient, dialect: Dialect, fed: FedTables): Promise<boolean> {
  if (!dialect.hasFeed) return false;
  const [result] = await client.run([fed.detect()]);
  return result!.rows[0]![0] === "t";
}

function requireFeed(what: string, { name, hasFeed }: Dialect, isCreating: boolean): void {
  if (!hasFeed) {
    throw new StoreError(
      "UNSUPPORTED",
      `${what}: there is no change feed in ${name}; leave changes out`,
    );
  }
  if (isCreating) return;
  throw new StoreError(
    "SCHEMA",
    `${what}: the store has no change feed; call RemoteStore.setup() with changes, or leave it out`,
  );
}

async function dialectOf(what: string, client: RemoteClient): Promise<Dialect> {
  const [result] = await client.run([{ text: "SELECT version()" }]);
  const version = String(result?.rows[0]?.[0]);
  const dialect = DIALECTS.find(({ isVersion }) => isVersion(version));
  if (dialect !== undefined) return dialect;
  throw new StoreError(
    "UNSUPPORTED",
    `${what}: the server is ${version.slice(0, 80)}; known are ` +
      DIALECTS.map(({ name }) => name).join(", "),
  );
}
