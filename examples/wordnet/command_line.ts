import { existsSync, readdirSync, statSync } from "node:fs";
import { parseArgs } from "node:util";
import { JobError } from "./job_error.ts";

/** What `--help` prints. */
export const HELP = `Makes a claims database out of WordNet, and asks it three questions.

Usage: wordnet.ts [directory] [--limit N]

  directory   where the store is or is to be, ./data/wordnet by default
  --limit N   take the first N of WordNet's 117,791 subjects alone
  --help      print this

Killed or interrupted, it goes on from where it was when it is started again.`;

/** What `--help` prints of the program that runs in a cluster. */
export const CLUSTER_HELP =
  `Makes the same database in a PostgreSQL cluster, and kills its primary meanwhile.

Usage: wordnet_cluster.ts [--limit N]

  --limit N   take the first N of WordNet's 117,791 subjects alone
  --help      print this

It starts both servers, and leaves nothing of them.`;

/** What was asked for. */
export interface Options {
  readonly directory: string;
  /** `Infinity` for all subjects. */
  readonly limit: number;
  readonly help: boolean;
}

/** Reads the arguments.
 *
 * @param directoriesMax How many directories may be named: 1, or none.
 * @throws {JobError} They are not valid.
 */
export function readCommandLine(args: readonly string[], directoriesMax = 1): Options {
  const { values, positionals } = parse(args);
  if (positionals.length > directoriesMax) {
    const why = directoriesMax === 0 ? "there is no directory to name" : "one directory is enough";
    throw new JobError(`Cannot use ${positionals.join(" and ")}: ${why}`);
  }
  const { limit, help = false } = values;
  if (limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit)) {
    throw new JobError(`Cannot use --limit ${limit}: it is not a whole number from 1 on`);
  }
  return {
    directory: positionals[0] ?? "./data/wordnet",
    limit: limit === undefined ? Infinity : Number(limit),
    help,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: { limit: { type: "string" }, help: { type: "boolean", short: "h" } },
      allowPositionals: true,
    });
  } catch (error) {
    throw new JobError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Checks that a directory is a store's, or is free to become one's: a store would not mind the files
 * that are there already, but whoever mistyped a path would.
 *
 * @throws {JobError} It is neither.
 */
export function requireStoreDirectory(directory: string): void {
  if (!existsSync(directory)) return;
  if (!statSync(directory).isDirectory()) {
    throw new JobError(`Cannot use ${directory}: it is not a directory`);
  }
  const names = readdirSync(directory);
  // The lock is the first file that a store creates.
  if (names.length === 0 || names.includes("lock") || names.includes("manifest.json")) return;
  throw new JobError(`Cannot use ${directory}: it has files in it that are not those of a store`);
}
