import { assertEquals } from "@std/assert";
import { manyKeys, someKey, someRange, someValue } from "./_choices.ts";
import { Refused } from "./_model.ts";
import { name, rowsOf, type Session, show } from "./_session.ts";

export function put(session: Session): void {
  const [key, value] = [someKey(session.random), someValue(session.random)];
  session.expect(
    `put ${name(key)} ${value.length}`,
    session.store.put(key, value),
    () => session.model.put(key, value),
  );
  // The store has its own copy, and the same buffer serves the next call.
  value.fill(0x55);
  assertEquals(session.store.hasSync(key), true);
}

export function remove(session: Session): void {
  const key = someKey(session.random);
  session.expect(
    `delete ${name(key)}`,
    session.store.delete(key),
    () => session.model.delete(key),
  );
  assertEquals(session.store.getSync(key), undefined);
}

export function fetchAndAdd(session: Session): void {
  const key = someKey(session.random);
  const delta = session.random.pick([1n, 5n, -3n, 2n ** 63n, -(2n ** 62n), 0n]);
  session.expect(
    `fetchAndAddU64 ${name(key)} ${delta}`,
    session.store.fetchAndAddU64(key, delta),
    () => session.model.fetchAndAddU64(key, delta),
  );
}

export function compareAndSwap(session: Session): void {
  const key = someKey(session.random);
  const amount = session.random.pick([1.5, 0.1, -0, Infinity, NaN, 1e39]);
  session.expect(
    `compareAndSwapF32 ${name(key)} ${amount}`,
    session.store.compareAndSwapF32(key, (current) => current + amount),
    () => session.model.compareAndSwapF32(key, (current) => current + amount),
  );
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

export function transact(session: Session): void {
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

export function deleteRange(session: Session): void {
  const range = someRange(session.random);
  session.expect(
    `deleteRange ${show(range)}`,
    session.store.deleteRange(range),
    () => session.model.deleteRange(range),
  );
}
