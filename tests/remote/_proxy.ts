/** A proxy between a store and its server that does harm to the connections.
 *
 * @module
 */

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** What a message travels to. */
export type Direction = "server" | "client";

/** What becomes of a message: it goes on; its connection is cut before it, or behind it; only the client's half is cut
 * behind it, so that the server goes on; or it, and everything behind it, is kept. */
export type Fate = "pass" | "cut before" | "cut behind" | "cut client" | "hold";

/** Decides what becomes of a message. */
export type Decide = (direction: Direction, type: string) => Fate;

/** A proxy to a port of this machine. */
export class Proxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  /** What becomes of the messages. */
  decide: Decide = () => "pass";
  /** Whether connections are refused. */
  isRefusing = false;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Starts a proxy. */
  static async start(target: number): Promise<Proxy> {
    const proxy = new Proxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts all connections. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.cutAll();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(client: Socket): void {
    if (this.isRefusing) return void client.destroy();
    const server = connect(this.#target, "127.0.0.1");
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      // A message is sent on when it comes, and not when the one before it is acknowledged.
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    }
    this.#forward(client, server, "server", client);
    this.#forward(server, client, "client", client);
  }

  #forward(from: Socket, to: Socket, direction: Direction, client: Socket): void {
    let rest = Buffer.alloc(0);
    // The first message of a client has no type.
    let hasType = direction === "client";
    let isHeld = false;
    from.on("data", (chunk: Buffer) => {
      if (isHeld) return;
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const head = hasType ? 5 : 4;
        if (rest.length < head) return;
        const length = rest.readInt32BE(head - 4) + head - 4;
        if (rest.length < length) return;
        const message = rest.subarray(0, length);
        const type = hasType ? String.fromCharCode(message[0]!) : "start";
        rest = rest.subarray(length);
        hasType = true;
        const fate = this.decide(direction, type);
        if (fate === "hold") {
          isHeld = true;
          return;
        }
        if (fate !== "cut before") to.write(message);
        if (fate === "pass") continue;
        isHeld = true;
        // What the server has sent or got before goes on its way.
        client.destroy();
        if (fate !== "cut client") setTimeout(() => (from === client ? to : from).destroy(), 5);
        return;
      }
    });
    from.on("close", () => {
      // The other half may be meant to stay.
      if (!isHeld && direction === "client") to.destroy();
      if (!isHeld && direction === "server") to.end();
    });
  }
}

/** Counts the messages of what is done, and lets one of them have another fate. */
export class OneMessage {
  readonly #at: number;
  readonly #fate: Fate;
  #count = 0;
  isDone = false;

  constructor(at: number, fate: Fate) {
    this.#at = at;
    this.#fate = fate;
  }

  /** Decides. */
  readonly decide: Decide = () => {
    if (this.isDone || this.#count++ !== this.#at) return "pass";
    this.isDone = true;
    return this.#fate;
  };
}
