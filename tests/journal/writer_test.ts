import { readdirSync, readFileSync, statSync } from "node:fs";
import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { Journal, StoreError } from "../../journal/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem, forSegments, systemError } from "./_faulty_file_system.ts";
import { decodeJournal, segmentName } from "./_format.ts";
import {
  appendAll,
  assertWorks,
  nextTurn,
  payloadOf,
  readAll,
  until,
  writeJournal,
} from "./_journals.ts";
import { assertCode } from "../support/assert.ts";

const SEGMENT = segmentName(0);
const PAYLOADS = Array.from({ length: 8 }, (_, i) => payloadOf(i, 10 + i));

test("a write that the file takes in pieces is completed", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  fileSystem.writeLimit = () => 7;
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: 200 });
  const records = await appendAll(journal, PAYLOADS);
  await journal.close();
  assertEquals(await decodeJournal(temp.path), records);
});

for (const taken of [0, 1, 40, 100]) {
  test(`a full disk after ${taken} bytes rejects the group with NO_SPACE and leaves nothing of it`, async () => {
    using temp = tempDirectory();
    const fileSystem = new FaultyFileSystem();
    const journal = await Journal.open(temp.path, { fileSystem });
    const records = await appendAll(journal, PAYLOADS.slice(0, 2));
    const size = statSync(join(temp.path, SEGMENT)).size;

    let writes = 0;
    fileSystem.writeLimit = () => taken;
    fileSystem.before = ({ kind, name }) => {
      if (kind === "write" && name === SEGMENT && writes++ === Math.sign(taken)) {
        throw systemError("ENOSPC");
      }
    };
    const group = PAYLOADS.slice(2, 5).map((payload) =>
      assertCode(() => journal.append(payload), "NO_SPACE", "Cannot write record")
    );
    await Promise.all(group);
    assertEquals(statSync(join(temp.path, SEGMENT)).size, size);
    assertEquals(journal.stats().appends, 2);

    fileSystem.writeLimit = () => Infinity;
    records.push(...await appendAll(journal, PAYLOADS.slice(5)));
    assertEquals(await readAll(journal), records);
    await journal.close();
    await assertWorks(temp.path, records);
  });
}

test("what a failed write left is taken back durably before it is reported", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem });
  let writes = 0;
  fileSystem.writeLimit = () => 60;
  fileSystem.before = ({ kind }) => {
    if (kind === "write" && writes++ === 1) throw systemError("ENOSPC");
  };
  const start = fileSystem.operations.length;
  await assertCode(() => journal.append(payloadOf(1, 100)), "NO_SPACE");
  const kinds = fileSystem.operations.slice(start).map(({ kind }) => kind);
  assertEquals(kinds, ["write", "write", "size", "truncate", "sync"]);
  await journal.close();
});

test("a file that takes nothing is an IO error, not an endless loop", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  await using journal = await Journal.open(temp.path, { fileSystem });
  fileSystem.writeLimit = () => 0;
  await assertCode(() => journal.append(PAYLOADS[0]!), "IO", "took no bytes");
});

test("an error of a file operation becomes a StoreError with its cause", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  await using journal = await Journal.open(temp.path, { fileSystem });
  const codes = [["ENOSPC", "NO_SPACE"], ["EDQUOT", "NO_SPACE"], ["EFBIG", "NO_SPACE"], [
    "EIO",
    "IO",
  ]];
  for (const [systemCode, code] of codes) {
    const cause = systemError(systemCode!);
    fileSystem.before = ({ kind }) => {
      if (kind === "write") throw cause;
    };
    const error = await assertRejects(() => journal.append(PAYLOADS[0]!), StoreError);
    assertEquals([error.code, error.cause], [code, cause]);
  }
  fileSystem.before = () => {};
});

for (
  const [step, message] of [
    ["size", "Cannot undo a failed write"],
    ["truncate", "Cannot undo a failed write"],
    ["sync", "Cannot sync journal segment"],
  ] as const
) {
  test(`a failed write whose undoing fails at ${step} poisons the journal`, async () => {
    using temp = tempDirectory();
    const fileSystem = new FaultyFileSystem();
    const journal = await Journal.open(temp.path, { fileSystem });
    const records = await appendAll(journal, PAYLOADS.slice(0, 2));

    let writes = 0;
    // The first record of the group is whole in the file, the second is not.
    fileSystem.writeLimit = () => 60;
    fileSystem.before = ({ kind }) => {
      if (kind === "write" && writes++ === 1) throw systemError("ENOSPC");
      if (writes === 2 && kind === step) throw systemError("EIO");
    };
    const group = PAYLOADS.slice(2, 4).map((payload) =>
      assertCode(() => journal.append(payload), "POISONED", message)
    );
    await Promise.all(group);
    fileSystem.before = () => {};
    await assertPoisoned(journal, records);
    await journal.close();
    assertEquals(fileSystem.openNames, []);

    // What is on disk was unknown: a record that was refused may be there, one that was acknowledged
    // must be.
    await using reopened = await Journal.open(temp.path);
    const found = await readAll(reopened);
    assertEquals(found.slice(0, 2), records);
    assert(found.length <= 3);
  });
}

