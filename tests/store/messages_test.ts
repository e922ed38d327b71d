import * as fs from "node:fs";
import { test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { HybridStore, MAX_VALUE_BYTES } from "../../mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { appendKey, btreeKey, bytes } from "./_support.ts";

// What a caller reads who did something wrong. Each message says what was asked, a colon, what was
// wrong, and what to do where that does not follow from it. That of too many snapshots is in
// `tests/backends/moments_test.ts`, as it takes a thousand of them.

/** A wrong call, and what is then thrown: the class or the code, and the message. */
type Case = [call: () => unknown, kind: string, message: string];

/** Returns what a call throws, or its promise rejects with, as its kind and message. */
async function outcomeOf(call: () => unknown): Promise<[string, string]> {
  try {
    await call();
  } catch (error) {
    const { name, code, message } = error as { name: string; code?: string; message: string };
    return [name === "StoreError" ? code! : name, message];
  }
  return ["nothing", "nothing was thrown"];
}

async function check(cases: readonly Case[]): Promise<void> {
  for (const [call, kind, message] of cases) {
    assertEquals(await outcomeOf(call), [kind, message]);
    assertMatch(message, /^Cannot [^:]+: .*[^.]$/s);
  }
}

/** Passes what the compiler refuses. */
// deno-lint-ignore no-explicit-any
function wrong(value: unknown): any {
  return value;
}

/** Bytes that were transferred, to a worker say. */
function detached(): Uint8Array {
  const bytes = new Uint8Array(3);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

const VALUE = bytes("1");

test("messages about keys", async () => {
  await using store = await HybridStore.openTemp();
  const long = new Uint8Array(2601);
  const tooLong = "the key is 2601 bytes long, more than the limit of 2600; shorten it, or put a " +
    "digest in place of its end";
  const isHalf = "the key has half a surrogate pair, which UTF-8 cannot hold";
  const isDetached = "the key has a detached buffer; copy it before the buffer is transferred";
  await check([
    [() => store.put("\ud800", VALUE), "TypeError", `Cannot put key: ${isHalf}`],
    [() => store.get("a\udc00"), "TypeError", `Cannot get key: ${isHalf}`],
    [() => store.batch().delete("\ud800"), "TypeError", `Cannot delete key in batch: ${isHalf}`],
    [() => store.routeOf("\ud800x"), "TypeError", `Cannot route key: ${isHalf}`],
    [
      () => store.get(wrong(new ArrayBuffer(1))),
      "TypeError",
      "Cannot get key: the key is an ArrayBuffer, not a Uint8Array or a string",
    ],
    [() => store.put(long, VALUE), "RangeError", `Cannot put key: ${tooLong}`],
    [
      () => store.transact((tx) => tx.put(long, VALUE)),
      "RangeError",
      `Cannot put key in transaction: ${tooLong}`,
    ],
    [
      () => store.delete(new Uint8Array(0)),
      "RangeError",
      "Cannot delete key: the key is empty; it has at least 1 byte",
    ],
    [() => store.put(detached(), VALUE), "TypeError", `Cannot put key: ${isDetached}`],
    [() => store.hasSync(detached()), "TypeError", `Cannot look for key: ${isDetached}`],
  ]);
});

test("messages about values", async () => {
  await using store = await HybridStore.openTemp();
  const key = appendKey(1);
  await check([
    [
      () => store.put(key, wrong({ name: "Ada" })),
      "TypeError",
      "Cannot put key: the value is an Object, not a Uint8Array or a string",
    ],
    [
      () => store.put(key, "text\ud800"),
      "TypeError",
      "Cannot put key: the value has half a surrogate pair, which UTF-8 cannot hold",
    ],
    [
      () => store.put(key, wrong(undefined)),
      "TypeError",
      "Cannot put key: the value is undefined, not a Uint8Array or a string",
    ],
    [
      () => store.put(key, new Uint8Array(MAX_VALUE_BYTES + 1)),
      "RangeError",
      "Cannot put key: the value is 134217729 bytes long, more than the limit of 134217728; split " +
      "it among several keys",
    ],
    [
      () => store.batch().put(key, detached()),
      "TypeError",
      "Cannot put key into batch: the value has a detached buffer; copy it before the buffer is " +
      "transferred",
    ],
  ]);
  assertEquals(await store.count(), 0);
});

test("messages about counters", async () => {
  await using store = await HybridStore.openTemp();
  const [key, other] = [btreeKey(1), appendKey(2)];
  await store.put(key, bytes("text"));
  await store.put(other, bytes("more"));
  await store.put(appendKey(3), bytes("longer text"));
  const shown = '"subject\\u0000MV:000001"';
  await check([
    [
      () => store.fetchAndAddU64(key, 1n),
      "INVALID_VALUE",
      `Cannot add to counter: the value of key ${shown} is 4 bytes long, and a u64 counter has 8; ` +
      "use keys that nothing else is written to",
    ],
    [
      () => store.transact((tx) => tx.fetchAndAddU64(key, 1n)),
      "INVALID_VALUE",
      `Cannot add to counter in transaction: the value of key ${shown} is 4 bytes long, and a u64 ` +
      "counter has 8; use keys that nothing else is written to",
    ],
    [
      () => store.compareAndSwapF32(appendKey(3), () => 1),
      "INVALID_VALUE",
      'Cannot update number: the value of key "subject\\u0000H:000003" is 11 bytes long, and an ' +
      "f32 has 4; use keys that nothing else is written to",
    ],
    [
      () => store.fetchAndAddU64(appendKey(9), -1n),
      "RangeError",
      'Cannot add to counter: the sum for key "subject\\u0000H:000009" is -1, and a u64 counter ' +
      "holds 0 to 18446744073709551615",
    ],
    [
      () => store.fetchAndAddU64(key, wrong(1)),
      "TypeError",
      "Cannot add to counter: delta is a number, not a bigint; write 1n in place of 1",
    ],
    [
      () => store.compareAndSwapF32(other, () => NaN),
      "RangeError",
      "Cannot update number: update returned NaN, which is not stored",
    ],
  ]);
});

test("messages about lists, prefixes and ranges", async () => {
  await using store = await HybridStore.openTemp();
  await store.put(appendKey(1), VALUE);
  const getMany = (...keys: unknown[]) => store.getMany(...wrong(keys) as [Uint8Array[]]);
  const isDetached = "has a detached buffer; copy it before the buffer is transferred";
  await check([
    [
      () => getMany(),
      "TypeError",
      "Cannot get keys: the keys are undefined, not an array of keys",
    ],
    [
      () => getMany(new Set()),
      "TypeError",
      "Cannot get keys: the keys are a Set, not an array of keys; spread it: [...keys]",
    ],
    [
      () => store.scanPrefix(wrong(7)),
      "TypeError",
      "Cannot scan prefix: the prefix is a number, not a Uint8Array or a string",
    ],
    // Each of these would stand for all keys.
    [
      () => store.scanPrefix(detached()),
      "TypeError",
      `Cannot scan prefix: the prefix ${isDetached}`,
    ],
    [
      () => store.deleteRange({ prefix: detached() }),
      "TypeError",
      `Cannot delete range: prefix ${isDetached}`,
    ],
    [() => store.scan({ gte: detached() }), "TypeError", `Cannot scan: gte ${isDetached}`],
  ]);
  assertEquals(await store.count(), 1);
});

test("messages about paths that are none", async () => {
  await using store = await HybridStore.openTemp();
  const neither = "neither a string nor a file: URL";
  const useTemp = "use HybridStore.openTemp()";
  await check([
    [
      () => HybridStore.open(wrong(undefined)),
      "TypeError",
      `Cannot open store: the path is undefined, ${neither}`,
    ],
    [
      () => HybridStore.open(""),
      "TypeError",
      `Cannot open store: the path is empty; name a directory, or ${useTemp}`,
    ],
    [
      () => HybridStore.open(":memory:"),
      "TypeError",
      `Cannot open store: the path is ":memory:", and a store needs a directory; ` +
      "use HybridStore.openMemory()",
    ],
    [
      () => HybridStore.open("file:///tmp/x"),
      "TypeError",
      "Cannot open store: the path is a string that holds a URL; pass " +
      'new URL("file:///tmp/x")',
    ],
    [
      () => HybridStore.restore("file:///tmp/x", "y"),
      "TypeError",
      "Cannot restore store: the backup is a string that holds a URL; pass " +
      'new URL("file:///tmp/x")',
    ],
    [
      () => HybridStore.open(new URL("http://localhost/store")),
      "TypeError",
      "Cannot open store: the path is a URL of http:, and only file: URLs name a directory",
    ],
    [
      () => store.backup(wrong(undefined)),
      "TypeError",
      `Cannot back up store: the target is undefined, ${neither}`,
    ],
    [
      () => HybridStore.restore(store.path, wrong(null)),
      "TypeError",
      `Cannot restore store: the target is null, ${neither}`,
    ],
  ]);
});

test("messages about directories that are none of a store's", async () => {
  using temp = tempDirectory();
  const at = (name: string) => join(temp.path, name);
  fs.writeFileSync(at("file"), "text");
  fs.mkdirSync(at("app"));
  fs.writeFileSync(join(at("app"), "manifest.json"), '{"name":"app","icons":[]}');
  fs.mkdirSync(at("empty"));
  await using store = await HybridStore.open(at("store"));
  const noFile = "is a file, not a directory; name a directory, which may be absent";
  const name = "name the directory of a store or of a backup";
  await check([
    [
      () => HybridStore.open(at("file")),
      "NOT_EMPTY",
      `Cannot open store ${at("file")}: ${at("file")} ${noFile}`,
    ],
    [
      () => HybridStore.open(at("file/below")),
      "NOT_EMPTY",
      `Cannot open store ${at("file/below")}: ${at("file")} ${noFile}`,
    ],
    [
      () => HybridStore.open(at("app")),
      "NOT_EMPTY",
      `Cannot open store ${at("app")}: ${
        at("app/manifest.json")
      } is another program's, so this is ` +
      "not a store; name another directory",
    ],
    [
      () => HybridStore.restore(at("none"), at("new")),
      "NOT_FOUND",
      `Cannot restore store: ${at("none")} does not exist; ${name}`,
    ],
    [
      () => HybridStore.restore(at("file"), at("new")),
      "NOT_FOUND",
      `Cannot restore store: ${at("file")} is a file, not a directory; ${name}`,
    ],
    [
      () => HybridStore.restore(at("empty"), at("new")),
      "NOT_FOUND",
      `Cannot restore store: ${at("empty")} holds no store, as it has no manifest.json; ${name}`,
    ],
    [
      () => HybridStore.restore(at("app"), at("new")),
      "NOT_FOUND",
      `Cannot restore store: ${at("app/manifest.json")} is another program's; ${name}`,
    ],
    [
      () => store.backup(at("app")),
      "NOT_EMPTY",
      `Cannot back up store: ${at("app")} holds manifest.json already; name a directory that is ` +
      "absent or empty",
    ],
    [() => store.backup(at("file")), "NOT_EMPTY", `Cannot back up store: ${at("file")} ${noFile}`],
    [
      () => store.backup(store.path),
      "NOT_EMPTY",
      `Cannot back up store: ${store.path} lies in ${store.path}, the store's own directory; name ` +
      "one outside it",
    ],
    [
      () => store.backup(at("store/backup")),
      "NOT_EMPTY",
      `Cannot back up store: ${at("store/backup")} lies in ${store.path}, the store's own ` +
      "directory; name one outside it",
    ],
  ]);
  assertEquals(fs.readdirSync(temp.path).sort(), ["app", "empty", "file", "store"]);
  assertEquals(fs.readdirSync(at("app")), ["manifest.json"]);
  assertEquals(fs.existsSync(at("store/backup")), false);
});

test("messages about options", async () => {
  await using store = await HybridStore.openTemp();
  const options = (text: string) =>
    `the options are ${text}, not an object; leave them out for the defaults`;
  await check([
    [
      () => HybridStore.open(`${store.path}-none`, wrong(null)),
      "TypeError",
      `Cannot open store: ${options("null")}`,
    ],
    [
      () => HybridStore.openTemp(wrong([])),
      "TypeError",
      `Cannot open store: ${options("an Array")}`,
    ],
    [
      () => HybridStore.open(store.path, wrong("hybrid")),
      "TypeError",
      `Cannot open store: ${options("a string")}`,
    ],
    [
      () => store.backup(`${store.path}-copy`, wrong(null)),
      "TypeError",
      `Cannot back up store: ${options("null")}`,
    ],
    [() => store.verify(wrong(7)), "TypeError", `Cannot verify store: ${options("a number")}`],
  ]);
});
