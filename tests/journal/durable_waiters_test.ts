import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { DurableWaiters } from "../../journal/durable_waiters.ts";
import { assertCode } from "../support/assert.ts";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem, systemError } from "./_faulty_file_system.ts";
import { payloadOf } from "./_journals.ts";
import { ReservingJournal } from "./_reserving.ts";

/** Notes in which order promises settle. */
class Outcomes {
  readonly names: string[] = [];

  add(name: string, promise: Promise<void>): void {
    promise.then(() => this.names.push(name), () => this.names.push(`no ${name}`));
  }

  async settled(): Promise<string[]> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.names.splice(0);
  }
}

/** A signal that counts who listens to it. */
function countedSignal(): { controller: AbortController; listeners: () => number } {
  const controller = new AbortController();
  const { signal } = controller;
  const { addEventListener, removeEventListener } = signal;
  const listening = new Set<unknown>();
  signal.addEventListener = (type: string, listener: EventListener) => {
    listening.add(listener);
    addEventListener.call(signal, type, listener);
  };
  signal.removeEventListener = (type: string, listener: EventListener) => {
    listening.delete(listener);
    removeEventListener.call(signal, type, listener);
  };
  return { controller, listeners: () => listening.size };
}

test("waiters are answered once the end has passed their offset", async () => {
  const waiters = new DurableWaiters();
  const outcomes = new Outcomes();
  for (const offset of [30n, 10n, 20n, 10n]) {
    outcomes.add(`${offset}`, waiters.wait(offset, undefined));
  }
  waiters.resolveBelow(10n);
  assertEquals([await outcomes.settled(), waiters.size], [[], 4]);
  waiters.resolveBelow(21n);
  assertEquals([await outcomes.settled(), waiters.size], [["10", "20", "10"], 1]);
  waiters.rejectAll(new Error("over"));
  assertEquals([await outcomes.settled(), waiters.size], [["no 30"], 0]);
});

test("nothing is left of a waiter that was answered, refused or given up", async () => {
  const waiters = new DurableWaiters();
  const outcomes = new Outcomes();
  const { controller, listeners } = countedSignal();
  const { signal } = controller;
  outcomes.add("10", waiters.wait(10n, signal));
  outcomes.add("20", waiters.wait(20n, signal));
  assertEquals([waiters.size, listeners()], [2, 2]);
  waiters.resolveBelow(11n);
  assertEquals([waiters.size, listeners()], [1, 1]);
  waiters.rejectAll(new Error("over"));
  assertEquals([waiters.size, listeners()], [0, 0]);
  outcomes.add("30", waiters.wait(30n, signal));
  controller.abort();
  assertEquals([waiters.size, listeners()], [0, 0]);
  outcomes.add("40", waiters.wait(40n, signal));
  assertEquals([waiters.size, listeners()], [0, 0]);
  assertEquals((await outcomes.settled()).sort(), ["10", "no 20", "no 30", "no 40"]);
});

test("JournalWriter.whenDurableBeyond() resolves after a sync that has covered the offset", async () => {
  using temp = tempDirectory();
  const journal = await ReservingJournal.open(temp.path, {
    fileSystem: new FaultyFileSystem(),
    sync: "manual",
  });
  const { writer } = journal;
  const outcomes = new Outcomes();
  outcomes.add("0", writer.whenDurableBeyond(0n));
  outcomes.add("50", writer.whenDurableBeyond(50n));
  const controller = new AbortController();
  const given = assertRejects(() => writer.whenDurableBeyond(0n, controller.signal), Error, "up");
  controller.abort(new Error("given up"));
  await given;
  await journal.append(payloadOf(1, 10));
  assertEquals(await outcomes.settled(), []);
  await journal.sync();
  assertEquals(await outcomes.settled(), ["0"]);
  outcomes.add("49", writer.whenDurableBeyond(49n));
  assertEquals(await outcomes.settled(), ["49"]);
  await journal.append(payloadOf(2, 10));
  const closing = journal.close();
  outcomes.add("100", writer.whenDurableBeyond(100n));
  await closing;
  assertEquals(await outcomes.settled(), ["50", "no 100"]);
  await writer.whenDurableBeyond(99n);
  await assertCode(() => writer.whenDurableBeyond(100n), "CLOSED", "the journal is closed");
});

test("JournalWriter.whenDurableBeyond() rejects once the journal is poisoned", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await ReservingJournal.open(temp.path, { fileSystem });
  const { writer } = journal;
  await journal.append(payloadOf(1, 10));
  const waiting = assertCode(() => writer.whenDurableBeyond(50n), "POISONED", "EIO");
  fileSystem.before = ({ kind }) => {
    if (kind.startsWith("sync")) throw systemError("EIO");
  };
  await assertCode(() => journal.append(payloadOf(2, 10)), "POISONED");
  assertEquals(await waiting, writer.poison);
  await assertCode(() => writer.whenDurableBeyond(50n), "POISONED", "EIO");
  await writer.whenDurableBeyond(49n);
  await journal.close();
  await assertCode(() => writer.whenDurableBeyond(50n), "POISONED", "EIO");
});
