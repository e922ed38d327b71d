/** A PostgreSQL server of its own, from an npm package, in a directory that is removed.
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import process from "node:process";
import { join } from "@std/path";
import { acquirePrograms, type Programs, SERVER_USER } from "./programs.ts";

const PASSWORD = "secret-of-tests";

/** Settings of a server, as in `postgresql.conf`. */
export type Settings = Readonly<Record<string, string>>;

const SETTINGS: Settings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "60",
  shared_buffers: "32MB",
  // In the server's directory, so that one that is killed leaves nothing elsewhere.
  dynamic_shared_memory_type: "mmap",
};

/** A server that a program has started for itself. */
export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  readonly #directory: string;
  readonly #programs: Programs;
  readonly #settings: Settings;
  #process: ChildProcess | undefined;
  #log = "";

  private constructor(directory: string, port: number, settings: Settings) {
    this.#directory = directory;
    this.#programs = acquirePrograms();
    this.#settings = settings;
    process.once("exit", this.#abandon);
    this.port = port;
  }

  /** Creates a server and starts it.
   *
   * @param settings What differs from the defaults. It does not wait for the disk: what a server that is killed has
   * written, the system keeps.
   */
  static async start(settings: Settings = {}): Promise<PostgresServer> {
    const server = await PostgresServer.create({ fsync: "off", ...settings });
    try {
      await server.resume();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Creates a server that is yet to be started.
   *
   * @param settings What differs from the defaults.
   */
  static async create(settings: Settings = {}): Promise<PostgresServer> {
    const port = await freePort();
    const root = mkdtempSync(join(tmpdir(), "postgres-"));
    using programs = acquirePrograms();
    try {
      chmodSync(root, 0o755);
      const passwordFile = join(root, "password");
      writeFileSync(passwordFile, PASSWORD);
      own(root);
      const { status, stderr } = spawnSync(programs.initdb, [
        `--pgdata=${join(root, "data")}`,
        "--auth=scram-sha-256",
        "--username=tester",
        `--pwfile=${passwordFile}`,
        // What makes a password slow to guess makes each connection slow.
        "--set=scram_iterations=1",
        "--no-sync",
        "--encoding=UTF8",
        "--locale=C",
      ], { ...SERVER_USER, cwd: root });
      if (status !== 0) throw new Error(`initdb failed: ${stderr}`);
      return new PostgresServer(root, port, settings);
    } catch (error) {
      rmSync(root, { recursive: true, force: true });
      throw error;
    }
  }

  /** Returns a standby of this server, which must not run meanwhile: a copy, which follows it once both run.
   *
   * @param name What the server knows the standby by.
   */
  async standby(name: string, settings: Settings = {}): Promise<PostgresServer> {
    const port = await freePort();
    const root = mkdtempSync(join(tmpdir(), "postgres-"));
    try {
      chmodSync(root, 0o755);
      cpSync(this.#directory, root, { recursive: true });
      writeFileSync(join(root, "data", "standby.signal"), "");
      chmodSync(join(root, "data"), 0o700);
      own(root);
    } catch (error) {
      rmSync(root, { recursive: true, force: true });
      throw error;
    }
    return new PostgresServer(root, port, {
      ...settings,
      primary_conninfo: `host=127.0.0.1 port=${this.port} user=tester password=${PASSWORD} ` +
        `application_name=${name}`,
    });
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
    const settings = Object.entries({ ...SETTINGS, ...this.#settings });
    const child = spawn(this.#programs.postgres, [
      "-D",
      join(this.#directory, "data"),
      "-p",
      `${this.port}`,
      ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ], {
      ...SERVER_USER,
      cwd: this.#directory,
      stdio: ["ignore", "ignore", "pipe"],
      // Ctrl-C is for the program, which then stops its servers.
      detached: true,
    });
    this.#process = child;
    this.#log = "";
    await new Promise<void>((resolve, reject) => {
      child.stderr!.setEncoding("utf8").on("data", (text: string) => {
        this.#log += text;
        if (/ready to accept (read-only )?connections/.test(this.#log)) resolve();
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

  /** What a program does that ends without disposing of it. */
  readonly #abandon = () => {
    this.#process?.kill("SIGKILL");
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 20 });
    this.#programs[Symbol.dispose]();
  };

  /** Stops it, and removes its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    process.off("exit", this.#abandon);
    await this.stop();
    // The processes of a server that was killed end a moment after it.
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 20 });
    this.#programs[Symbol.dispose]();
  }
}

/** Gives a directory, and all that is in it, to whom the server runs as. */
function own(directory: string): void {
  const { uid, gid } = SERVER_USER;
  if (uid === undefined || gid === undefined) return;
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  for (const path of [directory, ...names.map((name) => join(directory, name))]) {
    chownSync(path, uid, gid);
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
