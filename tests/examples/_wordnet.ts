import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import process from "node:process";
import { createInterface } from "node:readline";
import { fromFileUrl } from "@std/path";
import { loadHash } from "../../examples/wordnet/assertion.ts";
import { ingest } from "../../examples/wordnet/ingest.ts";
import type { Job } from "../../examples/wordnet/job.ts";
import type { Subject } from "../../examples/wordnet/parse.ts";
import type { Progress } from "../../examples/wordnet/progress.ts";
import { encodeJson } from "../../examples/wordnet/values.ts";
import { openIngestJournal } from "../../examples/wordnet/write_journal.ts";
import { HybridStore } from "../../mod.ts";
import { tempDirectory } from "../support/temp.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url);
const PERMISSIONS = ["--allow-ffi", "--allow-read", "--allow-write", "--allow-env"];

/** A program, and what it is run with. */
export interface Program {
  readonly script: string;
  /** For Deno. */
  readonly permissions: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const WORDNET: Program = { script: "wordnet.ts", permissions: PERMISSIONS, env: {} };

/** How a run of the example ended. */
export interface RunResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
  readonly errors: string;
}

/** Sends a signal to the example, unless it is over. */
type Send = (signal: "SIGINT" | "SIGKILL") => void;

/** Runs the example in a process of its own, in the runtime of the test.
 *
 * @param onStart Called at once; returns what is called with each line that the example prints.
 */
export function runExample(
  args: readonly string[],
  onStart: (send: Send) => (line: string) => void = () => () => {},
  { script, permissions, env }: Program = WORDNET,
): Promise<RunResult> {
  const path = fromFileUrl(new URL(script, EXAMPLES));
  const run = process.versions.bun ? [path] : ["run", ...permissions, path];
  const child = spawn(process.execPath, [...run, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let output = "";
  let errors = "";
  let isOver = false;
  child.on("exit", () => isOver = true);
  // Not by `child.kill`: Deno would then report that signal, however the child ended.
  const onLine = onStart((signal) => {
    if (!isOver) process.kill(child.pid!, signal);
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    output += `${line}\n`;
    onLine(line);
  });
  child.stderr.on("data", (chunk) => errors += chunk);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, output, errors }));
  });
}

/** What a store holds: a digest of every key and value, and how many keys there are. */
export interface StoreDigest {
  readonly keys: number;
  readonly digest: string;
}

/** Opens a store and returns its digest. */
export async function digestDirectory(directory: string): Promise<StoreDigest> {
  await using store = await HybridStore.open(directory);
  return await digestStore(store);
}

/** Returns the digest of an open store. */
export async function digestStore(store: HybridStore): Promise<StoreDigest> {
  const hash = createHash("sha256");
  let keys = 0;
  for await (const { key, value } of store.scan()) {
    const lengths = new Uint32Array([key.length, value.length]);
    hash.update(new Uint8Array(lengths.buffer)).update(key).update(value);
    keys++;
  }
  return { keys, digest: hash.digest("hex") };
}

/** Says nothing, and calls a function at each update. */
export function silentProgress(onUpdate: () => void = () => {}): Progress {
  return { begin: () => {}, update: onUpdate, end: () => {} };
}

/** Ingests subjects into a new store.
 *
 * @param check Gets the job, and the offset at which its journal ends.
 */
export async function withIngested(
  subjects: readonly Subject[],
  check: (job: Job, end: number) => void | Promise<void>,
): Promise<void> {
  using temp = tempDirectory();
  await using store = await HybridStore.open(`${temp.path}/store`);
  await using journal = await openIngestJournal(`${temp.path}/ingest`);
  await Promise.all(subjects.map((subject) => journal.append(encodeJson(subject))));
  const end = journal.stats().bytes;
  const job: Job = {
    store,
    journal,
    hash: await loadHash(),
    limit: Infinity,
    progress: silentProgress(),
    signal: new AbortController().signal,
  };
  await ingest(job, { subjects: subjects.length, statements: 0, end });
  await check(job, end);
}
