/** Copies from Deno's own KV to ours, through lines of JSON, and back to another one, and prints `ok`:
 * `deno run -A --unstable-kv … DIRECTORY`.
 *
 * @module
 */
import process from "node:process";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { copyKv, exportNdjson, importNdjson, type Kv, type KvU64, openKv } from "../../kv/mod.ts";
import { show, values } from "./_values.ts";

/** Deno's API, which has ours in it. */
interface Native {
  openKv(path: string): Promise<Kv>;
  KvU64: typeof KvU64;
}

const native = (globalThis as unknown as { Deno: Native }).Deno;
const directory = process.argv[2]!;

async function allOf(kv: Kv): Promise<string[]> {
  const found: string[] = [];
  for await (const { key, value } of kv.list({ prefix: [] })) {
    found.push(`${show(key)} ${value instanceof native.KvU64 ? `u64 ${value}` : show(value)}`);
  }
  return found;
}

const first = await native.openKv(join(directory, "first.db"));
const last = await native.openKv(join(directory, "last.db"));
const ours = await openKv(join(directory, "ours"));
const copy = await openKv(":memory:");
let i = 0;
for (const [name, value] of Object.entries(values())) {
  // Deno KV takes no more than 64 KiB, and of another view on a buffer than a whole one we keep that part alone.
  if (!/long|many|70|^array$|empty/.test(name)) await first.set([i % 3 ? "a" : 5n, i++], value);
}
for (let j = 0; j < 1500; j++) await first.set(["many", j], { j });
await first.set(["counter"], new native.KvU64(12n));

const { entries } = await copyKv(first, ours);
assertEquals(await importNdjson(copy, exportNdjson(ours)), { entries });
assertEquals(await copyKv(copy, last), { entries });
assertEquals(await allOf(last), await allOf(first));
await last.atomic().sum(["counter"], 1n).commit();

// What is within our limits of a commit, and not within those of Deno KV.
await copy.deleteRange({ prefix: [] });
const large: [string, unknown][] = Array.from({ length: 700 }, (_, n) => [`${n}`, n]);
for (const [name, n] of large) {
  await copy.set(["k".repeat(2000), name], n);
  await copy.set(["text", name], `é${"x".repeat(3000)}`);
  await copy.set(["numbers", name], Array.from({ length: 1000 }, (_, i) => i % 100));
}
await copy.set(["expires"], 1, { expireIn: 1_000_000 });
const progress: number[] = [];
const options = { onProgress: ({ entries }: { entries: number }) => void progress.push(entries) };
assertEquals(await copyKv(copy, last, options), { entries: 2101 });
assertEquals(progress.at(-1), 2101);
let count = 0;
for await (const { key, value } of copy.list({ prefix: [] })) {
  assertEquals(show((await last.get(key)).value), show(value));
  count++;
}
assertEquals(count, 2101);
await copy.set(["numbers", "500", "large"], "y".repeat(70_000));
const error: Error = await copyKv(copy, last).then(() => new Error("none"), (error) => error);
assertEquals(
  error.message,
  'Cannot copy Kv: the target refuses the entry of ["numbers", "500", "large"]: ' +
    "Value too large (max 65536 bytes); leave it out, or make it smaller",
);
for (const kv of [first, last, ours, copy]) kv.close();
console.log("ok");
