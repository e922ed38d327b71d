/** What a repair keeps of a store, and what is lost: decided from an examination, before anything is
 * written.
 *
 * @module
 */

import type { EngineName } from "../../codec/route.ts";
import { type Examination, SIDES } from "./examine.ts";
import type { JournalRemains, RecordRun } from "./journal_remains.ts";
import type { VerifyFault } from "../types.ts";

/** What one side of the repaired store is made of. */
export interface SidePlan {
  /** Whether the entries of its engine are taken. */
  readonly takesEntries: boolean;
  /** The journal position up to which these are whole, where that is known. */
  readonly position: bigint | undefined;
  /** The records of the journal that are applied to them. */
  readonly from: bigint;
  readonly to: bigint;
}

/** What the repaired store is made of. */
export interface RepairPlan {
  readonly sides: Readonly<Record<EngineName, SidePlan>>;
  /** Where its journal begins. */
  readonly position: bigint;
  /** Valid records that are not applied, because something is missing before them. */
  readonly unapplied: readonly RecordRun[];
}

/** Decides what is kept.
 *
 * Each side gets the records that follow what its engine has, up to the first gap. What is valid behind a
 * gap is left out: a store promises that what it shows is a prefix of what was written, and a write that
 * builds on a lost one would show what never was. Where an engine lost entries, it also gets the records
 * before its position, as far back as the journal reaches: values are final, so applying them again in
 * order ends with the same values, and brings back keys that are lost in the engine.
 *
 * @param hasLost Whether an engine has lost entries.
 */
export function planRepair(
  examination: Examination,
  hasLost: Readonly<Record<EngineName, boolean>>,
): RepairPlan {
  const { journal, isOwn } = examination;
  const plan = (name: EngineName) => planSide(name, examination, hasLost[name]);
  const sides = { append: plan("append"), btree: plan("btree") };
  const ends = SIDES.map((name) => sides[name].to);
  const behind = ends[0]! < ends[1]! ? ends[0]! : ends[1]!;
  const unapplied = isOwn.journal && journal.start !== undefined
    ? journal.runsFrom(behind > journal.start ? behind : journal.start).filter(({ from }) =>
      from >= behind
    )
    : [];
  // No offset is given twice: what was synced had offsets up to the mark.
  const offsets = [...ends, isOwn.journal ? journal.mark ?? 0n : 0n];
  const position = offsets.reduce((a, b) => a > b ? a : b);
  return { sides, position, unapplied };
}

function planSide(
  name: EngineName,
  { engines, isOwn, journal }: Examination,
  hasLost: boolean,
): SidePlan {
  const takesEntries = isOwn[name];
  const position = takesEntries ? engines[name].position : undefined;
  if (!isOwn.journal) return { takesEntries, position, from: position ?? 0n, to: position ?? 0n };
  const from = position === undefined || hasLost
    ? findStart(journal, position) ?? position ?? journal.start!
    : position;
  return { takesEntries, position, from, to: journal.endOf(from).to };
}

/** Returns the first offset from which valid records lead up to a position without a gap. */
function findStart(journal: JournalRemains, position: bigint | undefined): bigint | undefined {
  if (position === undefined) return journal.start;
  for (const { base } of journal.segments) {
    if (base > position) return undefined;
    if (leadsTo(journal, base, position)) return base;
  }
  return undefined;
}

function leadsTo(journal: JournalRemains, from: bigint, position: bigint): boolean {
  let at = from;
  for (const { next } of journal.records(from)) {
    if (at >= position) break;
    at = next;
  }
  return at === position;
}

/** Returns what a plan leaves out, as far as it is known.
 *
 * @param describedLost What the engines have lost, in words.
 */
export function lossesOf(
  { engines, isOwn, journal, recovered }: Examination,
  { sides, unapplied }: RepairPlan,
  describedLost: Readonly<Record<EngineName, readonly string[]>>,
): VerifyFault[] {
  const lost: VerifyFault[] = [];
  for (const name of SIDES) {
    const { position, from, to, takesEntries } = sides[name];
    // The journal has everything since the birth of the store.
    const isComplete = isOwn.journal && from === 0n;
    const since = `unless they are in the journal, which was applied from position ${from} on`;
    if (!isComplete && !takesEntries) {
      const message = isOwn.journal
        ? `nothing is left of it: what was written before journal position ${from} is lost`
        : "nothing is left of it";
      lost.push({ part: name, message });
    } else if (!isComplete) {
      for (const keys of describedLost[name]) {
        lost.push({ part: name, message: `${keys} may have been there, and are lost ${since}` });
      }
      if (position === undefined) {
        const message =
          "up to which journal position it was written is not known: later writes may be lost";
        lost.push({ part: name, message });
      }
    }
    const other = sides[name === "append" ? "btree" : "append"].to;
    if (to < other) {
      const message = `it ends at journal position ${to}, the other side at ${other}: ` +
        "writes in between are lost on this side, and batches over both sides are not whole";
      lost.push({ part: name, message });
    }
  }
  lost.push(...journalLosses({ engines, isOwn, journal, recovered }, sides, unapplied));
  return lost;
}

function journalLosses(
  { isOwn, journal, recovered }: Pick<Examination, "engines" | "isOwn" | "journal" | "recovered">,
  sides: RepairPlan["sides"],
  unapplied: readonly RecordRun[],
): VerifyFault[] {
  const [append, btree] = SIDES.map((name) => sides[name].to);
  const end = append! > btree! ? append! : btree!;
  const part = "journal";
  if (!isOwn.journal) {
    return [{
      part,
      message: `nothing is left of it: what was written behind position ${end} is lost`,
    }];
  }
  // Opening the store would have cut no more than what was never synced.
  if (recovered !== undefined) return [];
  const lost: VerifyFault[] = [];
  const { mark } = journal;
  if (mark !== undefined && mark > end) {
    const message = `${
      mark - end
    } bytes from position ${end} on had been synced, and are damaged or missing`;
    lost.push({ part, message });
  } else if (mark === undefined && unapplied.length === 0) {
    lost.push({ part, message: `whether there was anything behind position ${end} is not known` });
  }
  if (unapplied.length > 0) {
    const records = unapplied.reduce((sum, run) => sum + run.records, 0);
    const message =
      `${records} valid records behind position ${end} follow a gap and were not applied`;
    lost.push({ part, message });
  }
  return lost;
}
