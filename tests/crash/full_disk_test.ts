import { test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { runChild } from "../backends/_child.ts";
import { noSmallDisk, SmallDisk } from "./_small_disk.ts";

const CHILD = "../crash/_full_disk_child.ts";
const OPTIONS = { skip: noSmallDisk(), timeout: 600_000 };

for (const mode of ["stay", "close"]) {
  test(`a full disk is NO_SPACE, and over with space (${mode})`, OPTIONS, async () => {
    using disk = new SmallDisk(40 * 2 ** 20);
    const { code, signal, lines, errors } = await runChild(CHILD, mode, disk.path);
    const [refusals, ...rest] = lines;
    assertMatch(refusals ?? "", /no space|full/i, errors);
    const closed = mode === "close" ? ["closed"] : [];
    assertEquals(rest, ["reads go on", ...closed, "writes work again", "reopened"], errors);
    assertEquals([code, signal], [0, null], errors);
  });
}

test("HybridStore.flush() rejects after an un-awaited write on a full disk", OPTIONS, async () => {
  using disk = new SmallDisk(40 * 2 ** 20);
  const { code, signal, lines, errors } = await runChild(CHILD, "unawaited", disk.path);
  assertEquals(lines, ["flush rejects", "flush resolves"], errors);
  assertEquals([code, signal], [0, null], errors);
});

test("a backup that does not fit is NO_SPACE, and leaves nothing", OPTIONS, async () => {
  using disk = new SmallDisk(80 * 2 ** 20);
  const { code, signal, lines, errors } = await runChild(CHILD, "backup", disk.path);
  assertEquals(lines, ["no half backups", "backed up"], errors);
  assertEquals([code, signal], [0, null], errors);
});
