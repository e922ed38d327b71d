/** Damaged copies of a store's directory, and what opening them comes to. */

import * as fs from "node:fs";
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { runChild } from "../backends/_child.ts";

/** What came of opening a directory, as `_damage_child.ts` prints it. */
export interface Outcome {
  readonly directory: string;
  readonly code?: string;
  readonly message?: string;
  readonly contents?: string;
  readonly keys?: number;
  readonly faults?: string[];
  readonly error?: string;
}

/** Opens directories in a process of its own, as far as that lives. */
export async function lookAt(
  mode: "open" | "verify",
  directories: readonly string[],
): Promise<{ outcomes: Outcome[]; signal: string | null; errors: string }> {
  const { code, signal, lines, errors } = await runChild(
    "../crash/_damage_child.ts",
    mode,
    ...directories,
  );
  const outcomes = lines.map((line) => JSON.parse(line) as Outcome);
  for (const { directory, error } of outcomes) assertEquals(error, undefined, directory);
  if (signal === null) assertEquals([code, outcomes.length], [0, directories.length], errors);
  return { outcomes, signal, errors };
}

/** Opens directories in a process of its own and returns one outcome for each, in order. */
export async function outcomesOf(
  mode: "open" | "verify",
  directories: readonly string[],
): Promise<Outcome[]> {
  const { outcomes, signal, errors } = await lookAt(mode, directories);
  const last = directories[outcomes.length];
  assertEquals(signal, null, `opening ${last} ended the process: ${errors}`);
  return outcomes;
}

/** Copies a directory once for each name, and damages each copy. */
export function copies(
  directory: string,
  target: string,
  damages: Readonly<Record<string, (copy: string) => void>>,
): string[] {
  return Object.entries(damages).map(([name, damage]) => {
    const copy = join(target, name);
    fs.cpSync(directory, copy, { recursive: true });
    damage(copy);
    return copy;
  });
}

/** Fails unless an outcome is a refusal that names a file and says what to do. */
export function assertRefused({ directory, code, message = "" }: Outcome, file: string): void {
  assertEquals(code, "CORRUPT", `${directory}: ${message}`);
  assert(message.includes(file), `${directory}: ${message}`);
  assert(/restore a backup|remove it/.test(message), `${directory}: ${message}`);
}
