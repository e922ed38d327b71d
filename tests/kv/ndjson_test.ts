import fc from "fast-check";
import { Buffer } from "node:buffer";
import { createReadStream, createWriteStream, statSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as NodeStream } from "node:stream/web";
import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { exportNdjson, importNdjson, type Kv, type KvKey, KvU64, openKv } from "../../kv/mod.ts";
import { valueFromJson, valueToJson } from "../../kv/_json.ts";
import { encodeEntry, seal, valueOf } from "../../kv/value.ts";
import { tempDirectory } from "../support/temp.ts";
import { withClock } from "./_clock.ts";
import { show, values } from "./_values.ts";

async function textOf(kv: Kv): Promise<string> {
  return await new Response(exportNdjson(kv)).text();
}

/** Cuts bytes into pieces of a length. */
async function* pieces(text: string, length: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += length) {
    await Promise.resolve();
    yield bytes.subarray(at, at + length);
  }
}

async function allOf(kv: Kv): Promise<string[]> {
  const found: string[] = [];
  for await (const { key, value } of kv.list({ prefix: [] })) {
    found.push(`${show(key)} ${value instanceof KvU64 ? `u64 ${value}` : show(value)}`);
  }
  return found;
}

function roundtrip(value: unknown): unknown {
  const entry = encodeEntry(value);
  seal(entry, 1n, 0);
  const json = valueToJson(valueOf(entry), entry);
  return valueFromJson(JSON.parse(JSON.stringify(json)));
}

test(
  "all kinds of keys and values come back from lines of JSON",
  { timeout: 600_000 },
  async () => {
    await using kv = await openKv(":memory:");
    await using copy = await openKv(":memory:");
    let i = 0;
    for (const value of Object.values(values())) await kv.set(["value", i++], value);
    const parts = [
      "",
      'a\n"é\u2028',
      0,
      -0,
      1.5,
      NaN,
      Infinity,
      -Infinity,
      0n,
      -(2n ** 70n),
      true,
      false,
    ];
    for (const part of [...parts, new Uint8Array([0, 255])]) await kv.set([part as string], part);
    await kv.set(["counter"], new KvU64(2n ** 64n - 1n));
    const before = await allOf(kv);
    const text = await textOf(kv);
    for (const length of [999, 100_000]) {
      const { entries } = await importNdjson(copy, pieces(text, length));
      assertEquals(entries, before.length);
      assertEquals(await allOf(copy), before);
      await copy.deleteRange({ prefix: [] });
    }
  },
);

test("lines may be cut anywhere", async () => {
  await using kv = await openKv(":memory:");
  await using copy = await openKv(":memory:");
  for (const text of ["é", "\n", "𝄞𝄞", ""]) await kv.set([text], text);
  const text = (await textOf(kv)).replaceAll("\n", "\r\n\r\n").trim();
  for (let length = 1; length < 9; length++) {
    assertEquals(await importNdjson(copy, pieces(text, length)), { entries: 4 });
    assertEquals(await allOf(copy), await allOf(kv));
    await copy.deleteRange({ prefix: [] });
  }
});

test("lines have the form of Deno's tools", async () => {
  await using kv = await openKv(":memory:");
  const value = {
    text: "a",
    number: 1,
    big: 5n,
    none: null,
    missing: undefined,
    list: [NaN, true],
    date: new Date(0),
    expression: /a\/b/gi,
    map: new Map([["k", new Set([1])]]),
    bytes: new Uint8Array([1, 2, 3]),
    words: new Uint16Array([1]),
    buffer: new Uint8Array([251, 255]).buffer,
  };
  const { versionstamp } = await kv.set(["k", 1n, true, new Uint8Array([1])], value);
  assertEquals(JSON.parse(await textOf(kv)), {
    key: [
      { type: "string", value: "k" },
      { type: "bigint", value: "1" },
      { type: "boolean", value: true },
      { type: "Uint8Array", value: "AQ", byteLength: 1 },
    ],
    value: {
      type: "object",
      value: {
        text: { type: "string", value: "a" },
        number: { type: "number", value: 1 },
        big: { type: "bigint", value: "5" },
        none: { type: "null", value: null },
        missing: { type: "undefined" },
        list: {
          type: "Array",
          value: [{ type: "number", value: "NaN" }, { type: "boolean", value: true }],
        },
        date: { type: "Date", value: "1970-01-01T00:00:00.000Z" },
        expression: { type: "RegExp", value: "/a\\/b/gi" },
        map: {
          type: "Map",
          value: [[{ type: "string", value: "k" }, {
            type: "Set",
            value: [{ type: "number", value: 1 }],
          }]],
        },
        bytes: { type: "Uint8Array", value: "AQID", byteLength: 3 },
        words: { type: "Uint16Array", value: "AQA", byteLength: 2 },
        buffer: { type: "ArrayBuffer", value: "-_8", byteLength: 2 },
      },
    },
    versionstamp,
  });
  // What they write is read.
  await using copy = await openKv(":memory:");
  const line = {
    key: [{ type: "string", value: "e" }],
    value: {
      type: "RangeError",
      value: { message: "m", stack: "s", cause: { type: "number", value: 1 } },
    },
    versionstamp: "00000000000000010000",
  };
  await importNdjson(copy, new Response(`\n${JSON.stringify(line)}\r\n\n`).body!);
  const { value: error } = await copy.get<RangeError>(["e"]);
  assert(error instanceof RangeError);
  assertEquals([error.message, error.stack, error.cause], ["m", "s", 1]);
});

