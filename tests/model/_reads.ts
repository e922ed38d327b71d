import { assertEquals, fail } from "@std/assert";
import { Snapshot } from "../../mod.ts";
import { someKey, someRange, someValue } from "./_choices.ts";
import { hex } from "./_model.ts";
import { name, rowsOf, type Session, show } from "./_session.ts";

export async function get(session: Session): Promise<void> {
  const key = someKey(session.random);
  const expected = session.model.get(key);
  session.log.push(`get ${name(key)}`);
  const { local } = session;
  if (local !== undefined) {
    assertEquals(local.getSync(key), expected);
    assertEquals(local.hasSync(key), expected !== undefined);
    if (session.random.once(2)) return;
  }
  assertEquals(await session.store.get(key), expected);
  assertEquals(await session.store.has(key), expected !== undefined);
}

/** A read that comes before the writes that are called while it is under way. */
export function getUnawaited(session: Session, key: Uint8Array = someKey(session.random)): void {
  session.expect(
    `get ${name(key)}, not awaited`,
    session.store.get(key),
    () => session.model.get(key),
  );
}

export async function getMany(session: Session): Promise<void> {
  const keys = Array.from({ length: session.random.below(6) }, () => someKey(session.random));
  session.log.push(`getMany ${keys.map(name)}`);
  const expected = keys.map((key) => session.model.get(key));
  assertEquals(await session.store.getMany(keys), expected);
}

export async function scan(session: Session): Promise<void> {
  const range = someRange(session.random);
  const expected = session.model.scan(range);
  session.log.push(`scan ${show(range)}`);
  if (session.local !== undefined) assertEquals(rowsOf(session.local.scanSync(range)), expected);
  assertEquals(rowsOf(await Array.fromAsync(session.store.scan(range))), expected);
  const keys = (await Array.fromAsync(session.store.keys(range))).map(hex);
  assertEquals(keys, expected.map(([key]) => key));
  assertEquals(await session.store.count(range), expected.length);
}

export async function scanPrefix(session: Session): Promise<void> {
  const key = someKey(session.random);
  const prefix = key.subarray(0, session.random.below(key.length + 1));
  session.log.push(`scanPrefix ${name(prefix)}`);
  const expected = session.model.scan({ prefix });
  assertEquals(rowsOf(await session.store.scanPrefix(prefix)), expected);
}

/** Pages may show what is written meanwhile, and nothing else may come or go. */
export async function scanWhileWriting(session: Session): Promise<void> {
  const reverse = session.random.once(2);
  session.log.push(`scan while writing, reverse ${reverse}`);
  const before = new Map(session.model.scan({}));
  const written = new Map<string, Set<string>>();
  const found: [string, string][] = [];
  for await (const { key, value } of session.store.scan({ reverse })) {
    found.push([hex(key), hex(value)]);
    key.fill(0);
    if (!session.random.once(10)) continue;
    const [other, otherValue] = [someKey(session.random), someValue(session.random)];
    const values = written.get(hex(other)) ?? new Set();
    written.set(hex(other), values.add(hex(otherValue)));
    await session.store.put(other, otherValue);
    session.model.put(other, otherValue);
  }
  for (let i = 1; i < found.length; i++) {
    const [left, right] = [found[i - 1]![0], found[i]![0]];
    if (reverse ? left <= right : left >= right) fail(`Not in order: ${left}, then ${right}`);
  }
  for (const [key, value] of found) {
    if (before.get(key) !== value && !written.get(key)?.has(value)) fail(`Never there: ${key}`);
  }
  const keys = new Set(found.map(([key]) => key));
  assertEquals([...before.keys()].filter((key) => !keys.has(key)), []);
}

export async function takeSnapshot(session: Session): Promise<void> {
  if (session.snapshots.length === 6) return;
  session.log.push("snapshot");
  const model = session.model.copy();
  session.snapshots.push({ snapshot: await session.store.snapshot(), model });
}

export async function readSnapshot(session: Session): Promise<void> {
  if (session.snapshots.length === 0) return;
  const { snapshot, model } = session.random.pick(session.snapshots);
  const range = someRange(session.random);
  session.log.push(`read snapshot ${show(range)}`);
  const expected = model.scan(range);
  if (snapshot instanceof Snapshot) assertEquals(rowsOf(snapshot.scanSync(range)), expected);
  assertEquals(rowsOf(await Array.fromAsync(snapshot.scan(range))), expected);
  assertEquals(await snapshot.count(range), expected.length);
  const key = someKey(session.random);
  assertEquals(await snapshot.get(key), model.get(key));
}

export async function disposeSnapshot(session: Session): Promise<void> {
  session.log.push("dispose snapshot");
  await session.snapshots.shift()?.snapshot[Symbol.asyncDispose]();
}
