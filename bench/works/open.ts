/** Opening a store whose owner was killed.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Guarantee } from "../_contestants.ts";
import { runtimeArguments } from "../_machine.ts";
import { makeTemp, removeTemp } from "../_temp.ts";
import type { Entry, Figures, Trial, Work } from "./work.ts";
import { readersOf } from "./work.ts";

const JOURNAL_MIB = 64;
const JOURNAL_MIB_QUICK = 4;
const CHILD = fileURLToPath(new URL("../_journal_child.ts", import.meta.url));

/** What an entry opens, prepared once and copied for each trial: opening changes it. */
const prepared = new Map<string, string>();

async function prepare(entry: Entry, trial: Trial): Promise<string> {
  const directory = makeTemp();
  prepared.set(entry.id, directory);
  if (entry.id === "hybrid") {
    const mebibytes = String(trial.isQuick ? JOURNAL_MIB_QUICK : JOURNAL_MIB);
    const args = [
      ...runtimeArguments(),
      CHILD,
      directory,
      mebibytes,
      String(trial.side.keys.length),
    ];
    const { signal, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (signal !== "SIGKILL") throw new Error(`Cannot prepare journal: ${stderr}`);
    return directory;
  }
  const session = await trial.open(directory);
  await session.putAll(session.keysOf(trial.side.keys), trial.side.values);
  await session.settle();
  await session.close();
  return directory;
}

async function open(trial: Trial): Promise<Figures> {
  const { entry, directory, side } = trial;
  const source = prepared.get(entry.id) ?? await prepare(entry, trial);
  cpSync(source, directory, { recursive: true });
  const start = performance.now();
  const session = await trial.open(directory);
  await session.get(session.keysOf(side.keys)[0]);
  const ms = performance.now() - start;
  await session.close();
  return { values: [ms] };
}

function entries(): Entry[] {
  const [hybrid, ...peers] = readersOf(
    "append",
    ...["hybrid", "lmdb_safe", "sqlite_normal", "level", "rocksdb", "deno_kv"],
  );
  const killed = `killed before, ${JOURNAL_MIB} MiB of journal`;
  const state = (onDisk: string): Guarantee => ({ kind: "reads", onDisk, how: onDisk });
  const closed = state("closed before");
  return [
    { ...hybrid!, guarantee: state(killed) },
    {
      ...hybrid!,
      id: "hybrid_closed",
      name: "HybridStore, closed",
      guarantee: closed,
    },
    ...peers.map((peer) => ({ ...peer, guarantee: closed })),
  ];
}

export const OPENS: readonly Work[] = [{
  rows: [{
    id: "open_replay",
    title: `open and first get, ${JOURNAL_MIB} MiB of journal to replay`,
    unit: "ms",
    better: "lower",
  }],
  group: "open",
  note:
    "The peers were closed and have nothing to replay: the work is not the same, and there is no " +
    "bar.",
  dataset: "small_values",
  store: "none",
  entries: entries(),
  run: open,
  finish: () => {
    for (const directory of prepared.values()) removeTemp(directory);
    prepared.clear();
  },
}];
