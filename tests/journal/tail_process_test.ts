import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { assertEquals, assertGreater, assertGreaterOrEqual } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { Journal, JournalReader } from "../../journal/mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { segmentNames } from "./_format.ts";
import { readAll } from "./_journals.ts";
import { follow, numbered } from "./_tail.ts";

const HERE = dirname(fromFileUrl(import.meta.url));
const CONFIG = join(HERE, "..", "..", "deno.json");
const RECORDS = 5000;
const SEGMENT_BYTES = 4096;

/** A child that runs `_tail_child.ts` in the runtime of this process. */
class Child implements Disposable {
  readonly process: ChildProcessWithoutNullStreams;
  /** Called with each line that it prints. */
  onLine: (line: string) => void = () => {};
  /** Resolves to how it ended: the exit code, or the signal. */
  readonly ended: Promise<number | string | null>;
  #errors = "";

  constructor(...args: string[]) {
    const runtimeArgs = "bun" in process.versions ? [] : ["run", "-A", "--config", CONFIG];
    this.process = spawn(process.execPath, [...runtimeArgs, join(HERE, "_tail_child.ts"), ...args]);
    createInterface({ input: this.process.stdout }).on("line", (line) => this.onLine(line));
    this.process.stderr.on("data", (data) => this.#errors += data);
    this.ended = new Promise((resolve, reject) => {
      this.process.on("error", reject);
      this.process.on("close", (code, signal) => {
        if (code !== 0 && code !== null) reject(new Error(this.#errors));
        else resolve(signal ?? code);
      });
    });
    this.ended.catch(() => {});
  }

  [Symbol.dispose](): void {
    this.process.kill("SIGKILL");
  }
}

const WRITERS = {
  append: "rotates and removes behind it",
  reserve: "reserves room as well",
};

for (const [mode, what] of Object.entries(WRITERS)) {
  test(`a reader follows a writer in another process that ${what}`, {
    timeout: 600_000,
  }, async () => {
    using temp = tempDirectory();
    using child = new Child(mode, temp.path, `${SEGMENT_BYTES}`, `${RECORDS}`);
    let removed = 0;
    child.onLine = (line) => removed = Number(line);
    const reader = await JournalReader.open(temp.path);
    const tell = (cursor: bigint) => child.process.stdin.write(`${cursor}\n`);
    const following = follow(reader, RECORDS, tell);
    // A child that fails ends the test, where the reader would wait for ever.
    await Promise.race([following, child.ended]);
    tell(await following);
    assertEquals(await child.ended, 0);
    reader.close();

    assertGreater(removed, 10);
    await using journal = await Journal.open(temp.path);
    const last = (await readAll(journal)).at(-1)!;
    assertEquals(last.payload, numbered(RECORDS - 1));
  });
}

test("a writer rotates and removes while a reader in another process follows", {
  timeout: 600_000,
}, async () => {
  using temp = tempDirectory();
  await using journal = await Journal.open(temp.path, { segmentBytes: SEGMENT_BYTES });
  using child = new Child("follow", temp.path, `${SEGMENT_BYTES}`, `${RECORDS}`);
  let cursor = 0n;
  child.onLine = (line) => cursor = BigInt(line);
  let hasEnded = false;
  const setEnded = () => void (hasEnded = true);
  child.ended.then(setEnded, setEnded);

  let removed = 0;
  let written = 0;
  while (!hasEnded) {
    if (written < RECORDS) {
      const burst = Math.min(1 + written % 37, RECORDS - written);
      await Promise.all(Array.from({ length: burst }, () => journal.append(numbered(written++))));
    }
    removed += await journal.removeBefore(cursor);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assertEquals(await child.ended, 0);
  assertEquals(written, RECORDS);
  removed += await journal.removeBefore(cursor);
  assertGreater(removed, 10);
});

test("what a killed writer had acknowledged is there, in order and once", {
  timeout: 600_000,
}, async () => {
  using temp = tempDirectory();
  for (let round = 1; round <= 5; round++) {
    using child = new Child("endless", temp.path, `${SEGMENT_BYTES}`);
    let acknowledged = 0;
    let lines = 0;
    child.onLine = (line) => {
      acknowledged = Number(line);
      if (++lines === round * 30) child.process.kill("SIGKILL");
    };
    assertEquals(await child.ended, "SIGKILL");

    await using journal = await Journal.open(temp.path);
    const records = await readAll(journal);
    assertGreaterOrEqual(records.length, acknowledged);
    records.forEach(({ payload }, number) => assertEquals(payload, numbered(number)));
  }
  assertGreater(segmentNames(temp.path).length, 5);
});
