import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { tempDirectory } from "../support/temp.ts";
import { FaultyFileSystem, systemError } from "./_faulty_file_system.ts";
import { appendAll, assertWorks, payloadOf, readAll } from "./_journals.ts";
import { ReservingJournal } from "./_reserving.ts";
import { assertCode } from "../support/assert.ts";

const SYNC_MS = 100;

/** A disk whose syncs take long, and that notes what holds the event loop for one. */
class SlowDisk extends FaultyFileSystem {
  /** Syncs that have held the event loop. */
  readonly held: string[] = [];

  constructor() {
    super();
    this.beforeSync = () => new Promise((resolve) => setTimeout(resolve, SYNC_MS));
    this.before = ({ kind, name }) => {
      if (kind === "syncNow" || kind === "syncDirectory") this.held.push(`${kind} ${name}`);
    };
  }
}

test("on a slow disk nothing holds the event loop for a sync", { timeout: 600_000 }, async () => {
  using temp = tempDirectory();
  const fileSystem = new SlowDisk();
  const options = { fileSystem, segmentBytes: 300 };
  const journal = await ReservingJournal.open(temp.path, options);
  const records = await appendAll(journal, [payloadOf(0, 100)]);
  // Rotations with syncs that are waited for.
  const payloads = Array.from({ length: 6 }, (_, i) => payloadOf(i, 150));
  for (const payload of payloads) {
    const [record] = await appendAll(journal, [payload]);
    records.push(record!);
  }
  // A write that fails, and is undone.
  const { before } = fileSystem;
  let writes = 0;
  fileSystem.writeLimit = () => 30;
  fileSystem.before = (operation) => {
    before(operation);
    if (operation.kind === "write" && writes++ === 1) throw systemError("ENOSPC");
  };
  await assertCode(() => journal.append(payloadOf(9, 50)), "NO_SPACE");
  fileSystem.writeLimit = () => Infinity;
  fileSystem.before = before;
  // Removals, and what is written meanwhile.
  assertGreater(journal.writer.segments.length, 3);
  const cursor = records.at(-1)!.offset;
  const [removed] = await Promise.all([
    journal.removeBefore(cursor),
    appendAll(journal, [payloadOf(10, 10)]).then((added) => records.push(...added)),
  ]);
  assertGreater(removed, 2);
  const left = records.filter(({ offset }) => offset >= journal.writer.segments[0]!.base);
  assertEquals(await readAll(journal), left);
  await journal.close();
  assertEquals([fileSystem.held, fileSystem.overlaps, fileSystem.openNames], [[], [], []]);
  await assertWorks(temp.path, left);
});