test("until a failed write is undone on disk it is not reported, and later ones are refused", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, sync: "manual" });
  const records = await appendAll(journal, PAYLOADS.slice(0, 1));
  let open = () => {};
  fileSystem.beforeSync = () => new Promise((resolve) => open = resolve);
  let writes = 0;
  fileSystem.writeLimit = () => 60;
  fileSystem.before = ({ kind }) => {
    if (kind === "write" && writes++ === 1) throw systemError("ENOSPC");
  };
  const reported: string[] = [];
  const fail = (name: string, payload: Uint8Array, message: string) =>
    assertCode(() => journal.append(payload), "NO_SPACE", message).then(() => reported.push(name));
  const first = fail("first", payloadOf(1, 100), "Cannot write record: ENOSPC");
  await nextTurn();
  fileSystem.before = () => {};
  const second = fail("second", PAYLOADS[1]!, "an earlier one is still being undone");
  for (let i = 0; i < 5; i++) await nextTurn();
  assertEquals([reported, statSync(join(temp.path, SEGMENT)).size], [[], 16 + 50]);
  fileSystem.beforeSync = () => Promise.resolve();
  open();
  await Promise.all([first, second]);
  records.push(...await appendAll(journal, PAYLOADS.slice(2)));
  await journal.close();
  await assertWorks(temp.path, records);
});

/** Fails unless every write is refused, while reading goes on up to the end. */
async function assertPoisoned(
  journal: Journal,
  records: { offset: bigint; payload: Uint8Array }[],
): Promise<void> {
  await assertCode(() => journal.append(PAYLOADS[0]!), "POISONED", "until the journal is reopened");
  await assertCode(() => journal.sync(), "POISONED");
  await assertCode(() => journal.removeBefore(0n), "POISONED");
  assertEquals((await readAll(journal)).slice(0, records.length), records);
  const end = BigInt(journal.stats().bytes);
  assertEquals(await journal.read(end), undefined);
  await assertRejects(() => journal.read(end + 1n), RangeError);
}

test("a failed sync poisons waiting and later appends, while reading goes on", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem });
  const records = await appendAll(journal, PAYLOADS.slice(0, 2));

  let fail = () => {};
  fileSystem.beforeSync = forSegments(() =>
    new Promise((_, reject) => fail = () => reject(systemError("EIO")))
  );
  const syncs = fileSystem.count("sync");
  // Too large for a sync on the spot.
  const running = assertCode(() => journal.append(new Uint8Array(300 * 1024)), "POISONED");
  await until(() => fileSystem.count("sync") > syncs);
  const queued = assertCode(() => journal.append(PAYLOADS[3]!), "POISONED");
  const syncing = assertCode(() => journal.sync(), "POISONED");
  fail();
  const error = await running;
  assertStringIncludes(
    error.message,
    "Cannot sync journal segment: EIO: injected; what is on disk",
  );
  assertEquals((error.cause as Error).message, "EIO: injected");
  await queued;
  await syncing;
  await assertPoisoned(journal, records);
  assertEquals((await readAll(journal)).length, 4);

  await journal.close();
  assertEquals(fileSystem.openNames, []);
  await using reopened = await Journal.open(temp.path);
  assertEquals((await readAll(reopened)).slice(0, 2), records);
});

