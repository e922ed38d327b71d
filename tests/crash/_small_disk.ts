/** A small file system that can be filled. */

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "@std/path";
import { tempDirectory } from "../support/temp.ts";

/** A file system of its own, gone when its scope ends. */
export class SmallDisk implements Disposable {
  readonly #temp = tempDirectory();
  readonly path = join(this.#temp.path, "disk");
  readonly isMounted: boolean;

  constructor(bytes: number) {
    fs.mkdirSync(this.path);
    const args = ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", this.path];
    this.isMounted = spawnSync("mount", args).status === 0;
  }

  [Symbol.dispose](): void {
    // What is still open in it would keep it from being unmounted otherwise.
    if (this.isMounted) spawnSync("umount", ["-l", this.path]);
    this.#temp[Symbol.dispose]();
  }
}

/** Why there can be no small disk, `false` where there can. */
export function noSmallDisk(): string | false {
  using disk = new SmallDisk(2 ** 20);
  return disk.isMounted ? false : "a file system cannot be mounted here";
}

/** Fills the file system of a directory, except for some bytes, until the filler is removed. */
export function fill(directory: string, leftBytes: number): { remove(): void } {
  const path = join(directory, "filler");
  const { bavail, bsize } = fs.statfsSync(directory);
  fs.writeFileSync(path, new Uint8Array(Math.max(0, bavail * bsize - leftBytes)));
  return { remove: () => fs.rmSync(path) };
}
