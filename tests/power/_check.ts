/** Opens what a power loss left, and compares it with what had been said until then. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "@std/path";
import { HybridStore, StoreError } from "../../mod.ts";
import { UNFINISHED_INFIX } from "../../store/directory/layout.ts";
import { entriesOf, fit, type Load } from "./_load.ts";
import type { Claim } from "./_testimony.ts";

/** What is wrong with an image: acknowledged operations are not there; what is there is not a number of
 * whole operations; the store does not open, or does not work then; `verify()` found something; the
 * process that looked at it died, or never ended.
 */
export const VERDICTS = ["lost", "torn", "refused", "unverifiable", "died"] as const;
/** One of {@linkcode VERDICTS}. */
export type Verdict = typeof VERDICTS[number];

/** What was found. */
export interface Finding {
  readonly verdict: Verdict | "good";
  readonly reason: string;
}

/** What to look at, and what must be there. */
export interface Assignment {
  /** The directory of the image, which is changed by being looked at. */
  readonly directory: string;
  readonly load: Load;
  readonly outcomes: readonly (readonly [number, string])[];
  readonly claims: readonly Claim[];
}

/** Not a key of any operation. */
const EXTRA_KEY = new TextEncoder().encode("extra");

/** Looks at an image. */
export async function checkImage(assignment: Assignment): Promise<Finding> {
  for (const claim of assignment.claims) {
    const finding = await checkClaim(assignment, claim);
    if (finding.verdict !== "good") {
      const reason = finding.reason.replaceAll(assignment.directory, "");
      return { verdict: finding.verdict, reason: `${claim.path}: ${reason}` };
    }
  }
  return await checkUnfinished(assignment.directory);
}

const GOOD: Finding = { verdict: "good", reason: "" };

async function checkClaim(
  { directory, load, outcomes }: Assignment,
  { path, numbers, least, mayBeMissing }: Claim,
): Promise<Finding> {
  const place = join(directory, path);
  if (!existsSync(place)) {
    return mayBeMissing ? GOOD : { verdict: "lost", reason: "the directory is missing" };
  }
  let store: HybridStore;
  try {
    store = await HybridStore.open(place);
  } catch (error) {
    return { verdict: "refused", reason: explain(error) };
  }
  let finding = GOOD;
  try {
    const entries = await entriesOf(store);
    const { length, fault } = fit(load, numbers, new Map(outcomes), entries);
    if (length === undefined) finding = { verdict: "torn", reason: fault! };
    else if (length < least) {
      finding = {
        verdict: "lost",
        reason: `${length} operations are there, ${least} were promised, ${numbers.length} called`,
      };
    } else if (fault !== undefined) finding = { verdict: "torn", reason: fault };
    if (finding === GOOD) finding = await checkWork(store, place, entries);
  } catch (error) {
    finding = { verdict: "refused", reason: `open, but ${explain(error)}` };
  }
  await store.close().catch((error) => {
    if (finding === GOOD) finding = { verdict: "refused", reason: `at close ${explain(error)}` };
  });
  return finding;
}

/** Verifies a store, writes to it, and opens it once more. */
async function checkWork(
  store: HybridStore,
  place: string,
  entries: Map<string, string>,
): Promise<Finding> {
  const report = await store.verify();
  if (!report.ok) {
    const [first] = report.faults;
    return { verdict: "unverifiable", reason: `${first?.part}: ${first?.message}` };
  }
  await store.put(EXTRA_KEY, new Uint8Array(1));
  await store.close();
  const again = await HybridStore.open(place);
  try {
    const found = await entriesOf(again);
    if (!found.delete("extra")) return { verdict: "lost", reason: "a put to the opened image" };
    const isSame = found.size === entries.size &&
      [...entries].every(([key, value]) => found.get(key) === value);
    return isSame ? GOOD : { verdict: "torn", reason: "it changed by being closed and opened" };
  } finally {
    await again.close();
  }
}

/** What is left of a copy that was not finished must not be taken for a store. */
async function checkUnfinished(directory: string): Promise<Finding> {
  for (const name of readdirSync(directory)) {
    if (!name.includes(UNFINISHED_INFIX)) continue;
    try {
      await (await HybridStore.open(join(directory, name))).close();
      return { verdict: "torn", reason: `${name} opens` };
    } catch (error) {
      if (error instanceof StoreError && error.code === "CORRUPT") continue;
      return { verdict: "torn", reason: `${name}: ${explain(error)}` };
    }
  }
  return GOOD;
}

function explain(error: unknown): string {
  return error instanceof StoreError ? `${error.code} ${error.message}` : `${error}`;
}
