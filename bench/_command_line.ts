/** The arguments of a run.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";

/** What `--help` prints. */
export const HELP = `Compares HybridStore with its peers in the runtime that runs this.

Usage: compare.ts [--only id,id] [--rounds N] [--keys N] [--quick] [--out DIR] [--no-save]

  --only id,id  works, groups of them, resources, growth; all by default. What they give replaces
                the same in the file of results, and the rest of it stays
  --rounds N    rounds of each work, 5 by default
  --keys N      keys of a store, 200000 by default
  --quick       5000 keys, 1 round, short trials: to see that it works. It ends with a summary,
                without ratios; saved only with --out
  --out DIR     where the results go, bench/results by default
  --no-save     print the results only`;

/** How much is measured. */
export interface RunSettings {
  readonly keys: number;
  readonly rounds: number;
  /** Milliseconds after which a trial ends, unless it has done all operations by then. */
  readonly trialMs: number;
  readonly quick: boolean;
}

const FULL: RunSettings = { keys: 200_000, rounds: 5, trialMs: 200, quick: false };
const QUICK: RunSettings = { keys: 5_000, rounds: 1, trialMs: 100, quick: true };
/** Every subject of the synthetic keys has to have some. */
const KEYS_MIN = 1_000;

/** What was asked for. */
export interface Options {
  readonly settings: RunSettings;
  readonly out: string;
  readonly isSaved: boolean;
  readonly help: boolean;
  /** Whether a work or a group was asked for. */
  isWanted(id: string): boolean;
}

/** Reads the arguments; ends the process where they are not valid.
 *
 * @param ids The works and groups that there are.
 */
export function readCommandLine(args: readonly string[], ids: readonly string[]): Options {
  try {
    return parse(args, new Set([...ids, "resources", "growth"]));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error(HELP);
    process.exit(2);
  }
}

function parse(args: readonly string[], known: ReadonlySet<string>): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      rounds: { type: "string" },
      keys: { type: "string" },
      quick: { type: "boolean", default: false },
      out: { type: "string" },
      "no-save": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const base = values.quick ? QUICK : FULL;
  const only = values.only?.split(",");
  const unknown = only?.filter((id) => !known.has(id)) ?? [];
  if (unknown.length > 0) {
    throw new RangeError(`Cannot run ${unknown.join(", ")}: known are ${[...known].join(", ")}`);
  }
  return {
    settings: {
      ...base,
      rounds: wholeNumber("--rounds", values.rounds, base.rounds, 1),
      keys: wholeNumber("--keys", values.keys, base.keys, KEYS_MIN),
    },
    out: values.out ?? "bench/results",
    isSaved: !values["no-save"] && (!values.quick || values.out !== undefined),
    help: values.help,
    isWanted: (id) => only === undefined || only.includes(id),
  };
}

function wholeNumber(
  name: string,
  text: string | undefined,
  fallback: number,
  min: number,
): number {
  if (text === undefined) return fallback;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= min) return number;
  throw new RangeError(`Cannot use ${name} ${text}: it is no whole number from ${min} on`);
}
