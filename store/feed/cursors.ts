/** The named cursors of a store, and what keeps segments of its journal for those that read it.
 *
 * A cursor is a name and a journal position: its consumer has everything up to there. It is moved by a record of
 * the journal, in the same group as the consumer's own writes. The B-tree side notes all cursors with each apply.
 *
 * @module
 */

import { REPAIR } from "../../codec/_advice.ts";
import { StoreError } from "../../codec/error.ts";
import { isWithinRecord } from "../../journal/follow.ts";
import type { JournalWriter } from "../../journal/writer.ts";
import { describe } from "../limits.ts";

/** Bytes of the longest name, in UTF-8. */
const NAME_BYTES_MAX = 255;

/** Cursors at one moment: positions by name. */
export type CursorPositions = ReadonlyMap<string, bigint>;

/** Who holds the journal. A backup does so however far it is behind. */
export type HoldKind = "reader" | "backup";

/** Where someone reads the journal, who needs what follows. */
export interface Hold {
  position: bigint;
  readonly kind: HoldKind;
  /** A second call does nothing. */
  release(): void;
}

/** What is asked of the journal. */
export type HeldJournal = Pick<JournalWriter, "segments" | "end" | "durableEnd" | "fileSystem">;

/** A change of a cursor. */
interface Move {
  readonly position: bigint | undefined;
  /** Where its record ends. */
  readonly end: bigint;
}

/** The changes of a cursor that are not known to be on disk. Those in between do not matter. */
interface Moves {
  readonly first: Move;
  readonly last: Move;
}

/** The cursors of an open store. */
export class Cursors {
  readonly #backlogBytesMax: bigint;
  readonly #positions: Map<string, bigint>;
  /** What the open group changes: the position before it. */
  #undo: { readonly name: string; readonly before: bigint | undefined }[] = [];
  /** As the disk has them: what was removed for a move that a power loss takes back would be missed. */
  readonly #durable: Map<string, bigint>;
  readonly #moves = new Map<string, Moves>();
  readonly #holds = new Set<Hold>();
  /** The text of all, until one changes. */
  #note: string | undefined;

  /**
   * @param backlogBytesMax The journal is kept for a cursor that is no further behind.
   * @param note What the engine has noted.
   * @throws {StoreError} `CORRUPT`.
   */
  constructor(backlogBytesMax: number, note: string | undefined) {
    const positions = decodeCursors(note);
    this.#backlogBytesMax = BigInt(backlogBytesMax);
    this.#positions = new Map(positions);
    this.#durable = new Map(positions);
    this.#note = note;
  }

  get(name: string): bigint | undefined {
    return this.#positions.get(name);
  }

  /** Returns whether the disk has the latest change of a cursor. */
  isDurable(name: string, { durableEnd }: Pick<HeldJournal, "durableEnd">): boolean {
    const move = this.#moves.get(name)?.last;
    return (move === undefined || move.end <= durableEnd) &&
      !this.#undo.some((change) => change.name === name);
  }

