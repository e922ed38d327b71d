/** What several journal tests need: payloads that can be told apart, and ways to write and read many. */

import { cpSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import {
  Journal,
  type JournalEntry,
  type JournalOptions,
  type JournalReader,
} from "../../journal/mod.ts";
import { FaultyFileSystem } from "./_faulty_file_system.ts";
import type { DecodedRecord } from "./_format.ts";

/** Returns `length` bytes that depend on the seed and are never all zero. */
export function payloadOf(seed: number, length: number): Uint8Array {
  const payload = new Uint8Array(length);
  let state = seed + 1;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state, 1103515245) + 12345 | 0;
    payload[i] = (state >>> 16) | 1;
  }
  return payload;
}

/** Resolves after everything that is ready to run has run. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Resolves in the turn in which a condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTurn();
}

/** Reads all records of a journal, or of a reader. */
export async function readAll(
  journal: Pick<JournalReader, "entries">,
  from?: bigint,
): Promise<DecodedRecord[]> {
  const records: DecodedRecord[] = [];
  for await (const entry of journal.entries(from === undefined ? {} : { from })) {
    records.push(recordOf(entry));
  }
  return records;
}

function recordOf({ offset, payload }: JournalEntry): DecodedRecord {
  return { offset, payload };
}

/** Opens a journal over real files without waiting for the disk, for tests that open a great many. */
export function openFast(directory: string, options: JournalOptions = {}): Promise<Journal> {
  return Journal.open(directory, { fileSystem: new FaultyFileSystem(), ...options });
}

/** Appends payloads one after the other and returns them with their offsets. */
export async function appendAll(
  journal: Pick<Journal, "append">,
  payloads: Uint8Array[],
): Promise<DecodedRecord[]> {
  const records: DecodedRecord[] = [];
  for (const payload of payloads) records.push({ offset: await journal.append(payload), payload });
  return records;
}

/** Writes a journal with these payloads, closes it, and returns the records. */
export async function writeJournal(
  directory: string,
  payloads: Uint8Array[],
  options: JournalOptions = {},
): Promise<DecodedRecord[]> {
  await using journal = await openFast(directory, options);
  return await appendAll(journal, payloads);
}

/** Fails unless the journal opens, holds exactly these records, and takes and returns another one. */
export async function assertWorks(
  directory: string,
  expected: DecodedRecord[],
  options: JournalOptions = {},
): Promise<void> {
  const extra = payloadOf(4711, 33);
  let offset: bigint;
  {
    await using journal = await openFast(directory, options);
    assertEquals(await readAll(journal), expected);
    offset = await journal.append(extra);
    const last = expected.at(-1);
    if (last) assertEquals(offset, last.offset + 40n + BigInt(last.payload.length));
    assertEquals((await journal.read(offset))?.payload, extra);
  }
  await using journal = await openFast(directory, options);
  assertEquals(journal.recovery, { records: expected.length + 1, truncatedBytes: 0 });
  assertEquals(await readAll(journal), [...expected, { offset, payload: extra }]);
}

/** Copies a directory, for a try that changes it. */
export function copyDirectory(from: string, to: string): string {
  cpSync(from, to, { recursive: true });
  return to;
}

/** Changes the bytes of a file. */
export function edit(
  directory: string,
  name: string,
  change: (bytes: Uint8Array) => Uint8Array | void,
): void {
  const path = join(directory, name);
  const bytes = new Uint8Array(readFileSync(path));
  const changed = change(bytes) ?? bytes;
  // In place: a file system may wait for the disk where a file is emptied first.
  writeFileSync(path, changed, { flag: "r+" });
  truncateSync(path, changed.length);
}
