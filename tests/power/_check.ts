/** Opens what a power loss left, and compares it with what had been said until then. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "@std/path";
import { HybridStore, StoreError } from "../../mod.ts";
import { UNFINISHED_INFIX } from "../../store/directory/layout.ts";
import { checkFeed, shownByCursor } from "../crash/_feed_views.ts";
import { entriesOf, fit, type Load } from "./_load.ts";
import type { Claim } from "./_testimony.ts";

/** What is wrong with an image: acknowledged operations are not there; what is there is not a number of
 * whole operations, or the views of the change feed do not agree with it; the store does not open, or does not work then; `verify()` found something; the
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
  /** What the change feed had shown: the cursor, the position, and a digest of the change. */
  readonly shown: readonly (readonly [string, string, string])[];
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
  { directory, load, outcomes, shown }: Assignment,
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
    if (load.isFed === true) finding = await checkViews(store, shown);
    const entries = await entriesOf(store);
    if (finding === GOOD) finding = compare(load, numbers, least, new Map(outcomes), entries);
    if (finding === GOOD) finding = await checkWork(store, place, entries);
  } catch (error) {
    finding = { verdict: "refused", reason: `open, but ${explain(error)}` };
  }
  await store.close().catch((error) => {
    if (finding === GOOD) finding = { verdict: "refused", reason: `at close ${explain(error)}` };
  });
  return finding;
}

/** Brings the views up to date, once they are found to be where their cursors are. */
async function checkViews(store: HybridStore, shown: Assignment["shown"]): Promise<Finding> {
  const [fault] = await checkFeed(store, shownByCursor(shown));
  return fault === undefined ? GOOD : { verdict: "torn", reason: fault };
}

function compare(
  load: Load,
  numbers: readonly number[],
  least: number,
  outcomes: ReadonlyMap<number, string>,
  entries: Map<string, string>,
): Finding {
  const { length, fault } = fit(load, numbers, outcomes, entries);
  if (length === undefined) return { verdict: "torn", reason: fault! };
  if (length < least) {
    const reason =
      `${length} operations are there, ${least} were promised, ${numbers.length} called`;
    return { verdict: "lost", reason };
  }
  return fault === undefined ? GOOD : { verdict: "torn", reason: fault };
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
