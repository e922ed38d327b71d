/** What a process has said about its store up to a moment, in marks that its trace holds:
 *
 *     issue <from> <to>      is about to call the operations from one number to below another
 *     answer <n> <outcome>   the store has acknowledged an operation
 *     durable <n>            what the store has acknowledged so is on disk
 *     flushed <to>           everything called before this operation is on disk
 *     refused <n>            the store has refused an operation, and has nothing of it
 *     found <count>          the store is open and holds so many of the operations
 *     backup <to>            begins to copy everything called before this operation
 *     restore                begins to make the store out of the copy
 *     copied                 the copy, or the store made of it, is whole and on disk
 *     given up               the copy has failed, and nothing is said of it
 *     shown <cursor> <position> <digest>   the change feed has shown this
 *     fault <text>           something that must not be
 */
export class Testimony {
  /** The numbers of the operations that may be there, in order. */
  readonly numbers: number[];
  readonly outcomes = new Map<number, string>();
  /** How many of them must be there. */
  promised: number;
  /** The number that the next operation gets. */
  next: number;
  /** Whether the store has ever been open. */
  hasOpened: boolean;
  copy: { readonly isSource: boolean; count: number; isWhole: boolean } | undefined;
  /** What the change feed has shown. */
  readonly shown: [cursor: string, position: string, digest: string][] = [];
  readonly faults: string[] = [];

  /**
   * @param known How many operations are there from the start.
   * @param isCopy Whether they are in a copy, which the store is yet to be made of.
   */
  constructor(known: number, isCopy = false) {
    this.numbers = Array.from({ length: known }, (_, n) => n);
    this.promised = known;
    this.next = known;
    this.hasOpened = known > 0;
    if (isCopy) this.copy = { isSource: true, count: known, isWhole: false };
  }

  /** Takes a mark. */
  hear(mark: string): void {
    const [word, ...rest] = mark.split(" ");
    const n = Number(rest[0]);
    switch (word) {
      case "issue":
        for (this.next = n; this.next < Number(rest[1]); this.next++) this.numbers.push(this.next);
        return;
      case "answer":
        this.outcomes.set(n, rest.slice(1).join(" "));
        return;
      case "durable":
        this.promised = Math.max(this.promised, this.numbers.indexOf(n) + 1);
        return;
      case "flushed":
        this.promised = Math.max(this.promised, this.#before(n));
        return;
      case "refused": {
        const index = this.numbers.indexOf(n);
        if (index >= 0) this.numbers.splice(index, 1);
        if (index >= 0 && index < this.promised) this.promised--;
        // A copy that was begun with it has nothing of it either.
        if (index >= 0 && this.copy !== undefined && index < this.copy.count) this.copy.count--;
        return;
      }
      case "found":
        this.hasOpened = true;
        this.numbers.length = n;
        this.promised = n;
        return;
      case "backup":
        this.copy = { isSource: false, count: this.#before(n), isWhole: false };
        return;
      case "restore":
        this.copy = { isSource: true, count: this.numbers.length, isWhole: false };
        return;
      case "copied":
        this.copy!.isWhole = true;
        return;
      case "given":
        this.copy = undefined;
        return;
      case "shown":
        this.shown.push([rest[0]!, rest[1]!, rest[2]!]);
        return;
      case "fault":
        this.faults.push(rest.join(" "));
    }
  }

  /** Returns what has to be found now. */
  claims(): Claim[] {
    const { copy } = this;
    const isRestoring = copy?.isSource === true && !copy.isWhole;
    const claims: Claim[] = [{
      path: "store",
      numbers: [...this.numbers],
      least: this.promised,
      mayBeMissing: isRestoring || !this.hasOpened,
    }];
    if (copy !== undefined) {
      claims.push({
        path: "copy",
        numbers: this.numbers.slice(0, copy.count),
        least: copy.count,
        mayBeMissing: !copy.isSource && !copy.isWhole,
      });
    }
    return claims;
  }

  /** How many operations were called before one. */
  #before(n: number): number {
    let count = this.numbers.length;
    while (count > 0 && this.numbers[count - 1]! >= n) count--;
    return count;
  }
}

/** What must be found in a directory. */
export interface Claim {
  /** From the root of the disk. */
  readonly path: string;
  /** The operations that may be there, in order, and how many of them must be. */
  readonly numbers: readonly number[];
  readonly least: number;
  readonly mayBeMissing: boolean;
}
