/** Damaged copies of an engine's directory, and what opening them comes to. */

import * as fs from "node:fs";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { runChild } from "./_child.ts";

/** What came of opening a directory, as `_open_child.ts` prints it. */
export interface Outcome {
  readonly directory: string;
  readonly code?: string;
  readonly message?: string;
  /** Position and digest before, and after some writes and a reopen. */
  readonly content?: string;
  readonly contentAfter?: string;
  readonly error?: string;
}

/** Opens directories in a process of its own and returns one outcome for each, in order. */
export async function openAll(kind: string, directories: readonly string[]): Promise<Outcome[]> {
  const { code, signal, lines, errors } = await runChild("_open_child.ts", kind, ...directories);
  const outcomes = lines.map((line) => JSON.parse(line) as Outcome);
  const last = directories[outcomes.length];
  assertEquals([code, signal], [0, null], `opening ${last} ended the process: ${errors}`);
  assertEquals(outcomes.length, directories.length, errors);
  return outcomes;
}

/** Copies a directory for each of some names, and damages each copy.
 *
 * @returns The directories, in the order of the names.
 */
export function copies<Name extends string | number>(
  directory: string,
  target: string,
  names: readonly Name[],
  damage: (directory: string, name: Name) => void,
): string[] {
  return names.map((name) => {
    const copy = join(target, `${name}`);
    fs.cpSync(directory, copy, { recursive: true });
    damage(copy, name);
    return copy;
  });
}

/** Returns bytes without any order, the same each time. */
export function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
