import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { dirname, fromFileUrl, join, toFileUrl } from "@std/path";
import { tempDirectory } from "../support/temp.ts";

// What Deno's own KV does, ours does as well. Other runtimes have none.
const options = { skip: !("Deno" in globalThis), timeout: 600_000 };
const HERE = dirname(fromFileUrl(import.meta.url));
const ROOT = join(HERE, "..", "..");

function deno(...args: string[]): { status: number | null; output: string } {
  const env = { ...process.env, NO_COLOR: "1" };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, env });
  return { status, output: `${stdout}${stderr}` };
}

for (const seed of [1, 2, Math.floor(Math.random() * 2 ** 31)]) {
  test(`random operations have the same results as in Deno KV, seed ${seed}`, options, () => {
    const child = join(HERE, "_differential_child.ts");
    const { output } = deno("run", "-A", "--no-check", "--unstable-kv", child, `${seed}`, "3000");
    const refused = /^ok, (\d+) refused\n$/.exec(output)?.[1];
    assertEquals(refused === undefined ? output : "", "");
    assertGreater(Number(refused), 50);
  });
}

/** What a program does with Deno's types, and gets ours. */
const PROGRAM = `/// <reference lib="deno.unstable" />
import { type AtomicOperation, type Kv, KvU64, openKv } from "MOD";

const own: Kv = await openKv(":memory:");
const kv: Deno.Kv = own;
const number: Deno.KvU64 = new KvU64(1n);
const key: Deno.KvKey = ["a", 1, 2n, true, new Uint8Array(1)];
const result: Deno.KvCommitResult = await kv.set(key, number, { expireIn: 5 });
const entry: Deno.KvEntryMaybe<number> = await kv.get<number>(key);
const [a, b] = await kv.getMany<[string, number]>([["a"], ["b"]]);
const text: string | null = a.value;
const selector: Deno.KvListSelector = { prefix: ["a"] };
const iterator: Deno.KvListIterator<number> = kv.list<number>(selector, { limit: 1 });
for await (const { key, value } of iterator) console.log(key, value + 1);
const stream: ReadableStream<[Deno.KvEntryMaybe<string>]> = kv.watch<[string]>([["a"]]);
const checks: Deno.AtomicCheck[] = [entry, a, b];
const mutation: Deno.KvMutation = { type: "sum", key, value: number };
const operation: Deno.AtomicOperation = own.atomic().check(...checks).mutate(mutation).sum(key, 1n)
  .enqueue("message", { delay: 5, keysIfUndelivered: [key], backoffSchedule: [1] });
const commit: Deno.KvCommitResult | Deno.KvCommitError = await operation.commit();
const chain: AtomicOperation = own.atomic().set(key, 1, { expireIn: 5 }).delete(key).max(key, 1n);
void kv.listenQueue((value: string) => console.log(value));
await kv.enqueue("message", { delay: 5, keysIfUndelivered: [key], backoffSchedule: [1] });
console.log(result.versionstamp, text, stream, commit.ok, chain);
`;

test("a program with the types of Deno KV compiles with these", options, () => {
  using directory = tempDirectory();
  const path = join(directory.path, "program.ts");
  const module = toFileUrl(join(ROOT, "kv", "mod.ts")).href;
  writeFileSync(path, PROGRAM.replace("MOD", module));
  const config = join(ROOT, "deno.json");
  const { status, output } = deno("check", "--unstable-kv", "--config", config, path);
  assertEquals([status, status === 0 ? "" : output], [0, ""]);
});
