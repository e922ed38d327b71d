// @ts-nocheck: what openKv is, the test says in front of it.
// A to-do list: items by id, and an index by when they are due, kept together.

interface Item {
  id: number;
  text: string;
  due: string;
  done: boolean;
}

const kv = await openKv(Deno.args[0]);

async function add(text: string, due: string): Promise<Item> {
  for (;;) {
    const next = await kv.get<number>(["next id"]);
    const item: Item = { id: next.value ?? 1, text, due, done: false };
    const { ok } = await kv.atomic()
      .check(next)
      .set(["next id"], item.id + 1)
      .set(["item", item.id], item)
      .set(["by due", due, item.id], item.id)
      .commit();
    if (ok) return item;
  }
}

async function move(id: number, due: string): Promise<boolean> {
  const entry = await kv.get<Item>(["item", id]);
  if (entry.value === null) return false;
  const { ok } = await kv.atomic()
    .check(entry)
    .delete(["by due", entry.value.due, id])
    .set(["by due", due, id], id)
    .set(entry.key, { ...entry.value, due })
    .commit();
  return ok;
}

async function finish(id: number): Promise<void> {
  const entry = await kv.get<Item>(["item", id]);
  if (entry.value === null) return;
  await kv.atomic()
    .check(entry)
    .set(entry.key, { ...entry.value, done: true })
    .delete(["by due", entry.value.due, id])
    .set(["log", kv.commitVersionstamp()], `finished ${id}`)
    .commit();
}

/** A page of what is to be done, in the order in which it is due, and where the next one begins. */
async function page(cursor?: string): Promise<{ texts: string[]; cursor: string }> {
  const iterator = kv.list<number>({ prefix: ["by due"] }, { limit: 2, cursor });
  const texts: string[] = [];
  for await (const { key, value } of iterator) {
    const { value: item } = await kv.get<Item>(["item", value]);
    texts.push(`${key[1] as string} ${item!.text}`);
  }
  return { texts, cursor: iterator.cursor };
}

const watching = (async () => {
  const seen: number[] = [];
  for await (const [entry] of kv.watch<[number]>([["next id"]])) {
    if (entry.value !== null) seen.push(entry.value);
    if (entry.value === 6) return seen.every((id, i) => i === 0 || id >= seen[i - 1]);
  }
})();

// Added at the same time, each gets an id of its own.
await Promise.all([
  add("water the plants", "2026-03-02"),
  add("write the report", "2026-03-05"),
  add("call Grace", "2026-03-01"),
  add("buy bread", "2026-03-02"),
  add("book a train", "2026-04-01"),
].map((item) => item.then(({ id }) => id)));
console.log(await watching);

const items = [];
for await (const { key, value } of kv.list<Item>({ prefix: ["item"] })) {
  items.push(key[1] === value.id);
}
console.log(items.join());
const byText = new Map<string, number>();
for await (const { value } of kv.list<Item>({ prefix: ["item"] })) byText.set(value.text, value.id);

let cursor: string | undefined;
do {
  const found = await page(cursor);
  console.log(found.texts.length, found.texts.map((text) => text.slice(0, 10)).sort().join());
  cursor = found.cursor;
} while (cursor !== "");

console.log(await move(byText.get("write the report")!, "2026-02-28"), await move(99, "x"));
await finish(byText.get("call Grace")!);
await finish(byText.get("buy bread")!);
console.log((await page()).texts.join(", "));
// What is due before March 3.
for await (const { key } of kv.list({ prefix: ["by due"], end: ["by due", "2026-03-03"] })) {
  console.log(key[1]);
}
let log = 0;
for await (const { key } of kv.list({ prefix: ["log"] })) {
  if (/^[0-9a-f]{20}$/.test(key[1] as string)) log++;
}
console.log(`${log} finished`);
kv.close();
