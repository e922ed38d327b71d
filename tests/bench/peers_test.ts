import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type Dataset, type KeySet, makeDataset } from "../../bench/_data.ts";
import { hasPackages, NOT_INSTALLED } from "../../bench/_packages.ts";
import type { Key, Open, Session } from "../../bench/peers/peer.ts";
import { tempDirectory } from "../support/temp.ts";

// What opens the peers imports packages that are not installed everywhere, and their types with them.
const PEERS = new URL("../../bench/peers/mod.ts", import.meta.url).href;
const INSTALLED = { skip: hasPackages() ? false : NOT_INSTALLED, timeout: 600_000 };
const KEYS = 1_000;

async function withSession(open: Open, use: (session: Session) => Promise<void>): Promise<void> {
  using temp = tempDirectory();
  const directory = join(temp.path, "store");
  mkdirSync(directory);
  const session = await open(directory);
  try {
    await use(session);
  } finally {
    await session.close();
  }
}

/** Returns the bytes of a value, in whatever form a contestant returns it. */
async function bytesOf(found: unknown): Promise<number[] | undefined> {
  const value = await found as Uint8Array | { value?: Uint8Array } | null | undefined;
  const bytes = value instanceof Uint8Array ? value : value?.value;
  return bytes instanceof Uint8Array ? [...bytes] : undefined;
}

async function checkWrites(
  id: string,
  session: Session,
  { append: { keys, values } }: Dataset,
): Promise<void> {
  const own = session.keysOf(keys);
  const [first, second, third] = own as [Key, Key, Key];
  await session.put(first, values[0]!);
  await session.putBatch([second, third], [values[1]!, values[2]!]);
  assertEquals(await bytesOf(session.get(first)), [...values[0]!], id);
  assertEquals(await bytesOf(session.getSync(third)), [...values[2]!], id);

  await session.delete(second);
  assertEquals(await bytesOf(session.getSync(second)), undefined, id);
  await session.putAll(own, values);
  await session.settle();
  assertEquals(await session.scanAll(), KEYS, id);
  assertEquals(await bytesOf(session.getSync(second)), [...values[1]!], id);
}

async function checkScans(id: string, session: Session, { append }: Dataset): Promise<void> {
  const { keys, prefixes, extra } = append;
  assertEquals(await session.scan(prefixes[7]!), 1, id);
  assertEquals(await session.scanFrom(session.keysOf(keys)[10], 20), 20, id);
  assertEquals(await session.scanFrom(session.keysOf(extra)[0], 20), 20, id);
}

async function checkNumbers(id: string, session: Session, counters: KeySet): Promise<void> {
  const [counter, number] = session.keysOf(counters);
  for (let i = 0; i < 3; i++) {
    await session.add(counter);
    await session.update(number);
  }
  assertEquals(await bytesOf(session.get(number)), [
    ...new Uint8Array(new Float32Array([3]).buffer),
  ], id);
}

async function checkSnapshots(id: string, session: Session, { append }: Dataset): Promise<void> {
  if (session.getInSnapshot === undefined) return;
  for (const value of append.values.slice(0, 5)) {
    const [key] = session.keysOf(append.keys);
    await session.put(key, value);
    assertEquals(await bytesOf(session.getInSnapshot(key)), [...value], id);
  }
}

test("every contestant does what the works ask of it", INSTALLED, async () => {
  const { OPENERS } = await import(PEERS) as { OPENERS: Record<string, Open | undefined> };
  const dataset = await makeDataset("small_values", KEYS);
  for (const [id, open] of Object.entries(OPENERS)) {
    // The runtime may not have it.
    if (open === undefined) continue;
    await withSession(open, async (session) => {
      await checkWrites(id, session, dataset);
      await checkScans(id, session, dataset);
      await checkSnapshots(id, session, dataset);
      await checkNumbers(id, session, dataset.counters);
    });
  }
});
