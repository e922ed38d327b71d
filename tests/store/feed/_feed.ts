/** Reading the change feed in tests. */

import { readdirSync } from "node:fs";
import { assertGreater } from "@std/assert";
import { join } from "@std/path";
import { type Change, type ChangesOptions, type HybridStore, toText } from "../../../mod.ts";

/** Returns changes as text: `key=value` for a put, `key` for a deletion. */
export function textOf({ writes }: Pick<Change, "writes">): string {
  return writes.map(({ key, value }) =>
    value === undefined ? toText(key) : `${toText(key)}=${toText(value)}`
  ).join();
}

/** Returns all changes as text. */
export async function readAll(store: HybridStore, options: ChangesOptions): Promise<string[]> {
  const changes = await Array.fromAsync(store.changes({ ...options, live: false }));
  for (const [index, { position }] of changes.entries()) {
    if (index > 0) assertGreater(position, changes[index - 1]!.position);
  }
  return changes.map(textOf);
}

/** The segments of a journal, by the number in their names. */
export function segmentsOf(store: HybridStore): number[] {
  return readdirSync(join(store.path, "journal")).filter((name) => name.endsWith(".seg"))
    .map((name) => parseInt(name)).sort((a, b) => a - b);
}
