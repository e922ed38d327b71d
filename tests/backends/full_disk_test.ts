import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { assertRejectsWithCode } from "../conformance/_kit.ts";
import { tempDirectory } from "../helpers/temp.ts";
import { runChild } from "./_child.ts";
import { ENGINES, IDENTITY } from "./_engines.ts";

/** A small file system that can be filled, gone when its scope ends. */
class SmallDisk implements Disposable {
  readonly #temp = tempDirectory();
  readonly path = join(this.#temp.path, "disk");
  readonly isMounted: boolean;

  constructor(bytes: number) {
    fs.mkdirSync(this.path);
    const args = ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", this.path];
    this.isMounted = spawnSync("mount", args).status === 0;
  }

  [Symbol.dispose](): void {
    if (this.isMounted) spawnSync("umount", ["-l", this.path]);
    this.#temp[Symbol.dispose]();
  }
}

const DISK_BYTES = 48 * 2 ** 20;

function skipReason(): string | false {
  using disk = new SmallDisk(2 ** 20);
  return disk.isMounted ? false : "a file system cannot be mounted here";
}

const options = { skip: skipReason(), timeout: 120_000 };

for (const [kind, { open, file }] of Object.entries(ENGINES)) {
  for (const mode of ["stay", "close"]) {
    test(
      `a full disk is NO_SPACE for ${kind}, and over with space (${mode})`,
      options,
      async () => {
        using disk = new SmallDisk(DISK_BYTES);
        const { code, signal, lines, errors } = await runChild(
          "_full_disk_child.ts",
          kind,
          disk.path,
          mode,
        );
        const side = kind === "lmdb" ? "append" : "B-tree";
        const refusals = new Array(3).fill(`Cannot write to the ${side} side`);
        const closed = mode === "close" ? ["closed"] : [];
        assertEquals(lines, [...refusals, "refused", ...closed, "applied", "reopened"], errors);
        assertEquals([code, signal], [0, null], errors);
      },
    );
  }

  test(`creating ${kind} on a full disk is NO_SPACE`, options, async () => {
    using disk = new SmallDisk(2 ** 20);
    const filler = new Uint8Array(fs.statfsSync(disk.path).bavail * 4096 - 4096);
    fs.writeFileSync(join(disk.path, "filler"), filler);
    const directory = join(disk.path, "engine");
    const create = () => open(directory, { identity: IDENTITY, create: true });
    await assertRejectsWithCode(create, "NO_SPACE");
    fs.rmSync(join(disk.path, "filler"));
    // What is left of it is damage, not an engine.
    if (fs.existsSync(join(directory, file))) {
      const reopen = () => open(directory, { identity: IDENTITY, create: false });
      await assertRejectsWithCode(reopen, "CORRUPT");
    }
    fs.rmSync(directory, { recursive: true });
    await (await create()).close();
  });
}
