/** What a work is: one thing that all contestants do, and the rows of the table that come of it.
 *
 * @module
 */

import type { Dataset, DatasetId, KeySet, Side } from "../_data.ts";
import {
  type Contestant,
  CONTESTANTS,
  type Guarantee,
  HYBRID_GUARANTEES,
  SETTLED,
} from "../_contestants.ts";
import type { Open, Session } from "../peers/peer.ts";

/** A contestant in a work. */
export interface Entry {
  /** Distinct within the work; `hybrid` is whom the ratios are of. */
  readonly id: string;
  readonly name: string;
  readonly contestant: Contestant;
  /** Whose keys it gets. */
  readonly side: "append" | "btree";
  readonly guarantee: Guarantee;
}

/** One row of the results. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly unit: "op/s" | "rows/s" | "ms";
  readonly better: "higher" | "lower";
  /** Whether the clock runs until everything is on disk, whatever was acknowledged before. */
  readonly isSettled?: boolean;
}

/** What a trial works with. */
export interface Trial {
  readonly entry: Entry;
  /** The open store; absent where the work opens its own. */
  readonly session: Session;
  /** Opens a store of the contestant, for a work that opens its own. */
  readonly open: Open;
  /** An empty directory, for the same. */
  readonly directory: string;
  /** Of the orders of keys: another one in each round, the same for all contestants. */
  readonly seed: number;
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
  readonly stallMsMax?: number;
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
  /** Whether the warm-up is as long as a trial: for what is read from caches. */
  readonly isCached?: boolean;
  /** Rounds at most, for what takes long. */
  readonly roundsMax?: number;
  /** Whether a pass for latencies follows. */
  readonly hasLatencies?: boolean;
  run(trial: Trial): Promise<Figures>;
  /** Removes what the trials left for each other. */
  finish?(): void;
}

/** HybridStore with other options than the defaults; in a work it is `hybrid` nonetheless. */
const OTHER_OPTIONS = ["hybrid_always", "hybrid_uncached"];

/** Returns the named contestants, with what their writes are good for. */
export function writersOf(side: Entry["side"], ...ids: string[]): Entry[] {
  return entriesOf(
    side,
    ids,
    ({ id, guarantee }) => id === "hybrid" ? HYBRID_GUARANTEES[side] : guarantee,
  );
}

/** As {@linkcode writersOf}, with what their reads show. */
export function readersOf(side: Entry["side"], ...ids: string[]): Entry[] {
  return entriesOf(side, ids, ({ id }) => ({
    kind: "reads",
    onDisk: "–",
    how: id.startsWith("hybrid") ? "sees every write called before" : "sees committed writes",
  }));
}

/** Returns the rows of a work that stops the clock twice: when all is acknowledged, and when the engines have
 * it. */
export function acknowledgedAndSettled(id: string, suffix: string, title: string): Row[] {
  const unit = { unit: "op/s", better: "higher" } as const;
  return [
    { id: `${id}_acknowledged${suffix}`, title: `${title}, until acknowledged`, ...unit },
    {
      id: `${id}_in_engines${suffix}`,
      title: `${title}, until in the engines`,
      ...unit,
      isSettled: true,
    },
  ];
}

/** What a contestant has promised when the clock of a row stops. */
export function guaranteeOf({ isSettled = false }: Row, entry: Entry): Guarantee {
  return isSettled && !entry.contestant.isNeverSettled ? SETTLED : entry.guarantee;
}

/** The keys of both sides in turn: for batches that touch both. */
export function mixedKeys({ append, btree }: Dataset): KeySet["bytes"] {
  return append.keys.bytes.map((key, i) => i % 2 === 0 ? key : btree.keys.bytes[i]!);
}

function entriesOf(
  side: Entry["side"],
  ids: readonly string[],
  guaranteeOf: (contestant: Contestant) => Guarantee,
): Entry[] {
  return ids.map((id) => {
    const contestant = CONTESTANTS.get(id)!;
    return {
      id: OTHER_OPTIONS.includes(id) ? "hybrid" : id,
      name: contestant.name,
      contestant,
      side,
      guarantee: guaranteeOf(contestant),
    };
  });
}
