import type { Journal, OrderedStore } from "@hybrid/store";
import type { Hash } from "./assertion.ts";
import type { Progress } from "./progress.ts";

/** What the phases work with. */
export interface Job {
  readonly store: OrderedStore;
  /** The journal that the statements come through; a store in a directory has another one of its own. */
  readonly journal: Journal;
  readonly hash: Hash;
  /** How many subjects at most, `Infinity` for all. */
  readonly limit: number;
  readonly progress: Progress;
  /** Aborted when the user wants the job to stop, which it does between two writes. */
  readonly signal: AbortSignal;
}

/** What a phase did in this run. */
export type Work = readonly (readonly [count: number, noun: string])[];

/** A phase of this run: what it did, and for how long. */
export interface PhaseReport {
  readonly phase: string;
  readonly ms: number;
  readonly work: Work;
}