for (const turns of [0, 1, 2]) {
  test(`a failed sync poisons what asked for the next one ${turns} turns before`, async () => {
    using temp = tempDirectory();
    const fileSystem = new FaultyFileSystem();
    const journal = await Journal.open(temp.path, { fileSystem });
    let fail = () => {};
    const syncs = fileSystem.count("sync", ".seg");
    // The kernel reports an error once: a second sync would find nothing wrong.
    fileSystem.beforeSync = () => {
      if (fileSystem.count("sync", ".seg") > syncs + 1) return Promise.resolve();
      return new Promise((_, reject) => fail = () => reject(systemError("EIO")));
    };
    const running = assertCode(() => journal.append(PAYLOADS[0]!), "POISONED");
    await until(() => fileSystem.count("sync", ".seg") === syncs + 1);
    const queued = assertCode(() => journal.append(PAYLOADS[1]!), "POISONED");
    for (let i = 0; i < turns; i++) await nextTurn();
    fail();
    await Promise.all([running, queued]);
    await assertPoisoned(journal, []);
    fileSystem.beforeSync = () => Promise.resolve();
    await journal.close();
    assertEquals(fileSystem.openNames, []);
    assertEquals(fileSystem.count("sync", ".seg"), syncs + 1);
  });
}

test("a sync that was asked for before the journal was poisoned does not begin any more", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: 100 });
  const syncs = fileSystem.count("sync", ".seg");
  const waiting = assertCode(() => journal.append(PAYLOADS[0]!), "POISONED");
  fileSystem.before = ({ kind, name }) => {
    if (kind === "write" && name !== SEGMENT) throw systemError("ENOSPC");
    if (kind === "remove") throw systemError("EIO");
  };
  // Does not fit: a rotation, which fails and cannot be taken back.
  const rotating = assertCode(() => journal.append(payloadOf(1, 90)), "POISONED");
  await Promise.all([waiting, rotating]);
  assertEquals(fileSystem.count("sync", ".seg"), syncs);
  await journal.close();
  assertEquals(fileSystem.openNames, []);
});

test("a sync that fails on the spot poisons waiting and later appends", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem });
  const records: Awaited<ReturnType<typeof appendAll>> = [];
  let start: number;
  do {
    assert(records.length < 20);
    start = fileSystem.operations.length;
    records.push(...await appendAll(journal, PAYLOADS.slice(0, 1)));
  } while (!fileSystem.operations.slice(start).some(({ kind }) => kind === "syncNow"));

  fileSystem.before = ({ kind }) => {
    if (kind !== "syncNow" && kind !== "sync") return;
    fileSystem.before = () => {};
    throw systemError("EIO");
  };
  const syncs = fileSystem.count("sync");
  const refused = PAYLOADS.slice(1, 3).map((payload) =>
    assertCode(() => journal.append(payload), "POISONED", "Cannot sync journal segment: EIO")
  );
  await Promise.all(refused);
  assertEquals(fileSystem.count("sync"), syncs);
  await assertPoisoned(journal, records);
  await journal.close();
  assertEquals(fileSystem.openNames, []);
});

test("Journal.close() rejects with POISONED where its own sync fails, and closes all the same", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  const journal = await Journal.open(temp.path, { fileSystem, sync: "manual" });
  await journal.append(PAYLOADS[0]!);
  fileSystem.beforeSync = forSegments(() => Promise.reject(systemError("EIO")));
  await assertCode(() => journal.close(), "POISONED");
  await assertCode(() => journal.close(), "POISONED");
  assertEquals(fileSystem.openNames, []);
});

test("a descriptor that does not close changes nothing", async () => {
  using temp = tempDirectory();
  const fileSystem = new FaultyFileSystem();
  fileSystem.before = ({ kind }) => {
    if (kind === "close") throw systemError("EIO");
  };
  const journal = await Journal.open(temp.path, { fileSystem, segmentBytes: 130 });
  const records = await appendAll(journal, PAYLOADS);
  assertEquals(await readAll(journal), records);
  await journal.close();
  assertEquals(fileSystem.openNames, []);
  assertEquals(await decodeJournal(temp.path), records);
});

test("a journal that does not open leaves no descriptor open, and opens later", async () => {
  using temp = tempDirectory();
  const records = await writeJournal(temp.path, PAYLOADS, { segmentBytes: 130 });
  const files = () =>
    readdirSync(temp.path).map((name) => [name, readFileSync(join(temp.path, name))]);
  const before = files();
  for (let step = 0;; step++) {
    const fileSystem = new FaultyFileSystem();
    fileSystem.before = () => {
      if (fileSystem.operations.length === step + 1) throw systemError("EIO");
    };
    const outcome = await Journal.open(temp.path, { fileSystem }).catch((error) => error);
    if (outcome instanceof Journal) await outcome.close();
    else assertEquals([outcome.name, outcome.code], ["StoreError", "IO"]);
    assertEquals(fileSystem.openNames, [], `after step ${step}`);
    if (fileSystem.operations.length <= step) break;
  }
  assertEquals(files(), before);
  await assertWorks(temp.path, records);
});
