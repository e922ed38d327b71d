/** One life of a process whose system calls are recorded. */

import type { OpenOptions } from "../../mod.ts";
import type { Load } from "./_load.ts";

/** What a process is to do. */
export interface Life {
  /** The directory that is recorded: the store is in `store`, a copy of it in `copy`. */
  readonly root: string;
  readonly options: OpenOptions;
  readonly load: Load;
  /** The seed of what it does besides the operations. */
  readonly seed: number;
  /** The operations that may be there, and how many must be; a number below `known` stands for itself. */
  readonly numbers: readonly number[];
  readonly promised: number;
  /** The number of the first operation, and how many to do. */
  readonly next: number;
  readonly count: number;
  /** Whether it makes the store out of the copy first, or copies the store on its way. */
  readonly copies?: "restore" | "backup";
  /** Whether it makes the store's directory itself, as a caller may. */
  readonly makes?: boolean;
  /** One pause in so many closes the store and opens it again; never, where it is 0. */
  readonly reopens: number;
  /** What it does after its last operation. */
  readonly end: "close" | "exit";
  /** What it does when the store fails: ends at once, closes it and opens it again, or continues. */
  readonly onFailure: "exit" | "reopen" | "continue";
}
