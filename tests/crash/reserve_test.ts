import * as fs from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess } from "@std/assert";
import { basename, join } from "@std/path";
import { HybridStore } from "../../mod.ts";
import { JournalReader } from "../../journal/mod.ts";
import { Child } from "../backends/_child.ts";
import { pattern } from "../conformance/_kit.ts";
import { tempDirectory } from "../support/temp.ts";
import { decodeJournal } from "../journal/_format.ts";
import { digest, keysOf, rejects, segmentsOf } from "./_stores.ts";
import { crashImage } from "../support/crash_image.ts";

/** More than any record of the child has. */
const RECORD_BYTES_MAX = 500;
const PAGE_BYTES = 4096;
const TIMEOUT = { timeout: 600_000 };

/** Resolves once a child has said so many lines, or has ended. */
async function waitForLines(child: Child, count: number): Promise<void> {
  let hasEnded = false;
  const ended = child.ending.then(() => hasEnded = true);
  while (child.lines.length < count && !hasEnded) {
    await Promise.race([new Promise((resolve) => setTimeout(resolve, 1)), ended]);
  }
}

/** Returns how many bytes of the journal's last segment are not part of a record. */
function reservedBytes(directory: string): number {
  const segment = segmentsOf(directory).at(-1)!;
  const mark = fs.readFileSync(join(directory, "journal", ".durable")).readBigUInt64LE(0);
  const end = 16 + Number(mark - BigInt(basename(segment, ".seg")));
  return fs.statSync(segment).size - end;
}

for (const segmentBytes of [3000, 300_000]) {
  test(
    `a kill leaves zeros that nobody hears of, in segments of ${segmentBytes} bytes`,
    TIMEOUT,
    async () => {
      using temp = tempDirectory();
      let count = 0;
      let withZeros = 0;
      for (let kill = 0; kill < 8; kill++) {
        using child = new Child("../crash/_reserve_child.ts", temp.path, `${segmentBytes}`);
        await waitForLines(child, 40 + kill * 7);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
        child.process.kill("SIGKILL");
        const { signal, errors, lines } = await child.ending;
        assertEquals(signal, "SIGKILL", errors);
        if (reservedBytes(temp.path) > 0) withZeros++;

        const store = await HybridStore.open(temp.path, { segmentBytes });
        const { recovery } = store.stats();
        // Short segments follow each other so fast that some kill hits the creation of one. A kill may also hit
        // the write of a record, which the system then ends at the border of a page: rare, and no zeros.
        const { reason = "", truncatedBytes } = recovery;
        assert(/^((unfinished segment|torn tail) at offset \d+(: \w+)?)?$/.test(reason), reason);
        assertLess(truncatedBytes, reason.startsWith("torn") ? RECORD_BYTES_MAX : 1, reason);
        // Where zeros of the record itself lie before the border, they count as reserved.
        const tornAt = fs.statSync(segmentsOf(temp.path).at(-1)!).size + truncatedBytes;
        if (truncatedBytes > 0) {
          assertLess((PAGE_BYTES - tornAt % PAGE_BYTES) % PAGE_BYTES, 8, reason);
        }
        assertEquals(reservedBytes(temp.path), 0);
        const told = Number(lines.at(-1)) + 1;
        assertGreaterOrEqual(told, count + 40);
        count = await store.count();
        assert(count === told || count === told + 1, `${count} keys, ${told} told`);
        for (let number = 0; number < count; number++) {
          const value = store.getSync(keysOf(number)[number % 2]!);
          assertEquals(value, pattern(10 + number % 300, number));
        }
        await store.close();
        // Without zeros anywhere: this decoder knows of none.
        await decodeJournal(join(temp.path, "journal"));
      }
      assertGreater(withZeros, 3);
    },
  );
}

test("segments that a store has done with, or closed, end with a record", async () => {
  using temp = tempDirectory();
  const options = { durability: "always", segmentBytes: 5000 } as const;
  for (let life = 0; life < 3; life++) {
    const store = await HybridStore.open(temp.path, options);
    for (let number = 0; number < 30; number++) {
      await store.put(keysOf(number)[0], pattern(300, number + life));
    }
    assertGreater(reservedBytes(temp.path), 0);
    const segments = segmentsOf(temp.path);
    assertGreater(segments.length, 2);
    const bases = segments.map((segment) => Number(basename(segment, ".seg")));
    for (const [index, segment] of segments.slice(0, -1).entries()) {
      assertEquals(fs.statSync(segment).size, 16 + bases[index + 1]! - bases[index]!);
    }
    await store.close();
    assertEquals(reservedBytes(temp.path), 0);
    await decodeJournal(join(temp.path, "journal"));
  }
});

test("zeros over records that a store had synced are CORRUPT", TIMEOUT, async () => {
  using temp = tempDirectory();
  const store = await HybridStore.open(join(temp.path, "store"), { durability: "always" });
  for (let number = 0; number < 10; number++) {
    await store.put(keysOf(number)[0], pattern(50, number));
  }
  const contents = digest(store);
  const image = await crashImage(store, join(temp.path, "image"));
  await store.close();
  const [segment] = segmentsOf(image);
  const content = fs.readFileSync(segment!);
  const end = content.length - reservedBytes(image);
  const reader = await JournalReader.open(join(image, "journal"));
  const offsets: number[] = [];
  for await (const { offset } of reader.entries()) offsets.push(16 + Number(offset));
  reader.close();
  assertEquals(offsets.length, 10);
  // From the beginnings of records, and from within them.
  for (const from of offsets.flatMap((offset) => [offset, offset + 1, offset + 45])) {
    for (const to of [end, content.length]) {
      const damaged = new Uint8Array(content).fill(0, from, to);
      fs.writeFileSync(segment!, damaged);
      const error = await rejects(() => HybridStore.open(image), "CORRUPT", /restore a backup/);
      assert(error.message.includes(segment!), error.message);
      assert(fs.readFileSync(segment!).equals(damaged), "what is damaged was changed");
    }
  }
  fs.writeFileSync(segment!, content);
  await using whole = await HybridStore.open(image);
  assertEquals(digest(whole), contents);
});

test("a reader sees what a store writes, over zeros and from one segment to the next", async () => {
  using temp = tempDirectory();
  await using store = await HybridStore.open(temp.path, {
    durability: "always",
    segmentBytes: 2000,
    // Segments stay: nothing is applied.
    memtableBytes: 10_000_000,
  });
  const reader = await JournalReader.open(join(temp.path, "journal"));
  let cursor = 0n;
  for (let number = 0; number < 60; number++) {
    assertEquals(await reader.read(cursor), undefined);
    await store.put(keysOf(number)[0], pattern(100, number));
    const record = await reader.read(cursor);
    assert(record !== undefined, `nothing at ${cursor}`);
    cursor = record.next;
  }
  reader.close();
  assertGreater(segmentsOf(temp.path).length, 2);
});

test("a store is verified and backed up with zeros behind its records", async () => {
  using temp = tempDirectory();
  const path = join(temp.path, "store");
  await using store = await HybridStore.open(path, { durability: "always" });
  for (let number = 0; number < 20; number++) {
    await store.put(keysOf(number)[number % 2]!, pattern(50, number));
  }
  assertGreater(reservedBytes(path), 1000);
  const report = await store.verify();
  assertEquals([report.ok, report.faults], [true, []]);
  await store.backup(join(temp.path, "copy"));
  await using copy = await HybridStore.open(join(temp.path, "copy"));
  assertEquals(digest(copy), digest(store));
});
