import * as fs from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { basename, join } from "@std/path";
import { HybridStore } from "../../mod.ts";
import { bytes } from "../conformance/_kit.ts";
import { recordBytes } from "../support/store.ts";
import { tempDirectory } from "../support/temp.ts";
import { copies } from "./_outcomes.ts";
import { dump, mvKeyOf, rejects, segmentsOf } from "./_stores.ts";
import { crashImage } from "../support/crash_image.ts";

const VALUE = bytes(1, 2, 3);
const TIMEOUT = { timeout: 600_000 };

/** A killed store with records that both engines have, in some segments, and records that they lack. */
async function createImage(temp: string, segmentBytes?: number): Promise<{
  image: string;
  contents: string[];
  /** Journal offsets at which records begin, and where the records begin that the engines lack. */
  offsets: number[];
  position: number;
}> {
  const names = Array.from({ length: 20 }, (_, number) => `a${number}`);
  const recordsBytes = names.map((name) => recordBytes(mvKeyOf(name), VALUE));
  const store = await HybridStore.open(join(temp, "store"), {
    durability: "always",
    memtableBytes: recordsBytes.reduce((sum, bytes) => sum + bytes),
    ...(segmentBytes !== undefined && { segmentBytes }),
  });
  const offsets: number[] = [];
  const put = async (name: string) => {
    offsets.push(store.stats().journal.bytes);
    await store.put(mvKeyOf(name), VALUE);
  };
  for (const name of names) await put(name);
  // All of it is as much as a memtable may hold, and the engines take it.
  while (store.stats().memtable.keys > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const position = store.stats().journal.bytes;
  for (let number = 0; number < 5; number++) await put(`b${number}`);
  const image = await crashImage(store, join(temp, "image"));
  const contents = dump(store);
  await store.close();
  return { image, contents, offsets, position };
}

/** Flips a bit of the journal's byte at an offset. */
function flip(directory: string, offset: number): void {
  const segment = segmentsOf(directory).findLast((path) =>
    Number(basename(path, ".seg")) <= offset
  )!;
  const content = fs.readFileSync(segment);
  content[16 + offset - Number(basename(segment, ".seg"))]! ^= 1;
  fs.writeFileSync(segment, content);
}

for (const segmentBytes of [undefined, 400]) {
  const shape = segmentBytes === undefined ? "one segment" : "many segments";
  test(`damage to records that both engines have costs nothing, in ${shape}`, TIMEOUT, async () => {
    using temp = tempDirectory();
    const { image, contents, offsets, position } = await createImage(temp.path, segmentBytes);
    const needed = offsets.filter((offset) => offset >= position);
    assertEquals(needed.length, 5);
    const damages = Object.fromEntries(
      offsets.map((offset) => [`${offset}`, (copy: string) => flip(copy, offset + 45)]),
    );
    for (const copy of copies(image, join(temp.path, "copies"), damages)) {
      const offset = Number(basename(copy));
      const { ok, faults } = await HybridStore.verify(copy);
      assert(
        !ok && faults.every(({ part }) => part === "journal"),
        `${offset}: ${JSON.stringify(faults)}`,
      );
      if (offset >= position) {
        await rejects(() => HybridStore.open(copy), "CORRUPT", /HybridStore\.repair\(\)/);
        continue;
      }
      const report = await HybridStore.repair(copy);
      assertEquals([report.ok, report.setAside, report.faults], [true, undefined, faults]);
      const store = await HybridStore.open(copy);
      assertEquals(dump(store), contents, `${offset}`);
      assertEquals(store.stats().recovery.replayed, 5);
      // It goes with the segments, when nobody can need them any more.
      for (let round = 0; round < 3; round++) {
        await store.put(mvKeyOf("c"), bytes(round));
        await store.checkpoint();
      }
      assertEquals((await store.verify()).faults, []);
      await store.close();
      assertEquals((await HybridStore.verify(copy)).faults, []);
    }
  });
}

test("segments that both engines have may be missing or without a header", TIMEOUT, async () => {
  using temp = tempDirectory();
  const { image, contents, position } = await createImage(temp.path, 400);
  const segments = segmentsOf(image);
  const bases = segments.map((path) => Number(basename(path, ".seg")));
  const below = bases.filter((_, index) => (bases[index + 1] ?? Infinity) <= position).length;
  assertGreater(below, 2);
  const damages: Record<string, (copy: string) => void> = {
    "the first": (copy) => fs.rmSync(segmentsOf(copy)[0]!),
    "one in the midst": (copy) => fs.rmSync(segmentsOf(copy)[1]!),
    "all": (copy) => segmentsOf(copy).slice(0, below).forEach((path) => fs.rmSync(path)),
    "a header": (copy) => fs.writeFileSync(segmentsOf(copy)[1]!, noHeader(segmentsOf(copy)[1]!)),
    "an end": (copy) => fs.truncateSync(segmentsOf(copy)[1]!, 30),
    "everything in one": (copy) => fs.truncateSync(segmentsOf(copy)[1]!, 0),
  };
  for (const copy of copies(image, join(temp.path, "copies"), damages)) {
    const store = await HybridStore.open(copy);
    assertEquals(dump(store), contents, copy);
    await store.close();
  }
  const [copy] = copies(image, join(temp.path, "needed"), {
    needed: (copy) => fs.rmSync(segmentsOf(copy).at(-2)!),
  });
  await rejects(() => HybridStore.open(copy!), "CORRUPT", /HybridStore\.repair\(\)/);
});

test("a journal that was cut below both positions is refused, and repaired", TIMEOUT, async () => {
  using temp = tempDirectory();
  const { image, contents, offsets, position } = await createImage(temp.path);
  for (const at of [offsets[3]!, position - 1]) {
    const [copy] = copies(image, join(temp.path, `${at}`), {
      cut: (copy) => fs.truncateSync(segmentsOf(copy)[0]!, 16 + at),
    });
    await rejects(() => HybridStore.open(copy!), "CORRUPT", /HybridStore\.repair\(\)/);
    const report = await HybridStore.repair(copy!);
    assertEquals([report.ok, report.kept.btree], [false, 20]);
    const store = await HybridStore.open(copy!);
    assertEquals(dump(store), contents.filter((row) => row.includes(":a")));
    await store.close();
  }
});

function noHeader(path: string): Uint8Array {
  return fs.readFileSync(path).fill(0, 0, 16);
}
