import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import {
  DEFAULT_SEGMENT_BYTES,
  FORMAT_VERSION,
  Journal,
  JournalReader,
  MAX_PAYLOAD_BYTES,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
} from "../../journal/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import {
  concat,
  crc32cBitwise,
  decodeJournal,
  littleEndian,
  segmentName,
  segmentNames,
  writeSegment,
} from "./_format.ts";
import { appendAll, payloadOf, readAll } from "./_journals.ts";

const text = new TextEncoder();

test("the decoder of these tests knows the check value of CRC32C", () => {
  assertEquals(crc32cBitwise(text.encode("123456789")), 0xe3069283);
});

test("a segment is 48534a4c, version 2, base offset, then len, crc32c, blake3, payload", async () => {
  using temp = tempDirectory();
  const journal = await Journal.open(temp.path);
  await journal.append(text.encode("abc"));
  await journal.close();

  // The digest of "abc" as the BLAKE3 reference implementation gives it.
  const digest = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
  const hash = Uint8Array.from(digest.match(/../g)!, (pair) => parseInt(pair, 16));
  const length = Uint8Array.of(3, 0, 0, 0);
  const crc = crc32cBitwise(concat(length, hash, text.encode("abc")));
  const expected = concat(
    Uint8Array.of(0x48, 0x53, 0x4a, 0x4c, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    length,
    littleEndian(crc, 4),
    hash,
    text.encode("abc"),
  );
  const bytes = readFileSync(join(temp.path, segmentName(0)));
  assertEquals(new Uint8Array(bytes), expected);
});

// Around the header sizes, around a segment, beyond the first buffer, beyond a group.
const LENGTHS = [
  0,
  1,
  2,
  15,
  16,
  39,
  40,
  41,
  0,
  199,
  200,
  201,
  255,
  256,
  1000,
  0,
  70_000,
  1,
  1.2e6,
];

test("what Journal.append() writes is read back by an independent decoder", async () => {
  using temp = tempDirectory();
  const payloads = LENGTHS.map((length, i) => payloadOf(i, length));
  const journal = await Journal.open(temp.path, { segmentBytes: 256 });
  const one = await appendAll(journal, payloads);
  const offsets = await Promise.all(payloads.map((payload) => journal.append(payload)));
  await journal.close();

  assertGreater(segmentNames(temp.path).length, 10);
  const all = [...one, ...payloads.map((payload, i) => ({ offset: offsets[i]!, payload }))];
  assertEquals(await decodeJournal(temp.path), all);
});

test("segments that an independent encoder wrote are read by Journal and JournalReader", async () => {
  using temp = tempDirectory();
  // The oldest segment need not start at 0: those before it may have been removed.
  const segments: [bigint, number[]][] = [
    [1_000_000_000_000n, [5, 0, 1]],
    [1_000_000_000_126n, [3000]],
    [1_000_000_003_166n, [70_000, 0, 12]],
  ];
  const expected: { offset: bigint; payload: Uint8Array }[] = [];
  for (const [base, lengths] of segments) {
    const payloads = lengths.map((length) => payloadOf(length, length));
    await writeSegment(temp.path, base, payloads);
    let offset = base;
    for (const payload of payloads) {
      expected.push({ offset, payload });
      offset += 40n + BigInt(payload.length);
    }
  }

  const reader = await JournalReader.open(temp.path);
  assertEquals(await readAll(reader), expected);
  for (const { offset, payload } of [...expected].reverse()) {
    assertEquals((await reader.read(offset))?.payload, payload);
  }
  reader.close();

  await using journal = await Journal.open(temp.path);
  assertEquals(journal.recovery, { records: 7, truncatedBytes: 0 });
  assertEquals(await readAll(journal), expected);
  assertEquals(journal.stats().bytes, 126 + 3040 + 70_132);
  const last = await journal.append(payloadOf(1, 1));
  assertEquals(last, 1_000_000_003_166n + 70_132n);
  assertEquals((await decodeJournal(temp.path)).length, 8);
});

test("the sizes that are exported are those of the format", () => {
  assertEquals([FORMAT_VERSION, SEGMENT_HEADER_BYTES, RECORD_HEADER_BYTES], [2, 16, 40]);
  assertEquals([MAX_PAYLOAD_BYTES, DEFAULT_SEGMENT_BYTES], [2 ** 30, 64 * 2 ** 20]);
});
