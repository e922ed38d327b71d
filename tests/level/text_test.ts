import { Buffer } from "node:buffer";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { HybridLevel } from "../../level/mod.ts";
import { textByDecoder, textOf } from "../../level/text.ts";

const TEXTS = [
  "",
  "a",
  "ünïcödé",
  "𝄞 music",
  "\ufeffwith a byte order mark",
  "nul\0nul",
  "x".repeat(8 * 1024),
  "ü".repeat(8 * 1024),
  "long ".repeat(4000),
  "界".repeat(20_000),
];

test("text comes back as it was, as key and as value", async () => {
  await using db = new HybridLevel(":memory:");
  for (const text of TEXTS) {
    await db.put("key", text);
    assertEquals(await db.get("key") === text, true, text.slice(0, 20));
    assertEquals(db.getSync("key") === text, true);
    assertEquals(await db.getMany(["key", "none"]), [text, undefined]);
    assertEquals(await db.values().all(), [text]);
    if (text.length > 800) continue;
    await db.put(text, "value");
    assertEquals(await db.keys({ gte: text, lte: text }).all(), [text]);
    assertEquals(await db.has(text), true);
    await db.clear();
  }
  await db.put("json", { "\ufeff": ["ü"] } as unknown as string, { valueEncoding: "json" });
  assertEquals(await db.get("json"), '{"\ufeff":["ü"]}');
});

test("half a surrogate pair becomes U+FFFD", async () => {
  await using db = new HybridLevel(":memory:");
  await db.put("a\ud800", "\udc00b");
  assertEquals(await db.iterator().all(), [["a\ufffd", "\ufffdb"]]);
  assertEquals(await db.get("a\ud800"), "\ufffdb");
});

test("the fast way to decode gives the same text as the one that is everywhere", () => {
  const encoder = new TextEncoder();
  const wrong = [[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0x61, 0x80, 0x62], [
    0xf0,
    0x9f,
  ]];
  for (
    const bytes of [
      ...wrong.map((bytes) => Uint8Array.from(bytes)),
      ...TEXTS.map((text) => encoder.encode(text)),
    ]
  ) {
    assertEquals(textOf(bytes) === textByDecoder(bytes), true, `${bytes.subarray(0, 20)}`);
    assertEquals(textOf(Uint8Array.of(1, ...bytes).subarray(1)) === textOf(bytes), true);
  }
  for (const text of TEXTS) assertEquals(textByDecoder(encoder.encode(text)) === text, true);
});

test("every encoding of Level reads what it wrote, and the bytes are the caller's", async () => {
  await using db = new HybridLevel<Uint8Array | string, unknown>(":memory:");
  const bytes = Uint8Array.of(0, 0xff, 0x80);
  for (
    const [valueEncoding, value] of Object.entries({
      view: bytes,
      buffer: Buffer.from(bytes),
      hex: "00ff80",
      base64: "AP+A",
      json: { a: [1] },
      utf8: "text",
    })
  ) {
    for (const keyEncoding of ["view", "buffer"]) {
      const options = { keyEncoding, valueEncoding };
      await db.put(bytes, value, options);
      assertEquals(await db.get(bytes, options), value);
      const [[key, found]] = await db.iterator(options).all() as [[Uint8Array, unknown]];
      assertEquals([Uint8Array.from(key), found], [bytes, value]);
      key.fill(7);
      assertEquals(await db.has(bytes, { keyEncoding }), true);
    }
  }
});
