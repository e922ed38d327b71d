/** Fills the disk under a store, and sees how the store takes that. Prints what it did; the lines stop
 * where it went wrong.
 *
 * Arguments: what to do, and the directory in which the disk is mounted.
 */

import * as fs from "node:fs";
import process from "node:process";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { assertionKey, HybridStore, mvKey, StoreError } from "../../mod.ts";
import { pattern } from "../conformance/_kit.ts";
import { fill } from "./_small_disk.ts";

const VALUE_BYTES = 3000;
/** More than fits. */
const WRITES_MAX = 40_000;
const [mode, directory] = process.argv.slice(2);
const path = join(directory!, "store");
const options = { durability: "always", memtableBytes: 2 ** 18, segmentBytes: 2 ** 20 } as const;

process.on("unhandledRejection", (reason) => {
  console.log(`unhandled rejection: ${reason}`);
  process.exit(3);
});

function keysOf(number: number): [Uint8Array, Uint8Array] {
  const name = `${number}`.padStart(6, "0");
  return [assertionKey("s", name), mvKey("s", name)];
}

/** The batches that were acknowledged. */
const acknowledged: number[] = [];
let next = 0;

async function write(store: HybridStore): Promise<void> {
  const number = next++;
  const batch = store.batch();
  for (const key of keysOf(number)) batch.put(key, pattern(VALUE_BYTES, number));
  await batch.commit();
  acknowledged.push(number);
}

/** Writes until the store refuses, which has to be for want of space, and returns why. */
async function writeUntilFull(store: HybridStore): Promise<StoreError> {
  while (next < WRITES_MAX) {
    try {
      await write(store);
    } catch (error) {
      assert(error instanceof StoreError, `${error}`);
      assertEquals(error.code, "NO_SPACE", error.message);
      return error;
    }
  }
  throw new Error("the disk is not full");
}

/** Fails unless a store holds what was acknowledged, and nothing else. */
function assertKept(store: HybridStore): void {
  const found = [...store.scanSync()];
  assertEquals(found.length, 2 * acknowledged.length);
  for (const number of acknowledged) {
    for (const key of keysOf(number)) {
      assertEquals(store.getSync(key), pattern(VALUE_BYTES, number), `${number}`);
    }
  }
}

async function tryWithoutSpace(): Promise<void> {
  let store = await HybridStore.open(path, options);
  for (let count = 0; count < 50; count++) await write(store);
  const filler = fill(directory!, 3 * 2 ** 20);
  const refusals = new Set<string>();
  for (let attempt = 0; attempt < 5; attempt++) {
    refusals.add((await writeUntilFull(store)).message);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  console.log([...refusals].join(" | "));
  assertKept(store);
  await assertNoBackup(store);
  console.log("reads go on");
  if (mode === "close") {
    await store.close();
    store = await HybridStore.open(path, options).catch(async (error) => {
      // There need not be space for opening it.
      assertEquals(error.code, "NO_SPACE", error.message);
      filler.remove();
      return await HybridStore.open(path, options);
    });
    assertKept(store);
    console.log("closed");
  }
  fs.rmSync(join(directory!, "filler"), { force: true });
  const before = acknowledged.length;
  for (let count = 0; count < 300; count++) await write(store);
  assertEquals(acknowledged.length, before + 300);
  assertKept(store);
  console.log("writes work again");
  await store.checkpoint();
  await store.close();
  store = await HybridStore.open(path);
  assertKept(store);
  const report = await store.verify();
  assertEquals(report.faults, []);
  await store.close();
  console.log("reopened");
}

/** Fails unless a backup is refused and leaves nothing. */
async function assertNoBackup(store: HybridStore): Promise<void> {
  const names = fs.readdirSync(directory!);
  const error = await store.backup(join(directory!, "backup")).then(() => undefined, (e) => e);
  assertEquals(error?.code, "NO_SPACE", error?.stack);
  assertEquals(fs.readdirSync(directory!), names);
}

/** Writes that nobody waits for, on a disk that is full. */
async function tryUnawaited(): Promise<void> {
  const store = await HybridStore.open(path, { durability: "flush" });
  await write(store);
  await store.flush();
  const filler = fill(directory!, 0);
  let failed = 0;
  for (let number = 0; number < 600; number++) {
    // More than is reserved in the journal.
    store.put(assertionKey("unawaited", `${number}`), pattern(VALUE_BYTES, number))
      .catch(() => failed++);
  }
  const error = await store.flush().then(() => undefined, (error) => error);
  assertEquals(error?.code, "NO_SPACE", error?.stack);
  assertGreater(failed, 0);
  console.log("flush rejects");
  filler.remove();
  await store.flush();
  const kept = await store.count({ prefix: assertionKey("unawaited", "") });
  assertEquals(kept, 600 - failed);
  await store.close();
  console.log("flush resolves");
}

/** A disk that has room for the store, and not for all of a copy. */
async function tryBackups(): Promise<void> {
  const store = await HybridStore.open(path, options);
  while (acknowledged.length < 1500) await write(store);
  await store.checkpoint();
  for (const leftBytes of [0, 1e5, 1e6, 3e6, 5e6, 7e6]) {
    const filler = fill(directory!, leftBytes);
    await assertNoBackup(store);
    filler.remove();
    await write(store);
  }
  assertKept(store);
  console.log("no half backups");
  const target = join(directory!, "backup");
  const { keys } = await store.backup(target);
  assertEquals(keys, 2 * acknowledged.length);
  const copy = await HybridStore.open(target);
  assertKept(copy);
  await copy.close();
  assertGreater((await store.verify()).keys.append, 1000);
  await store.close();
  console.log("backed up");
}

const tasks: Record<string, () => Promise<void>> = { backup: tryBackups, unawaited: tryUnawaited };
await (tasks[mode!] ?? tryWithoutSpace)();