  /** Returns all cursors, as a copy. */
  all(): CursorPositions {
    return new Map(this.#positions);
  }

  /** Returns all as the text that the engine notes; `undefined` where there was never one. */
  note(): string | undefined {
    if (this.#note === undefined && this.#positions.size > 0) {
      this.#note = encodeCursors(this.#positions);
    }
    return this.#note;
  }

  /** The feeds that are being read. */
  get readers(): number {
    let readers = 0;
    for (const { kind } of this.#holds) if (kind === "reader") readers++;
    return readers;
  }

  /** Moves a cursor, creates it, or removes it where there is no position; final with `keep`. */
  set(name: string, position: bigint | undefined): void {
    this.#undo.push({ name, before: this.#positions.get(name) });
    this.#put(name, position);
  }

  /** Makes final what was set.
   *
   * @param end Where the record ends that says it.
   * @returns Whether anything was.
   */
  keep(end: bigint): boolean {
    if (this.#undo.length === 0) return false;
    for (const { name } of this.#undo) {
      const last = { position: this.#positions.get(name), end };
      this.#moves.set(name, { first: this.#moves.get(name)?.first ?? last, last });
    }
    this.#undo = [];
    return true;
  }

  /** Takes back what was set since the last `keep`. */
  takeBack(): void {
    for (const { name, before } of this.#undo.reverse()) this.#put(name, before);
    this.#undo = [];
  }

  /** Notes what a record says that is read back, which is on disk. */
  replay(name: string, position: bigint | undefined): void {
    this.#put(name, position);
    put(this.#durable, name, position);
  }

  /** Keeps the journal from a position on, up to the limit of a backlog. The position may be moved on. */
  hold(position: bigint, kind: HoldKind): Hold {
    const hold: Hold = { position, kind, release: () => void this.#holds.delete(hold) };
    this.#holds.add(hold);
    return hold;
  }

  /** Returns up to where the journal is not needed by anyone who reads it, as far as that is on disk. */
  floor({ end, durableEnd }: Pick<HeldJournal, "end" | "durableEnd">): bigint {
    for (const [name, { first, last }] of this.#moves) {
      const durable = last.end <= durableEnd ? last : first;
      if (durable.end > durableEnd) continue;
      put(this.#durable, name, durable.position);
      if (durable === last) this.#moves.delete(name);
      else this.#moves.set(name, { first: last, last });
    }
    return this.#lowest(end, this.nextFloor(end), this.#durable.values());
  }

  /** Returns what the floor will be once everything is on disk. */
  nextFloor(end: bigint): bigint {
    let floor = this.#lowest(end, end, this.#positions.values());
    for (const { position, kind } of this.#holds) {
      const isKept = kind === "backup" || end - position <= this.#backlogBytesMax;
      if (position < floor && isKept) floor = position;
    }
    return floor;
  }

  /** Returns where the records begin that a copy of the store needs for the cursors that are not lost. */
  backlogStart({ segments }: Pick<HeldJournal, "segments">, end: bigint): bigint {
    const start = segments[0]!.base;
    const kept = [...this.#positions.values()].filter((position) => position >= start);
    return this.#lowest(end, end, kept);
  }

  #lowest(end: bigint, floor: bigint, positions: Iterable<bigint>): bigint {
    for (const position of positions) {
      if (position < floor && end - position <= this.#backlogBytesMax) floor = position;
    }
    return floor;
  }

  #put(name: string, position: bigint | undefined): void {
    put(this.#positions, name, position);
    // Where there are none, that has to be noted too.
    this.#note = this.#positions.size === 0 ? encodeCursors(this.#positions) : undefined;
  }

  /** Checks that a cursor can be moved to a position.
   *
   * @throws {RangeError} It would not move forward, or to where the journal has not been or no change ends.
   * @throws {StoreError} `NOT_FOUND`, `CURSOR_LOST`, `IO`.
   */
  requireMove(what: string, journal: HeldJournal, name: string, position: bigint): void {
    const from = this.require(what, journal, name);
    if (position > from && position <= journal.end) {
      // A reader has just shown it, as a rule, so that nothing has to be read.
      const isShown = [...this.#holds].some((hold) => hold.position === position);
      if (!isShown) requireBetween(`${what}: the position`, journal, position);
      return;
    }
    throw new RangeError(
      `${what}: cursor ${
        JSON.stringify(name)
      } is at ${from}, and moves to a later position up to ` +
        `${journal.end}, not to ${position}; has another consumer moved it?`,
    );
  }

  /** Returns the position of a cursor.
   *
   * @throws {StoreError} `NOT_FOUND`; `CURSOR_LOST`: the journal does not reach back to it.
   */
  require(what: string, journal: HeldJournal, name: string): bigint {
    const position = this.#positions.get(name);
    if (position === undefined) {
      throw new StoreError(
        "NOT_FOUND",
        `${what}: there is no cursor ${JSON.stringify(name)}; create it with createCursor()`,
      );
    }
    requireKept(`${what}: cursor ${JSON.stringify(name)}`, journal, position);
    return position;
  }
}

/** Checks that the journal reaches back to a position.
 *
 * @throws {StoreError} `CURSOR_LOST`.
 */
export function requireKept(
  what: string,
  { segments }: Pick<HeldJournal, "segments">,
  position: bigint,
): void {
  const start = segments[0]!.base;
  if (position >= start) return;
  throw new StoreError(
    "CURSOR_LOST",
    `${what} is at ${position}, and the journal begins at ${start}: what was written in between is no ` +
      "longer in it; take a snapshot, start again from what it shows, and go on after its position",
  );
}

/** Checks that a position, to which the journal reaches back, is one where a change ends. A cursor that stood within
 * one would look like damage to its consumer, and to every backup.
 *
 * @throws {RangeError} It is not.
 * @throws {StoreError} `IO`.
 */
export function requireBetween(what: string, journal: HeldJournal, position: bigint): void {
  if (!isWithinRecord(journal, position)) return;
  throw new RangeError(
    `${what} is ${position}, where no change ends; give the position of a change, a commit, a snapshot or ` +
      "a store as it is",
  );
}

/** Checks the name of a cursor.
 *
 * @throws {TypeError | RangeError} It is not a string of 1 to 255 bytes.
 */
export function requireName(what: string, name: string): void {
  if (typeof name !== "string") {
    throw new TypeError(`${what}: the name is ${describe(name)}, not a string`);
  }
  if (!name.isWellFormed()) {
    throw new TypeError(`${what}: the name has half a surrogate pair, which UTF-8 cannot hold`);
  }
  const { length } = new TextEncoder().encode(name);
  if (length >= 1 && length <= NAME_BYTES_MAX) return;
  throw new RangeError(
    `${what}: the name is ${length} bytes long, not 1 to ${NAME_BYTES_MAX}`,
  );
}

/** Returns cursors as the text that an engine notes. */
export function encodeCursors(cursors: CursorPositions): string {
  return JSON.stringify(Array.from(cursors, ([name, position]) => [name, String(position)]));
}

/** Returns the cursors that an engine has noted.
 *
 * @throws {StoreError} `CORRUPT`.
 */
export function decodeCursors(noted: string | undefined): CursorPositions {
  if (noted === undefined) return new Map();
  try {
    const found = JSON.parse(noted) as [string, string][];
    return new Map(found.map(([name, position]) => [name, BigInt(position)]));
  } catch (error) {
    throw new StoreError(
      "CORRUPT",
      `Cannot open store: the cursors on the B-tree side are not readable; ${REPAIR}`,
      { cause: error },
    );
  }
}

function put(cursors: Map<string, bigint>, name: string, position: bigint | undefined): void {
  if (position === undefined) cursors.delete(name);
  else cursors.set(name, position);
}
