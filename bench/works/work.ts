/** What a work is: one thing that all contestants do, and the rows of the table that come of it.
 *
 * @module
 */

import type { Dataset, DatasetId, KeySet, Side } from "../_data.ts";
import type { Stall } from "../_loop_delay.ts";
import { type Contestant, CONTESTANTS, type Session } from "../peers/mod.ts";
import { GUARANTEES } from "../peers/hybrid.ts";

/** A contestant in a work. */
export interface Entry {
  /** Distinct within the work; `hybrid` is whom the ratios are of. */
  readonly id: string;
  readonly name: string;
  readonly contestant: Contestant;
  /** Whose keys it gets. */
  readonly side: "append" | "btree";
  readonly guarantee: string;
}

/** One row of the results. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly unit: "op/s" | "rows/s" | "ms";
  readonly better: "higher" | "lower";
}

/** What a trial works with. */
export interface Trial {
  readonly entry: Entry;
  /** The open store; absent where the work opens its own. */
  readonly session: Session;
  /** An empty directory, for a work that opens its own store. */
  readonly directory: string;
  readonly dataset: Dataset;
  readonly side: Side;
  /** Operations at most, and keys of a work that writes them all. */
  readonly count: number;
  readonly limitMs: number;
  readonly latencies: number[] | undefined;
  readonly isQuick: boolean;
}

/** What came of a trial: a figure for each row of the work. */
export interface Figures {
  readonly values: readonly number[];
  readonly stall?: Stall;
}

/** Something that all contestants do. */
export interface Work {
  readonly rows: readonly Row[];
  readonly group: string;
  readonly note?: string;
  readonly dataset: DatasetId;
  /** The store of a trial: `fresh` is empty, `preloaded` has all keys, both are the trial's own;
   * `filled` has all keys and serves every work; `none` leaves it to the work. */
  readonly store: "fresh" | "preloaded" | "filled" | "none";
  readonly entries: readonly Entry[];
  /** Rounds at most, for what takes long. */
  readonly roundsMax?: number;
  /** Whether a pass for latencies follows. */
  readonly hasLatencies?: boolean;
  run(trial: Trial): Promise<Figures>;
  /** Removes what the trials left for each other. */
  finish?(): void;
}

/** What a read of each contestant shows. */
const READ_GUARANTEES: Readonly<Record<string, string>> = {
  hybrid: "sees every write called before",
  other: "sees committed writes",
};

/** Returns those of the named contestants that the runtime has, with what their writes are good for. */
export function writersOf(side: Entry["side"], ...ids: string[]): Entry[] {
  return entriesOf(
    side,
    ids,
    ({ id, guarantee }) => id === "hybrid" ? GUARANTEES[side] : guarantee,
  );
}

/** As {@linkcode writersOf}, with what their reads show. */
export function readersOf(side: Entry["side"], ...ids: string[]): Entry[] {
  return entriesOf(side, ids, ({ id }) => READ_GUARANTEES[id] ?? READ_GUARANTEES.other!);
}

/** The keys of both sides in turn: for batches that touch both. */
export function mixedKeys({ append, btree }: Dataset): KeySet["bytes"] {
  return append.keys.bytes.map((key, i) => i % 2 === 0 ? key : btree.keys.bytes[i]!);
}

function entriesOf(
  side: Entry["side"],
  ids: readonly string[],
  guaranteeOf: (contestant: Contestant) => string,
): Entry[] {
  return ids.flatMap((id) => {
    const contestant = CONTESTANTS.get(id);
    if (contestant === undefined) return [];
    const { name } = contestant;
    const guarantee = guaranteeOf(contestant);
    return [{ id: id === "hybrid_always" ? "hybrid" : id, name, contestant, side, guarantee }];
  });
}
