import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { StoreError } from "../../backends/mod.ts";
import { bytes, put } from "../conformance/_kit.ts";
import { tempDirectory } from "../support/temp.ts";
import { runChild } from "./_child.ts";
import { ENGINES, IDENTITY } from "./_engines.ts";
import { assertCode } from "../support/assert.ts";

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

  /** Leaves no more than `leftBytes` of space. */
  fill(leftBytes = 0): void {
    const { bavail, bsize } = fs.statfsSync(this.path);
    fs.writeFileSync(join(this.path, "filler"), new Uint8Array(bavail * bsize - leftBytes));
  }

  /** Undoes `fill`. */
  empty(): void {
    fs.rmSync(join(this.path, "filler"));
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

const options = { skip: skipReason(), timeout: 600_000 };

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

  test(`opening ${kind} on a full disk works, or is NO_SPACE`, options, async () => {
    using disk = new SmallDisk(8 * 2 ** 20);
    const directory = join(disk.path, "engine");
    const engine = await open(directory, { identity: IDENTITY, create: true });
    await engine.apply([put(bytes(1), bytes(1))], 1n);
    await engine.close();
    disk.fill();
    const reopen = () => open(directory, { identity: IDENTITY, create: false });
    try {
      const again = await reopen();
      assertEquals(again.get(bytes(1)), bytes(1));
      assertEquals(again.view().get(bytes(1)), bytes(1));
      await again.close();
    } catch (error) {
      assertEquals(error instanceof StoreError && error.code, "NO_SPACE");
    }
    disk.empty();
    const last = await reopen();
    assertEquals(last.get(bytes(1)), bytes(1));
    await last.close();
  });

  test(`creating ${kind} on a full disk is NO_SPACE`, options, async () => {
    using disk = new SmallDisk(2 ** 20);
    disk.fill(4096);
    const directory = join(disk.path, "engine");
    const create = () => open(directory, { identity: IDENTITY, create: true });
    await assertCode(create, "NO_SPACE");
    disk.empty();
    // What is left of it is damage, not an engine.
    if (fs.existsSync(join(directory, file))) {
      const reopen = () => open(directory, { identity: IDENTITY, create: false });
      await assertCode(reopen, "CORRUPT");
    }
    fs.rmSync(directory, { recursive: true });
    await (await create()).close();
  });
}
