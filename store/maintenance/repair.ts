/** Repair: a new store out of what is provably left of a damaged one, which is set aside as it is.
 *
 * @module
 */

import * as fs from "node:fs";
import type { LostKeys } from "../../backends/remains.ts";
import { StoreError } from "../../codec/error.ts";
import { type EngineName, Router } from "../../codec/route.ts";
import { fileError } from "../../codec/_file_error.ts";
import { writeStore } from "./backup.ts";
import { describeLost, type Examination, examineStore, SIDES } from "./examine.ts";
import { UNFINISHED_INFIX } from "../directory/layout.ts";
import { showKey } from "../limits.ts";
import { StoreLock } from "../directory/lock.ts";
import { requireNoFile, requireRemains } from "../directory/paths.ts";
import { type Copied, copyKept } from "./repair_copy.ts";
import { lossesOf, planRepair } from "./repair_plan.ts";
import { finishSwap, removeLeftovers, swapIn } from "../directory/repair_swap.ts";
import type { RepairOptions, RepairReport, VerifyFault } from "../types.ts";
import { verifyExamined } from "./verify_closed.ts";

/** Losses that are named one by one for each part. */
const LOSSES_MAX = 100;

/** Repairs the store in a directory, under its lock.
 *
 * @param what What was asked, as the beginning of messages.
 * @throws {StoreError} `LOCKED`; `CORRUPT`: nothing in it can be told to be of one store; `ROUTES_CHANGED`:
 * the routes are not those that its keys were stored by; `UNSUPPORTED`, `NO_SPACE`, `IO`.
 */
export async function repairStore(
  what: string,
  path: string,
  options: RepairOptions,
): Promise<RepairReport> {
  requireNoFile(what, path);
  // A repair that was cut off: what it had done already is the best answer there is.
  const finished = finishSwap(path);
  if (!requireRemains(what, path)) return healthy(path, { append: 0, btree: 0 });
  const whatThere = `${what} ${path}`;
  const lock = StoreLock.acquire(path);
  // Where the path is a link, what it leads to is replaced.
  const { directory } = lock;
  let scratch: string | undefined;
  let thrown: { readonly error: unknown } | undefined;
  const onProgress: RepairOptions["onProgress"] = (progress) => {
    try {
      options.onProgress?.(progress);
    } catch (error) {
      thrown = { error };
      throw error;
    }
  };
  try {
    removeLeftovers(directory);
    scratch = fs.mkdtempSync(directory + UNFINISHED_INFIX);
    const report = await repairLocked(whatThere, directory, scratch, { ...options, onProgress });
    const setAside = report.setAside ?? finished;
    return { ...report, path, ...(setAside !== undefined && { setAside }) };
  } catch (error) {
    // What the caller's own function threw is for the caller, and says nothing about files.
    if (thrown !== undefined) throw thrown.error;
    throw fileError(whatThere, error);
  } finally {
    if (scratch !== undefined) fs.rmSync(scratch, { recursive: true, force: true });
    release(lock);
  }
}

/** Gives the lock back, which went along with the damaged store where that was set aside. */
function release(lock: StoreLock): void {
  try {
    lock.release();
  } catch {
    // It is given back all the same, and says that the directory is not where it was.
  }
}

async function repairLocked(
  what: string,
  directory: string,
  scratch: string,
  options: RepairOptions,
): Promise<RepairReport> {
  const onProgress = options.onProgress ?? (() => {});
  const examination = await examineStore(directory, scratch, onProgress);
  try {
    const { report: verified, isWhole } = await verifyExamined(examination, { onProgress });
    if (isWhole) return { ...healthy(directory, verified.keys), faults: verified.faults };
    const router = chooseRouter(what, examination, options);
    requireIdentity(what, examination);
    const { kept, described } = await chooseStates(examination);
    const plan = planRepair(kept, {
      append: described.append.length > 0,
      btree: described.btree.length > 0,
    });
    const written = fs.mkdtempSync(directory + UNFINISHED_INFIX);
    try {
      const records = { backlogStart: plan.position, async *backlog() {} };
      const copied = await writeStore(written, router, records, async (engines) => {
        const copied = await copyKept(kept, plan, router, engines, onProgress);
        if (examination.manifest === undefined) requirePlaced(what, copied, options);
        return copied;
      });
      const lost = [...lossesOf(kept, plan, described), ...misplacedOf(copied)];
      const setAside = swapIn(directory, written);
      return {
        path: directory,
        setAside,
        ok: lost.length === 0,
        faults: verified.faults,
        lost,
        kept: copied.keys,
        records: copied.records,
        unapplied: plan.unapplied.map((run) => ({ ...run })),
      };
    } finally {
      fs.rmSync(written, { recursive: true, force: true });
    }
  } finally {
    examination.close();
  }
}

