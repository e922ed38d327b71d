/** Directories that cannot be written. */

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import process from "node:process";
import { join } from "@std/path";
import { tempDirectory } from "../support/temp.ts";

/** A directory that cannot be written at another path than its own, until its scope ends. */
export class ReadOnlyMount implements Disposable {
  readonly #temp = tempDirectory();
  readonly path = join(this.#temp.path, "read-only");
  readonly isMounted: boolean;

  constructor(directory: string) {
    fs.mkdirSync(this.path);
    const isBound = run("mount", "--bind", directory, this.path);
    this.isMounted = isBound && run("mount", "-o", "remount,ro,bind", this.path);
    if (isBound && !this.isMounted) run("umount", this.path);
  }

  [Symbol.dispose](): void {
    if (this.isMounted) run("umount", "-l", this.path);
    this.#temp[Symbol.dispose]();
  }
}

/** Why there can be no read-only mount, `false` where there can. */
export function noReadOnlyMount(): string | false {
  using temp = tempDirectory();
  using mount = new ReadOnlyMount(temp.path);
  return mount.isMounted ? false : "a directory cannot be mounted read-only here";
}

/** Why the modes of files keep this process from nothing, `false` where they do. */
export function noModes(): string | false {
  return process.getuid?.() === 0 || process.platform === "win32"
    ? "this user writes whatever the modes of files are"
    : false;
}

/** Takes the right to write from everything in a directory, until its scope ends. */
export function withoutWriting(directory: string): Disposable {
  const all = [directory];
  for (const name of fs.readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    all.push(join(directory, name));
  }
  for (const path of all) fs.chmodSync(path, fs.statSync(path).mode & ~0o222);
  return {
    [Symbol.dispose]: () => {
      for (const path of all) fs.chmodSync(path, fs.statSync(path).mode | 0o200);
    },
  };
}

/** Returns everything about the files in a directory that reading them does not change. */
export function stateOf(directory: string): string[] {
  const names = fs.readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
  return ["", ...names].map((name) => {
    const path = join(directory, name);
    const { ino, mode, size, mtimeNs, ctimeNs } = fs.statSync(path, { bigint: true });
    return [name, ino, mode, size, mtimeNs, ctimeNs].join(" ");
  });
}

function run(command: string, ...args: string[]): boolean {
  return spawnSync(command, args).status === 0;
}
