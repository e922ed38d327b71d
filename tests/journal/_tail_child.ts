/** A process that appends to a journal, or follows one, for `tail_process_test.ts`:
 *
 *     append <directory> <segmentBytes> <records>   reads cursors, prints how many segments it removed
 *     reserve <directory> <segmentBytes> <records>  the same with zeros behind the records, as a store
 *     follow <directory> <segmentBytes> <records>   prints its cursor now and then
 *     endless <directory> <segmentBytes>            prints what was acknowledged, until it is killed
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { Journal, JournalReader, nodeFileSystem } from "../../journal/mod.ts";
import { ReservingJournal, type TestJournal } from "./_reserving.ts";
import { follow, numbered } from "./_tail.ts";

const [mode, directory, segmentBytes, records] = process.argv.slice(2);
const options = { segmentBytes: Number(segmentBytes) };
let cursor = 0n;

createInterface({ input: process.stdin })
  .on("line", (line) => cursor = BigInt(line))
  // Whoever started this is gone.
  .on("close", () => process.exit(1));

if (mode === "append") await append(await Journal.open(directory!, options));
else if (mode === "reserve") {
  await append(await ReservingJournal.open(directory!, { ...options, fileSystem: nodeFileSystem }));
} else if (mode === "follow") await followAndTell();
else await appendForever();
process.exit(0);

/** Appends the records, and removes what the reader on the other side says it has read. */
async function append(journal: TestJournal): Promise<void> {
  let removed = 0;
  let last = 0n;
  for (let i = 0; i < Number(records);) {
    const burst = Math.min(1 + i % 37, Number(records) - i);
    const appends = Array.from({ length: burst }, () => journal.append(numbered(i++)));
    last = (await Promise.all(appends)).at(-1)!;
    removed += await journal.removeBefore(cursor);
  }
  while (cursor <= last) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  removed += await journal.removeBefore(cursor);
  await journal.close();
  await say(`${removed}`);
}

async function followAndTell(): Promise<void> {
  const reader = await JournalReader.open(directory!);
  const end = await follow(reader, Number(records), (at) => void process.stdout.write(`${at}\n`));
  reader.close();
  await say(`${end}`);
}

async function appendForever(): Promise<void> {
  const journal = await Journal.open(directory!, options);
  let next = journal.recovery.records;
  for (;;) {
    const burst = Array.from({ length: 1 + next % 11 }, () => journal.append(numbered(next++)));
    await Promise.all(burst);
    await say(`${next}`);
  }
}

function say(line: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${line}\n`, () => resolve()));
}
