/** A PostgreSQL primary with a synchronous standby, and one address for both.
 *
 * @module
 */

import pg from "pg";
import { setTimeout as sleep } from "node:timers/promises";
import { Address } from "./address.ts";
import { PostgresServer, type Settings } from "./postgres.ts";

const STANDBY = "standby";
const POLL_MS = 20;
const FOLLOW_MS_MAX = 60_000;

/** More than the servers of tests have: there is data in these. */
const SETTINGS: Settings = {
  shared_buffers: "256MB",
  max_wal_size: "4GB",
  // A standby may not have less than the server had that it is a copy of.
  max_connections: "100",
};

/** Two servers. What the primary acknowledges is on the disks of both. */
export class PostgresCluster implements AsyncDisposable {
  readonly primary: PostgresServer;
  readonly standby: PostgresServer;
  readonly #address: Address;
  readonly #parts: AsyncDisposableStack;

  private constructor(
    primary: PostgresServer,
    standby: PostgresServer,
    address: Address,
    parts: AsyncDisposableStack,
  ) {
    this.primary = primary;
    this.standby = standby;
    this.#address = address;
    this.#parts = parts;
  }

  /** Starts it. Resolves when the primary takes writes, and the standby follows it. */
  static async start(): Promise<PostgresCluster> {
    await using parts = new AsyncDisposableStack();
    const primary = parts.use(
      await PostgresServer.create({
        ...SETTINGS,
        synchronous_standby_names: STANDBY,
        synchronous_commit: "on",
      }),
    );
    const standby = parts.use(await primary.standby(STANDBY, SETTINGS));
    await primary.resume();
    await standby.resume();
    await untilFollowed(primary);
    const address = parts.use(await Address.start());
    address.target = primary.port;
    return new PostgresCluster(primary, standby, address, parts.move());
  }

  /** Returns the URL of the server that takes writes, whichever that is. */
  url(): string {
    return this.primary.url({ port: this.#address.port });
  }

  /** Kills the primary: its processes end at once, and the connections to it. */
  async kill(): Promise<void> {
    this.#address.target = undefined;
    await this.primary.stop("SIGKILL");
  }

  /** Makes the standby the primary. Resolves when it takes writes. */
  async promote(): Promise<void> {
    await ask(this.standby, "SELECT pg_promote()");
    // It would not take writes, if it still were a standby.
    await ask(this.standby, "CREATE TEMPORARY TABLE promoted ()");
    this.#address.target = this.standby.port;
  }

  /** Ends both servers, and removes their files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/** Waits until the standby has all that the primary has, and the primary waits for it from then on. */
async function untilFollowed(primary: PostgresServer): Promise<void> {
  for (let waited = 0; waited < FOLLOW_MS_MAX; waited += POLL_MS) {
    const [row] = await ask(primary, "SELECT sync_state FROM pg_stat_replication");
    if (row?.sync_state === "sync") return;
    await sleep(POLL_MS);
  }
  throw new Error(`the standby does not follow within ${FOLLOW_MS_MAX} ms`);
}

async function ask(server: PostgresServer, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(server.url());
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