test("what Deno's tools would read as another value is not in their form", () => {
  const jsonOf = (value: unknown) => {
    const entry = encodeEntry(value);
    return JSON.stringify(valueToJson(valueOf(entry), entry));
  };
  // They read numbers as JSON.parse() does, null as a date in 1970, and `__proto__` as the prototype.
  assertEquals(jsonOf([-0]), '{"type":"Array","value":[{"type":"number","value":-0}]}');
  for (const value of [new Date(NaN), [new Date(NaN)], JSON.parse('{"__proto__":1}')]) {
    assertEquals(JSON.parse(jsonOf(value)).type, "HybridStore");
  }
  const read = valueFromJson({ type: "Date", value: null }) as Date;
  assertEquals(read.getTime(), NaN);
  assertThrows(() => valueFromJson({ type: "number", value: "-0" }), TypeError);
  assertThrows(() => valueFromJson({ type: "Uint8Array", value: "AQIDB" }), TypeError, "base64");
});

test("what the form cannot say has a type of its own, in which damage is found", () => {
  const circle: unknown[] = [];
  circle.push(circle);
  const shared = { a: 1 };
  for (
    const value of [circle, [shared, shared], [-0, , 1], "\ud800", { ["__proto__"]: 1 }, Object(1)]
  ) {
    assertEquals(show(roundtrip(value)), show(value));
  }
  const entry = encodeEntry(circle);
  const { type, value } = valueToJson(circle, entry) as { type: string; value: string };
  assertEquals(type, "HybridStore");
  for (let at = 0; at < value.length - 1; at++) {
    const other = value[at] === "A" ? "B" : "A";
    const damaged = value.slice(0, at) + other + value.slice(at + 1);
    assertThrows(() => valueFromJson({ type, value: damaged }));
  }
});

test("property: every value comes back from JSON as it was", () => {
  const anything = fc.anything({
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    withNullPrototype: true,
  });
  fc.assert(
    fc.property(anything, (value) => {
      let entry: Uint8Array;
      try {
        entry = encodeEntry(value);
      } catch {
        return;
      }
      seal(entry, 1n, 0);
      assertEquals(show(roundtrip(value)), show(valueOf(entry)));
    }),
    { numRuns: 300 },
  );
});

test("expiry goes along, and what has expired is left out", async () => {
  await withClock(async (clock) => {
    await using kv = await openKv(":memory:");
    await using copy = await openKv(":memory:");
    await kv.set(["short"], 1, { expireIn: 100 });
    await kv.set(["long"], 2, { expireIn: 10_000 });
    await kv.set(["gone"], 3, { expireIn: 10 });
    clock.now += 10;
    const text = await textOf(kv);
    assertEquals(text.trim().split("\n").length, 2);
    clock.now += 90;
    assertEquals(await importNdjson(copy, pieces(text, 50)), { entries: 1 });
    assertEquals((await copy.get(["long"])).value, 2);
    clock.now += 9_899;
    assertEquals((await copy.get(["long"])).value, 2);
    clock.now += 1;
    assertEquals((await copy.get(["long"])).value, null);
  });
});

test("a blob that has expired is left out, and what follows it is not", async () => {
  await withClock(async (clock) => {
    await using kv = await openKv(":memory:");
    await using copy = await openKv(":memory:");
    await kv.setBlob(["b"], new Uint8Array(200_000), { expireIn: 10 });
    await kv.set(["c"], 1);
    const text = await textOf(kv);
    clock.now += 10;
    assertEquals(await importNdjson(copy, pieces(text, 9999)), { entries: 1 });
    assertEquals(await allOf(copy), await allOf(kv));
  });
});

