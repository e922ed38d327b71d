// @ts-nocheck: what openKv is, the test says in front of it.
// A counter of visits: all of them, by page, and by day, of which the old ones go.

const kv = await openKv(Deno.args[0]);

const DAY_MS = 24 * 60 * 60 * 1000;

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

async function visit(page: string, at: Date): Promise<void> {
  await kv.atomic()
    .sum(["visits"], 1n)
    .sum(["visits", "by page", page], 1n)
    .sum(["visits", "by day", day(at)], 1n)
    .max(["visits", "last"], BigInt(at.getTime()))
    .min(["visits", "first"], BigInt(at.getTime()))
    .commit();
}

async function number(key: Deno.KvKey): Promise<bigint> {
  return (await kv.get<Deno.KvU64>(key)).value?.value ?? 0n;
}

const start = new Date("2026-03-01T08:00:00Z");
const pages = ["/", "/about", "/", "/shop", "/shop", "/"];
const visits: Promise<void>[] = [];
for (let i = 0; i < 60; i++) {
  visits.push(visit(pages[i % pages.length], new Date(start.getTime() + i * DAY_MS / 8)));
}
await Promise.all(visits);

console.log(`visits: ${await number(["visits"])}`);
for await (const { key, value } of kv.list<Deno.KvU64>({ prefix: ["visits", "by page"] })) {
  console.log(`${key[2] as string}: ${value.value}`);
}
const first = new Date(Number(await number(["visits", "first"])));
const last = new Date(Number(await number(["visits", "last"])));
console.log(`from ${day(first)} to ${day(last)}`);

// The last three days, the newest first.
const days = kv.list<Deno.KvU64>(
  { prefix: ["visits", "by day"] },
  { reverse: true, limit: 3 },
);
for await (const { key, value } of days) console.log(`${key[2] as string}: ${value.value}`);

// Days before the 5th are not kept.
const old = kv.list({ start: ["visits", "by day", ""], end: ["visits", "by day", "2026-03-05"] });
const removal = kv.atomic();
for await (const { key } of old) removal.delete(key);
console.log((await removal.commit()).ok ? "old days removed" : "old days stay");
let left = 0;
for await (const _ of kv.list({ prefix: ["visits", "by day"] })) left++;
console.log(`${left} days left`);

// A visit is not counted twice, if the same request comes again.
async function visitOnce(id: string): Promise<boolean> {
  const seen = ["seen", id];
  const { ok } = await kv.atomic().check({ key: seen, versionstamp: null })
    .set(seen, true, { expireIn: 60_000 }).sum(["visits"], 1n).commit();
  return ok;
}
console.log(await visitOnce("a"), await visitOnce("a"), await visitOnce("b"));
console.log(`visits: ${await number(["visits"])}`);
try {
  await kv.set(["visits", "text"], "ten");
  await kv.atomic().sum(["visits", "text"], 1n).commit();
} catch (error) {
  console.log((error as Error).name);
}
kv.close();
