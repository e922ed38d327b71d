/** Remote stores on a server that the tests of a file share.
 *
 * @module
 */

import { after } from "node:test";
import { type RemoteOptions, RemoteStore } from "../../remote/mod.ts";
import { PostgresServer } from "../support/postgres.ts";

let starting: Promise<PostgresServer> | undefined;
let tables = 0;

/** Returns the server, which ends with the file. */
export function sharedServer(): Promise<PostgresServer> {
  return starting ??= PostgresServer.start();
}

after(async () => {
  await (await starting)?.[Symbol.asyncDispose]();
});

/** Opens an empty store of its own. */
export async function openRemote(options: RemoteOptions = {}): Promise<RemoteStore> {
  const url = (await sharedServer()).url();
  const table = `t${++tables}`;
  await RemoteStore.setup(url, { ...options, table });
  return await RemoteStore.open(url, { ...options, table });
}
