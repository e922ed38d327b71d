import * as fs from "node:fs";
import { test } from "node:test";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import type { Entry, KeyRange } from "../../../backends/engine.ts";
import { MemoryEngine } from "../../../backends/memory.ts";
import { Router, StoreError } from "../../../mod.ts";
import { writeBackup } from "../../../store/maintenance/backup.ts";
import { pattern, put } from "../../conformance/_kit.ts";
import { tempDirectory } from "../../support/temp.ts";
import { keysOf } from "../../crash/_stores.ts";

/** An engine whose scans end too early, as those of a native library with a defect would. */
class ShortSighted extends MemoryEngine {
  rowsMax = Infinity;

  override range(range: KeyRange, limit: number): Entry[] {
    return super.range(range, Math.min(limit, range.reverse ? limit : this.rowsMax));
  }

  override keys(range: KeyRange, limit: number): Uint8Array[] {
    return super.keys(range, Math.min(limit, range.reverse ? limit : this.rowsMax));
  }
}

for (const rowsMax of [0, 2]) {
  for (const side of [0, 1]) {
    const name = ["append", "B-tree"][side];
    test(`backup() reports no success where the ${name} side shows ${rowsMax} of 5 keys`, {
      timeout: 600_000,
    }, async () => {
      using temp = tempDirectory();
      const engines = { append: new ShortSighted(), btree: new ShortSighted() };
      for (const [index, engine] of [engines.append, engines.btree].entries()) {
        const writes = [1, 2, 3, 4, 5].map((i) => put(keysOf(i)[index]!, pattern(i)));
        await engine.apply(writes, 1n);
      }
      const source = { layers: [], engines, router: new Router() };
      const records = { backlogStart: 1n, async *backlog() {} };
      const moment = { source, position: 1n, note: undefined, release: () => {}, ...records };
      const copy = (target: string) => {
        return writeBackup("Cannot back up store", () => moment, join(temp.path, target), () => {});
      };
      assertEquals((await copy("whole")).keys, 10);
      [engines.append, engines.btree][side]!.rowsMax = rowsMax;
      const error = await assertRejects(() => copy("short"), StoreError);
      assertEquals((error as StoreError).code, "IO");
      assertStringIncludes((error as StoreError).message, "Cannot back up store");
      assertEquals(fs.readdirSync(temp.path), ["whole"]);
    });
  }
}