function healthy(path: string, kept: RepairReport["kept"]): RepairReport {
  return { path, ok: true, faults: [], lost: [], kept, records: 0, unapplied: [] };
}

/** Returns the router of the store: that of its manifest, else the one given, else the default one. */
function chooseRouter(
  what: string,
  { manifest, identity }: Examination,
  given: Pick<RepairOptions, "routes" | "defaultEngine">,
): Router {
  // A manifest of another store says nothing about the keys of this one.
  const stored = manifest?.identity === identity ? manifest?.router : undefined;
  if (stored === undefined) return new Router(given.routes, given.defaultEngine);
  const { routes = stored.routes, defaultEngine = stored.defaultEngine } = given;
  if (stored.equals(new Router(routes, defaultEngine))) return stored;
  throw new StoreError(
    "ROUTES_CHANGED",
    `${what}: the routes or the default engine given are not those in its manifest; leave them out`,
  );
}

function requireIdentity(what: string, { identity, isOwn }: Examination): void {
  if (identity !== undefined && (isOwn.append || isOwn.btree || isOwn.journal)) return;
  const reason = identity === undefined
    ? "its parts belong to different stores, or do not say to which"
    : "nothing is left in it that belongs to the store of its manifest";
  throw new StoreError("CORRUPT", `${what}: ${reason}; restore a backup`);
}

/** Refuses to guess routes that the keys contradict. */
function requirePlaced(what: string, { misplaced }: Copied, { routes }: RepairOptions): void {
  const key = misplaced.append[0] ?? misplaced.btree[0];
  if (key === undefined) return;
  const which = routes === undefined ? "the default routes" : "the routes given";
  throw new StoreError(
    "ROUTES_CHANGED",
    `${what}: its manifest is lost, and ${which} do not fit key ${showKey(key)}; ` +
      "give those that it was created with as { routes, defaultEngine }",
  );
}

/** Chooses the state of each engine that is kept, and describes what it lacks. Where the latest one has lost
 * entries and the journal leads from an earlier one to it, the earlier one may have lost none.
 */
async function chooseStates(examination: Examination): Promise<{
  kept: Examination;
  described: Record<EngineName, string[]>;
}> {
  const { isOwn, journal, identity } = examination;
  const engines = { ...examination.engines };
  const described: Record<EngineName, string[]> = { append: [], btree: [] };
  for (const name of SIDES) {
    const latest = engines[name];
    if (!isOwn[name] || latest.faults.length === 0) continue;
    described[name] = describe(await latest.read("entries", () => {}));
    const before = described[name].length > 0 ? await latest.before?.() : undefined;
    if (before?.position === undefined || before.identity !== identity || !isOwn.journal) continue;
    if (journal.endOf(before.position).to < (latest.position ?? 0n)) continue;
    const lost = await before.read("entries", () => {});
    if (lost.length > 0) continue;
    engines[name] = before;
    described[name] = [];
  }
  return { kept: { ...examination, engines }, described };
}

function describe(lost: readonly LostKeys[]): string[] {
  const described = lost.slice(0, LOSSES_MAX).map(describeLost);
  const left = lost.length - described.length;
  return left > 0 ? [...described, `keys of ${left} more ranges`] : described;
}

function misplacedOf({ misplaced }: Copied): VerifyFault[] {
  return SIDES.filter((part) => misplaced[part].length > 0).map((part) => {
    const first = showKey(misplaced[part][0]!);
    const message =
      `${misplaced[part].length} keys belong to the other side, where reads look for them; ` +
      `the first is ${first}`;
    return { part, message };
  });
}
