/** What is left of an engine, read from its files without opening it: they stay as they are, and damage
 * in them is met by checks and not by a library that trusts them.
 *
 * @module
 */

import { bytesBehind } from "../codec/bytes.ts";
import type { Entry } from "./engine.ts";

/** Where keys may have been that cannot be read: `from <= key < to`, without a bound where there is none. */
export interface LostKeys {
  readonly from: Uint8Array | undefined;
  readonly to: Uint8Array | undefined;
}

/** The readable rest of an engine's files. */
export interface EngineRemains {
  /** What is wrong with the files, a sentence each; empty where they are healthy. */
  readonly faults: readonly string[];
  /** Whether the files are those of an engine, as far as that can be read. */
  readonly isEngine: boolean;
  /** The store that they belong to, `undefined` where that cannot be read. */
  readonly identity: string | undefined;
  /** The journal position up to which they were written, `undefined` where that cannot be read. */
  readonly position: bigint | undefined;
  /** The text that the engine has noted, where it keeps one. */
  readonly note?: string | undefined;
  /** Reads every entry that is provably there: its place in the structure is sound.
   *
   * @param wants Whether values are read, or left empty.
   * @param onPage Gets entries in ascending order, except where damage was gone around; waited for.
   * @returns The keys that cannot be read.
   */
  read(
    wants: "keys" | "entries",
    onPage: (entries: Entry[]) => void | Promise<void>,
  ): Promise<LostKeys[]>;
  /** Returns what the files say of a moment before, where they do: a page that is damaged since may not have
   * been part of it. */
  readonly before?: () => Promise<EngineRemains | undefined>;
  /** Closes the files. */
  close(): void;
}

/** Entries that are read before they are handed on: so many, or of so many bytes. */
export const PAGE_ENTRIES_MAX = 1024;
export const PAGE_BYTES_MAX: number = 4 * 2 ** 20;

/** Returns the range of one key alone. */
export function lostKey(key: Uint8Array): LostKeys {
  return { from: key, to: bytesBehind(key) };
}
