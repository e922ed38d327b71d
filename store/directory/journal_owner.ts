/** Whose journal it is: records do not say which store they belong to, and the journal of another one
 * would be replayed as if it were this one's.
 *
 * The file `.store` in the journal's directory holds the store's identity.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import { REPAIR } from "../../codec/_advice.ts";
import { StoreError } from "../../codec/error.ts";
import { fileError } from "../../codec/_file_error.ts";
import { type Manifest, replaceDurably } from "./manifest.ts";

const NAME = ".store";

/** Notes in a journal's directory which store it belongs to. */
export function writeJournalOwner(directory: string, identity: string): void {
  replaceDurably(join(directory, NAME), `${identity}\n`);
}

/** Returns which store a journal belongs to, `undefined` where it does not say.
 *
 * @throws {StoreError} `IO`.
 */
export function readJournalOwner(directory: string): string | undefined {
  try {
    return fs.readFileSync(join(directory, NAME), "utf8").trim();
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined;
    throw fileError(`Cannot open journal ${directory}`, error);
  }
}

/** Refuses a journal of another store. One that carries a previous identity of this one gets the present
 * one, durably.
 *
 * @param options.adopts Whether it gets it; it may only be read otherwise.
 * @throws {StoreError} `CORRUPT`; `IO`.
 */
export function requireJournalOwner(
  directory: string,
  { identity, previous }: Pick<Manifest, "identity" | "previous">,
  { adopts = true }: { readonly adopts?: boolean } = {},
): void {
  const owner = readJournalOwner(directory);
  if (owner === identity) return;
  if (owner !== undefined && previous?.includes(owner)) {
    return adopts ? writeJournalOwner(directory, identity) : undefined;
  }
  const reason = owner === undefined ? `${NAME} is missing in it` : "it belongs to another store";
  throw new StoreError("CORRUPT", `Cannot open journal ${directory}: ${reason}; ${REPAIR}`);
}
