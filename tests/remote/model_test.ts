import { test } from "node:test";
import { RemoteStore } from "../../remote/mod.ts";
import { OPERATIONS, type Operations, runModel, seeds, stepsOr } from "../model/_run.ts";
import { Session } from "../model/_session.ts";
import { Random } from "../support/random.ts";
import { Proxy } from "./_proxy.ts";
import { remoteServers } from "./_servers.ts";

const STEPS = stepsOr(300);
const servers = remoteServers();
let tables = 0;

/** A store behind a proxy, and its model. */
class RemoteSession extends Session<RemoteStore> {
  readonly #proxy: Proxy;
  readonly #url: string;
  readonly #table = `model${++tables}`;

  constructor(random: Random, proxy: Proxy, url: string) {
    super(random);
    this.#proxy = proxy;
    this.#url = url;
  }

  async open(): Promise<void> {
    const changes = this.random.once(2);
    await RemoteStore.setup(this.#url, { table: this.#table, changes });
    await this.#openAgain();
  }

  async reopen(): Promise<void> {
    this.log.push("close and open");
    await this.closeStore();
    await this.#openAgain();
  }

  /** Cuts the connections. Snapshots would not survive it. */
  async lose(): Promise<void> {
    this.log.push("lose connections");
    await this.settle();
    for (const { snapshot } of this.snapshots.splice(0)) await snapshot.close();
    this.#proxy.cutAll();
  }

  async #openAgain(): Promise<void> {
    this.store = await RemoteStore.open(this.#url, {
      table: this.#table,
      // More than there are snapshots.
      poolSize: 8 + this.random.below(3),
    });
  }
}

const REMOTE_OPERATIONS: Operations<RemoteSession> = [
  ...OPERATIONS,
  [6, (session) => session.lose()],
];

for (const { seed, title } of seeds(2)) {
  test(
    `RemoteStore agrees with a map, whatever is done to both, ${title}`,
    servers.options,
    async () => {
      const server = await servers.server();
      await using proxy = await Proxy.start(server.port);
      const session = new RemoteSession(
        new Random(seed),
        proxy,
        server.url({ port: proxy.port }),
      );
      await runModel(session, REMOTE_OPERATIONS, seed, STEPS);
    },
  );
}
