import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import process from "node:process";
import {
  type EngineView,
  openLmdbEngine,
  openSqliteEngine,
  StoreError,
} from "../../backends/mod.ts";
import { all, bytes, put, withEngine } from "../conformance/_kit.ts";
import { tempDirectory } from "../support/temp.ts";

const TIMEOUT = { timeout: 600_000 };

for (const [side, open] of [["append", openLmdbEngine], ["B-tree", openSqliteEngine]] as const) {
  test(
    `${side} side: more moments than it has room for are refused, and harm nothing`,
    TIMEOUT,
    async () => {
      const kind = { name: side, isPersistent: true, open };
      await withEngine(kind, async ({ engine }) => {
        const views: EngineView[] = [];
        let refusal: unknown;
        for (let i = 0; refusal === undefined && i < 2000; i++) {
          await engine.apply([put(bytes(1), bytes(i))], BigInt(i + 1));
          try {
            views.push(engine.view());
          } catch (error) {
            refusal = error;
          }
        }
        assert(refusal instanceof StoreError, `${refusal}`);
        assertEquals(refusal.code, "TOO_MANY_SNAPSHOTS", refusal.message);
        assertMatch(
          refusal.message,
          new RegExp(
            `^Cannot take snapshot of the ${side} side: ${views.length} moments are held already` +
              ".*; dispose of snapshots that are done with$",
          ),
        );
        // The engine's own reads have room.
        await new Promise((resolve) => setTimeout(resolve, 10));
        assertEquals(engine.get(bytes(1)), bytes(views.length));
        assertEquals(engine.stats().keys, 1);
        assertEquals(all(engine), [put(bytes(1), bytes(views.length))]);
        for (const [i, view] of views.entries()) assertEquals(view.get(bytes(1)), bytes(i));
        // One that is released makes room for another.
        views[0]!.release();
        engine.view().release();
        for (const view of views) view.release();
        await engine.apply([put(bytes(1), bytes(7))], 5000n);
        const view = engine.view();
        assertEquals(all(view), [put(bytes(1), bytes(7))]);
        view.release();
      });
    },
  );
}

test("a view for which there are no file descriptors is refused as one too many", {
  ...TIMEOUT,
  skip: process.platform === "win32" ? "there is no ulimit" : false,
}, () => {
  using temp = tempDirectory();
  const here = dirname(fromFileUrl(import.meta.url));
  const runtimeArgs = "Deno" in globalThis
    ? ["run", "-A", "--config", join(here, "..", "..", "deno.json")]
    : [];
  // The hard limit too, which both runtimes would raise the other one to.
  const { stdout, stderr } = spawnSync("sh", [
    "-c",
    'ulimit -n 160 && exec "$@"',
    "sh",
    process.execPath,
    ...runtimeArgs,
    join(here, "_descriptors_child.ts"),
    "sqlite",
    join(temp.path, "engine"),
  ], { encoding: "utf8" });
  assertEquals(stdout.split("\n"), [
    "TOO_MANY_SNAPSHOTS Cannot take snapshot of the B-tree side: N moments are held already, and " +
    "the process has no file descriptors left; dispose of snapshots that are done with",
    "closed",
    "",
  ], stderr);
});
