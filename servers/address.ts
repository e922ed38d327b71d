/** An address behind which servers change, as a cluster has one in HAProxy or PgBouncer.
 *
 * @module
 */

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Passes connections on to a port of this machine. */
export class Address implements AsyncDisposable {
  /** The port where connections go. While there is none, they are refused. */
  target: number | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Begins to listen. */
  static async start(): Promise<Address> {
    const address = new Address();
    await new Promise<void>((resolve, reject) => {
      address.#server.on("error", reject).listen(0, "127.0.0.1", resolve);
    });
    return address;
  }

  /** The port of the address. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends all connections, and listens no more. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(client: Socket): void {
    if (this.target === undefined) return void client.destroy();
    const server = connect(this.target, "127.0.0.1");
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.#sockets.add(from);
      // Small messages would wait for the answers to those before.
      from.setNoDelay(true);
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