test("blobs go along, in lines of their own", async () => {
  await using kv = await openKv(":memory:");
  await using copy = await openKv(":memory:");
  const bytes = new Uint8Array(200_000).map((_, i) => i * 7);
  await kv.setBlob(["b"], bytes);
  await kv.setBlob(["e"], new Uint8Array(0));
  await kv.set(["z"], 1);
  const text = await textOf(kv);
  assertEquals(await importNdjson(copy, pieces(text, 999)), { entries: 3 });
  const { value } = await copy.getBlob(["b"]);
  assertEquals(
    new Uint8Array(
      await new Response(value as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
    ),
    bytes,
  );
  assertEquals((await copy.getBlob(["e"])).size, 0);
  await copy.deleteRange({ prefix: [] });
  const lines = text.split("\n");
  for (
    const [broken, message] of [
      [lines.toSpliced(2, 1), "line 5 is wrong: it is not a chunk of the blob before it"],
      [lines.slice(0, 3), "line 3 is wrong: its blob lacks 68928 of 200000 bytes"],
    ] as const
  ) {
    const source = pieces(broken.join("\n"), 9999);
    await assertRejects(() => importNdjson(copy, source), TypeError, message);
  }
  assertEquals((await copy.getBlob(["b"])).value, null);
});

test("a wrong line is named, and those before it are there", async () => {
  await using kv = await openKv(":memory:");
  const line = (key: KvKey) =>
    JSON.stringify({
      key: key.map((value) => ({ type: "string", value })),
      value: { type: "null", value: null },
    });
  const wrong: [string, string][] = [
    ["{", "JSON"],
    ["[]", "it has no key"],
    ["7", "it has no key"],
    [JSON.stringify({ key: "a", value: { type: "null" } }), "its key is not a list"],
    [
      JSON.stringify({ key: [{ type: "Map", value: [] }], value: { type: "null" } }),
      "its key has a part of the type",
    ],
    [
      JSON.stringify({ key: [{ type: "string", value: "a" }], value: { type: "toString" } }),
      "no value of the type",
    ],
    [JSON.stringify({ key: [{ type: "string", value: "a" }], value: 7 }), "has no type"],
    [JSON.stringify({ key: [], value: { type: "null", value: null } }), "empty"],
    [
      JSON.stringify({
        key: [{ type: "string", value: "a" }],
        value: { type: "bigint", value: "x" },
      }),
      "bigint",
    ],
    [
      JSON.stringify({
        key: [{ type: "string", value: "a" }],
        value: { type: "null" },
        expiresAt: "x",
      }),
      "expiresAt",
    ],
  ];
  for (const [text, message] of wrong) {
    const source = `${line(["1"])}\n\n${line(["2"])}\n${text}\n${line(["3"])}`;
    const error = await assertRejects(() => importNdjson(kv, pieces(source, 33)), TypeError);
    assert(error.message.startsWith("Cannot import into Kv: line 4 is wrong: "), error.message);
    assert(error.message.includes(message), error.message);
    assert(error.message.endsWith("the 2 entries before it are there"), error.message);
    assertEquals(await kv.deleteRange({ prefix: [] }), 2);
  }
  const source = async function* (...given: unknown[]) {
    for (const each of given) yield await Promise.resolve(each as Uint8Array);
  };
  const bytes = new TextEncoder().encode(`${line(["1"])}\n\n${line(["2"])}\n"`);
  for (const cut of [[0xc3], [0xff, 0x0a, 0x7b, 0x7d]]) {
    const wrong = new Uint8Array([...bytes, ...cut]);
    const error = await assertRejects(() => importNdjson(kv, source(wrong)), TypeError);
    assert(error.message.startsWith("Cannot import into Kv: line 4 is wrong: "), error.message);
    assert(error.message.endsWith("the 2 entries before it are there"), error.message);
  }
  await assertRejects(() => importNdjson(kv, 5 as never), TypeError, "the source is a number");
  await assertRejects(() => importNdjson({} as never, pieces("", 1)), TypeError, "not a Kv");
  assertThrows(() => exportNdjson({} as never), TypeError, "not a Kv");
  const gave = "Cannot import into Kv: the source gave a number, neither bytes nor text";
  await assertRejects(() => importNdjson(kv, source(bytes, 5)), TypeError, gave);
});

test("what fails beside the lines is not told of a line", async () => {
  await using kv = await openKv(":memory:");
  const line = '{"key":[{"type":"string","value":"a"}],"value":{"type":"null","value":null}}\n';
  const failure = new TypeError("the connection is gone");
  const failing = async function* () {
    yield await Promise.resolve(line);
    throw failure;
  };
  const onProgress = () => {
    throw failure;
  };
  for (
    const call of [
      () => importNdjson(kv, failing()),
      () => importNdjson(kv, pieces(line, 10), { onProgress }),
    ]
  ) {
    assertEquals(await assertRejects(call), failure);
  }
  await kv.close();
  const closed = await assertRejects(() => importNdjson(kv, pieces(line, 10)), Error);
  assertEquals(closed.name, "BadResource");
  await assertRejects(() => new Response(exportNdjson(kv)).text());
});

test("pieces may be text, cut in a character too, bytes that are used again, or have a mark in front", async () => {
  await using kv = await openKv(":memory:");
  await using copy = await openKv(":memory:");
  for (const text of ["a", "é", "𝄞𝄞", ""]) await kv.set([text], text);
  const text = `\ufeff${await textOf(kv)}`;
  const asText = async function* () {
    for (const unit of text.split("")) yield await Promise.resolve(unit);
  };
  const asOneBuffer = async function* () {
    const buffer = Buffer.alloc(7);
    for await (const piece of pieces(text, 7)) {
      buffer.set(piece);
      yield buffer.subarray(0, piece.length);
    }
  };
  for (const source of [asText(), asOneBuffer(), new Blob([text]).stream()]) {
    assertEquals(await importNdjson(copy, source), { entries: 4 });
    assertEquals(await allOf(copy), await allOf(kv));
    await copy.deleteRange({ prefix: [] });
  }
});

test("exports go into files and come from them", async () => {
  await using kv = await openKv(":memory:");
  await using copy = await openKv(":memory:");
  for (let i = 0; i < 3000; i++) await kv.set([i], { text: `é${i}`.repeat(20) });
  using directory = tempDirectory();
  const path = join(directory.path, "kv.ndjson");
  const stream = exportNdjson(kv) as NodeStream<Uint8Array>;
  await pipeline(Readable.fromWeb(stream), createWriteStream(path));
  assertEquals(await importNdjson(copy, createReadStream(path)), { entries: 3000 });
  assertEquals(await allOf(copy), await allOf(kv));
  let length = 0;
  for await (const bytes of exportNdjson(kv)) length += bytes.length;
  assertEquals(length, statSync(path).size);
  const { Bun } = globalThis as { Bun?: { write(path: string, of: Response): Promise<number> } };
  if (Bun === undefined) return;
  assertEquals(await Bun.write(path, new Response(exportNdjson(kv))), length);
});

test("a source that gives nothing is left when the signal is aborted", async () => {
  await using kv = await openKv(":memory:");
  const ended: string[] = [];
  const stream = new ReadableStream<Uint8Array>({ cancel: () => void ended.push("stream") });
  const iterable = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<never>(() => {}),
      return: () => {
        ended.push("iterable");
        return Promise.resolve({ done: true as const, value: undefined });
      },
    }),
  };
  for (const source of [stream, iterable]) {
    const stop = new AbortController();
    const importing = importNdjson(kv, source, { signal: stop.signal });
    await Promise.resolve();
    stop.abort(new Error("enough"));
    await assertRejects(() => importing, Error, "enough");
  }
  assertEquals(ended, ["stream", "iterable"]);
  // So is one whose lines are wrong.
  const wrong = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("{}\n")),
    cancel: () => void ended.push("wrong"),
  });
  await assertRejects(() => importNdjson(kv, wrong), TypeError, "line 1 is wrong");
  assertEquals(ended.at(-1), "wrong");
});

test("an export is read as it is asked for, and an import can be ended", async () => {
  await using kv = await openKv(":memory:");
  for (let i = 0; i < 5000; i++) await kv.set(["k", i], "x".repeat(100));
  const reader = exportNdjson(kv, { selector: { prefix: ["k"], start: ["k", 10] } }).getReader();
  const first = new TextDecoder().decode((await reader.read()).value).split("\n")[0]!;
  assertEquals(JSON.parse(first).key[1].value, 10);
  await reader.cancel();
  await using copy = await openKv(":memory:");
  const stop = new AbortController();
  const seen: number[] = [];
  await assertRejects(
    () =>
      importNdjson(copy, exportNdjson(kv), {
        signal: stop.signal,
        onProgress: ({ entries }) => {
          seen.push(entries);
          if (entries >= 2000) stop.abort(new Error("enough"));
        },
      }),
    Error,
    "enough",
  );
  assertEquals(seen, [1000, 2000]);
  assertEquals(await copy.count({ prefix: [] }), 2000);
  assertEquals(await importNdjson(copy, exportNdjson(kv)), { entries: 5000 });
});
