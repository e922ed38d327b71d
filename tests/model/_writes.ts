import { assertEquals } from "@std/assert";
import { manyKeys, someKey, someRange, someValue } from "./_choices.ts";
import { Refused } from "./_model.ts";
import type { DirectorySession } from "./_directory_session.ts";
import { getUnawaited } from "./_reads.ts";
import { codeOf, name, rowsOf, type Session, show } from "./_session.ts";

export function put(session: Session, key: Uint8Array = someKey(session.random)): void {
  const value = someValue(session.random);
  session.expect(
    `put ${name(key)} ${value.length}`,
    session.store.put(key, value),
    () => session.model.put(key, value),
  );
  // The store has its own copy, and the same buffer serves the next call.
  value.fill(0x55);
  if (session.local !== undefined) assertEquals(session.local.hasSync(key), true);
}

export function remove(session: Session, key: Uint8Array = someKey(session.random)): void {
  session.expect(
    `delete ${name(key)}`,
    session.store.delete(key),
    () => session.model.delete(key),
  );
  if (session.local !== undefined) assertEquals(session.local.getSync(key), undefined);
}

export function fetchAndAdd(session: Session, key: Uint8Array = someKey(session.random)): void {
  const delta = session.random.pick([1n, 5n, -3n, 2n ** 63n, -(2n ** 62n), 0n]);
  session.expect(
    `fetchAndAddU64 ${name(key)} ${delta}`,
    session.store.fetchAndAddU64(key, delta),
    () => session.model.fetchAndAddU64(key, delta),
  );
}

export function compareAndSwap(session: Session, key: Uint8Array = someKey(session.random)): void {
  const amount = session.random.pick([1.5, 0.1, -0, Infinity, NaN, 1e39]);
  session.expect(
    `compareAndSwapF32 ${name(key)} ${amount}`,
    session.store.compareAndSwapF32(key, (current) => current + amount),
    () => session.model.compareAndSwapF32(key, (current) => current + amount),
  );
}

/** Calls for one key, none of which waits for the one before. */
export function burst(session: Session): void {
  const key = someKey(session.random);
  const calls = [put, put, remove, fetchAndAdd, compareAndSwap, getUnawaited, getUnawaited];
  for (let left = 2 + session.random.below(5); left > 0; left--) {
    session.random.pick(calls)(session, key);
  }
}

export function batch(session: Session): void {
  const batch = session.store.batch();
  const changed = session.model.copy();
  for (let left = session.random.below(8); left > 0; left--) {
    const [key, value] = [someKey(session.random), someValue(session.random)];
    if (session.random.once(3)) {
      batch.delete(key);
      changed.delete(key);
    } else {
      batch.put(key, value);
      changed.put(key, value);
    }
  }
  session.expect(
    `batch ${batch.size}`,
    batch.commit().then(() => {}),
    () => void (session.model = changed),
  );
}

export function writeMany(session: Session): void {
  const batch = session.store.batch();
  const changed = session.model.copy();
  const isDeletion = session.random.once(2);
  for (const key of manyKeys(session.random)) {
    if (isDeletion) {
      batch.delete(key);
      changed.delete(key);
    } else {
      batch.put(key, key);
      changed.put(key, key);
    }
  }
  const what = isDeletion ? "delete many" : "put many";
  session.expect(
    `${what} ${batch.size}`,
    batch.commit().then(() => {}),
    () => void (session.model = changed),
  );
}

export function transact(session: DirectorySession): void {
  const changed = session.model.copy();
  const isThrown = session.random.once(4);
  const transaction = session.store.transact((tx) => {
    for (let left = session.random.below(6); left > 0; left--) {
      const [key, value] = [someKey(session.random), someValue(session.random)];
      const kind = session.random.below(3);
      if (kind === 0) {
        tx.delete(key);
        changed.delete(key);
      } else if (kind === 1) {
        tx.delete(key);
        changed.delete(key);
        assertEquals(tx.fetchAndAddU64(key, 7n), changed.fetchAndAddU64(key, 7n));
      } else {
        tx.put(key, value);
        changed.put(key, value);
      }
      const other = someKey(session.random);
      assertEquals(tx.get(other), changed.get(other));
      assertEquals(tx.has(key), changed.get(key) !== undefined);
    }
    const range = someRange(session.random);
    assertEquals(rowsOf(tx.scan(range)), changed.scan(range));
    if (isThrown) throw new Refused("RangeError");
    return changed.size;
  });
  session.expect(`transact${isThrown ? " and throw" : ""}`, transaction, () => {
    if (isThrown) throw new Refused("RangeError");
    session.model = changed;
    return changed.size;
  });
}

/** A transaction around `await`, some of whose calls are not awaited one by one. */
export async function transaction(session: Session): Promise<void> {
  const { random } = session;
  const steps = Array.from({ length: random.below(6) }, () => ({
    kind: random.below(4),
    key: someKey(random),
    value: someValue(random),
    other: someKey(random),
    isAwaited: random.once(2),
  }));
  const range = someRange(random);
  const isThrown = random.once(4);
  session.log.push(`transaction${isThrown ? " and throw" : ""}`);
  let changed = session.model;
  const running = session.store.transaction(async (tx) => {
    // It may be run again.
    const model = changed = session.model.copy();
    const calls: Promise<void>[] = [];
    const expect = <T>(actual: Promise<T>, expected: T) =>
      void calls.push(actual.then((value) => assertEquals(value, expected)));
    for (const { kind, key, value, other, isAwaited } of steps) {
      if (kind === 0) expect(tx.deleteRange({ prefix: key }), model.deleteRange({ prefix: key }));
      if (kind <= 2) {
        tx.delete(key);
        model.delete(key);
      }
      if (kind === 2) expect(tx.fetchAndAddU64(key, 7n), model.fetchAndAddU64(key, 7n));
      if (kind === 3) {
        tx.put(key, value);
        model.put(key, value);
      }
      expect(tx.get(other), model.get(other));
      expect(tx.has(key), model.get(key) !== undefined);
      if (isAwaited) await Promise.all(calls);
    }
    await Promise.all(calls);
    assertEquals(rowsOf(await Array.fromAsync(tx.scan(range))), model.scan(range));
    if (isThrown) throw new Refused("RangeError");
  });
  assertEquals(await codeOf(running), isThrown ? "RangeError" : "nothing");
  if (!isThrown) session.model = changed;
}

export function deleteRange(session: Session): void {
  const range = someRange(session.random);
  session.expect(
    `deleteRange ${show(range)}`,
    session.store.deleteRange(range),
    () => session.model.deleteRange(range),
  );
}
