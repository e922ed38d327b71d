/** Remote stores on a server that the tests of a file share.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import process from "node:process";
import { after } from "node:test";
import { type RemoteOptions, RemoteStore } from "../../remote/mod.ts";
import { PostgresServer } from "../../servers/postgres.ts";
import { whyNoPostgres } from "../../servers/programs.ts";

/** The database that stores are opened in, instead of one that is started. */
const GIVEN_URL = process.env.HYBRIDSTORE_URL;

/** What the tests of a file have together. */
export interface RemoteServers {
  /** What tests that need the server are registered with. */
  readonly options: { readonly timeout: number; readonly skip: string | false };
  /** Returns a PostgreSQL, which is started when it is asked for, and ends with the file. */
  server(): Promise<PostgresServer>;
  /** Opens an empty store of its own: in the database that is given, or on the server. */
  open(options?: RemoteOptions): Promise<RemoteStore>;
}

/** Returns a server for the tests of a file. Several files may run in one process, so each calls it once. */
export function remoteServers(): RemoteServers {
  let starting: Promise<PostgresServer> | undefined;
  const server = () => starting ??= PostgresServer.start();
  after(async () => {
    await (await starting)?.[Symbol.asyncDispose]();
  });
  return {
    options: { timeout: 600_000, skip: GIVEN_URL === undefined && (whyNoPostgres() ?? false) },
    server,
    open: async (options = {}) => {
      const url = GIVEN_URL ?? (await server()).url();
      // Others may use the database that is given.
      const table = `hybridstore_test_${randomBytes(8).toString("hex")}`;
      await RemoteStore.setup(url, { ...options, table });
      return await RemoteStore.open(url, { ...options, table });
    },
  };
}
