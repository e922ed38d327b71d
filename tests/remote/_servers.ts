/** Remote stores on a server that the tests of a file share.
 *
 * @module
 */

import { after } from "node:test";
import { type RemoteOptions, RemoteStore } from "../../remote/mod.ts";
import { PostgresServer } from "../../servers/postgres.ts";
import { whyNoPostgres } from "../../servers/programs.ts";

/** What the tests of a file have together. */
export interface RemoteServers {
  /** What tests that need the server are registered with. */
  readonly options: { readonly timeout: number; readonly skip: string | false };
  /** Returns the server, which is started when it is asked for, and ends with the file. */
  server(): Promise<PostgresServer>;
  /** Opens an empty store of its own. */
  open(options?: RemoteOptions): Promise<RemoteStore>;
}

/** Returns a server for the tests of a file. Several files may run in one process, so each calls it once. */
export function remoteServers(): RemoteServers {
  let starting: Promise<PostgresServer> | undefined;
  let tables = 0;
  const server = () => starting ??= PostgresServer.start();
  after(async () => {
    await (await starting)?.[Symbol.asyncDispose]();
  });
  return {
    options: { timeout: 600_000, skip: whyNoPostgres() ?? false },
    server,
    open: async (options = {}) => {
      const url = (await server()).url();
      const table = `t${++tables}`;
      await RemoteStore.setup(url, { ...options, table });
      return await RemoteStore.open(url, { ...options, table });
    },
  };
}
