/** One file on a disk that can lose its power: what is on disk for certain, what may be, and what
 * reads see meanwhile.
 */

/** What the kernel writes, and forgets after a failure, as a whole. */
export const PAGE_BYTES = 4096;

/** Bytes that grow. */
export class Content {
  #bytes: Uint8Array;
  #size: number;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    // `slice` of a Buffer would share its bytes.
    this.#bytes = new Uint8Array(bytes);
    this.#size = bytes.length;
  }

  get size(): number {
    return this.#size;
  }

  /** The bytes, until the next change. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Writes bytes; what lies between the end and them is zeros. */
  write(position: number, data: Uint8Array): void {
    const end = position + data.length;
    if (end > this.#size) this.resize(end);
    this.#bytes.set(data, position);
  }

  /** Cuts, or adds zeros. */
  resize(size: number): void {
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(size, 2 * this.#bytes.length));
      grown.set(this.bytes);
      this.#bytes = grown;
    }
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    this.#size = size;
  }

  /** Returns the bytes from one place up to another, with zeros behind the end. */
  slice(start: number, end: number): Uint8Array {
    const sliced = new Uint8Array(end - start);
    sliced.set(this.bytes.subarray(start, end));
    return sliced;
  }
}

/** A change of a file: bytes that are written, or without `data` a new length. */
export interface Change {
  position: number;
  data: Uint8Array | undefined;
  /** Whether the call has returned. Only then does a sync that begins cover it. */
  isDone: boolean;
  /** The length of the file behind it, where it made the file longer. */
  grownTo?: number;
}

/** Makes a change in some bytes. */
export function apply(content: Content, { position, data }: Change): void {
  if (data === undefined) content.resize(position);
  else if (data.length > 0) content.write(position, data);
}

/** A file. */
export class DiskFile {
  /** What survives in any case. */
  readonly durable: Content;
  /** What reads see. */
  readonly seen: Content;
  /** What may survive, in order. */
  readonly pending: Change[] = [];
  /** Pages that reads see and that no sync writes any more: one that failed has marked them clean. */
  readonly #forgotten = new Set<number>();

  constructor(bytes?: Uint8Array) {
    this.durable = new Content(bytes);
    this.seen = new Content(bytes);
  }

  /** A write or a truncation begins. */
  begin(position: number, data: Uint8Array | undefined): Change {
    const change: Change = { position, data, isDone: false };
    this.pending.push(change);
    return change;
  }

  /** A write or a truncation has ended.
   *
   * @param written How many bytes were taken; `undefined` where the call failed.
   */
  end(change: Change, written: number | undefined): void {
    if (written === undefined) {
      this.#drop(change);
      return;
    }
    if (change.data !== undefined) change.data = change.data.subarray(0, written);
    const before = this.seen.size;
    apply(this.seen, change);
    if (this.seen.size > before) change.grownTo = this.seen.size;
    change.isDone = true;
    this.#remember(change);
  }

  /** Returns what a sync covers that begins now. */
  covered(): Change[] {
    return this.pending.filter(({ isDone }) => isDone);
  }

  /** A sync has succeeded. */
  settle(covered: readonly Change[]): void {
    for (const change of covered) {
      if (this.#drop(change)) apply(this.durable, change);
    }
  }

  /** A sync fails. What was written to the pages that it loses is on disk only if it is written again;
   * the length of the file is no page, and is not lost.
   *
   * @param loses Says of each page whether it is lost.
   */
  forget(loses: (page: number) => boolean): void {
    const changes = this.pending.splice(0);
    const lost = new Map<number, boolean>();
    for (const change of changes) {
      const { data } = change;
      if (!change.isDone || data === undefined) {
        this.pending.push(change);
        continue;
      }
      const start = change.position;
      const end = start + data.length;
      for (let at = start; at < end;) {
        const page = Math.floor(at / PAGE_BYTES);
        const next = Math.min(end, (page + 1) * PAGE_BYTES);
        if (!lost.has(page)) lost.set(page, loses(page));
        if (lost.get(page)) this.#forgotten.add(page);
        else {
          const piece = data.subarray(at - start, next - start);
          this.pending.push({ position: at, data: piece, isDone: true });
        }
        at = next;
      }
      const { grownTo } = change;
      if (grownTo !== undefined) {
        this.pending.push({ position: grownTo, data: undefined, isDone: true });
      }
    }
  }

  /** A write makes a page dirty as a whole: with it goes what had been forgotten of the page. */
  #remember(change: Change): void {
    const { data, position } = change;
    if (this.#forgotten.size === 0 || data === undefined || data.length === 0) return;
    const first = Math.floor(position / PAGE_BYTES);
    const last = Math.floor((position + data.length - 1) / PAGE_BYTES);
    let start = position;
    let end = position + data.length;
    for (let page = first; page <= last; page++) {
      if (!this.#forgotten.delete(page)) continue;
      start = Math.min(start, page * PAGE_BYTES);
      end = Math.max(end, Math.min((page + 1) * PAGE_BYTES, this.seen.size));
    }
    change.position = start;
    change.data = this.seen.slice(start, end);
  }

  #drop(change: Change): boolean {
    const index = this.pending.indexOf(change);
    if (index >= 0) this.pending.splice(index, 1);
    return index >= 0;
  }
}
