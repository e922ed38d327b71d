import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { readDurableMark } from "../../journal/durable_mark.ts";
import { Journal } from "../../journal/mod.ts";
import { nextTurn, payloadOf, readAll } from "./_journals.ts";
import { randomOf, VolatileFileSystem } from "./_volatile_file_system.ts";
import { assertCode } from "../support/assert.ts";

const DIRECTORY = "/journal";
const SEGMENT = `${DIRECTORY}/${"0".repeat(20)}.seg`;
/** Too large for a sync on the spot. */
const LARGE = payloadOf(1, 300_000);

/** Opens a journal, and brings an append to where its sync is under way and its pages are lost. */
async function loseUnderWay(
  segmentBytes: number,
): Promise<{ files: VolatileFileSystem; journal: Journal; first: Promise<unknown> }> {
  const files = new VolatileFileSystem();
  const journal = await Journal.open(DIRECTORY, { fileSystem: files, segmentBytes });
  let hasBegun = false;
  files.onSync = (path) => {
    hasBegun ||= path === SEGMENT;
  };
  const first = assertCode(() => journal.append(LARGE), "POISONED", "EIO");
  while (!hasBegun) await nextTurn();
  files.failWriteBack(SEGMENT);
  return { files, journal, first };
}

test("a rotation does not take the report of a write-back that failed from the sync under way", async () => {
  const { files, journal, first } = await loseUnderWay(400_000);
  const second = assertCode(() => journal.append(payloadOf(2, 200_000)), "POISONED");
  await Promise.all([first, second]);
  await journal.close().catch(() => {});
  assertEquals(readDurableMark(files, DIRECTORY), 0n);
  assertEquals(files.overlaps, []);
});

test("the undoing of a failed write does not take the report from the sync under way", async () => {
  const { files, journal, first } = await loseUnderWay(2 ** 26);
  let writes = 0;
  files.space = (wanted) => writes++ === 0 ? wanted - 10 : 0;
  const second = assertCode(() => journal.append(payloadOf(2, 200_000)), "POISONED");
  await Promise.all([first, second]);
  await journal.close().catch(() => {});
  assertEquals(readDurableMark(files, DIRECTORY), 0n);
  assertEquals(files.overlaps, []);
});

for (const [name, isLost] of Object.entries<() => boolean>({ all: () => true, some: coin() })) {
  test(`what a failed sync has lost is written again when the journal is reopened, ${name} of it`, async () => {
    const files = new VolatileFileSystem();
    files.isLost = isLost;
    const options = { fileSystem: files, segmentBytes: 2000 };
    const journal = await Journal.open(DIRECTORY, options);
    await journal.append(payloadOf(0, 50));
    // The fault is met by the sync of several segments.
    const appends = Array.from({ length: 8 }, (_, i) => journal.append(payloadOf(i, 500)));
    const refused = appends.map((append) => assertCode(() => append, "POISONED"));
    await Promise.resolve();
    for (const name of files.list(DIRECTORY)) files.failWriteBack(`${DIRECTORY}/${name}`);
    await Promise.all(refused);
    await journal.close().catch(() => {});

    const sameBoot = files.loseProcess();
    await using reopened = await Journal.open(DIRECTORY, { ...options, fileSystem: sameBoot });
    assertEquals(reopened.recovery, { records: 9, truncatedBytes: 0 });
    for (let i = 0; i < 5; i++) await reopened.append(payloadOf(i, 100));
    const expected = await readAll(reopened);
    for (let seed = 0; seed < 20; seed++) {
      const fileSystem = sameBoot.losePower(randomOf(seed));
      await using survivor = await Journal.open(DIRECTORY, { ...options, fileSystem });
      assertEquals(await readAll(survivor), expected, `seed ${seed}`);
    }
    assertEquals(files.overlaps, []);
  });
}

function coin(): () => boolean {
  const random = randomOf(7);
  return () => random(2) === 0;
}
