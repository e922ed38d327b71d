/** Group commit: appends that are called until the running code has finished become one write and share
 * one sync.
 *
 * @module
 */

import { queueMicrotask } from "../runtime/timers.ts";
import { RECORD_HEADER_BYTES, sealRecord } from "./record.ts";
import type { JournalWriter } from "./writer.ts";

/** Pending appends are written at once when they reach this size, while the code still runs. */
const GROUP_BYTES_MAX = 1024 * 1024;

interface Append {
  readonly start: number;
  readonly end: number;
  readonly resolve: (offset: bigint) => void;
  readonly reject: (reason: unknown) => void;
}

/** Collects appends and writes them in the order of the calls. */
export class AppendGroup {
  readonly #writer: JournalWriter;
  readonly #waitsForSync: boolean;
  #buffer: Uint8Array = new Uint8Array(64 * 1024);
  #length = 0;
  #pending: Append[] = [];
  #appends = 0;

  /** Creates an empty group.
   *
   * @param waitsForSync Whether an append resolves once a sync covers it, or once it is written.
   */
  constructor(writer: JournalWriter, waitsForSync: boolean) {
    this.#writer = writer;
    this.#waitsForSync = waitsForSync;
  }

  /** Records written so far. */
  get appends(): number {
    return this.#appends;
  }

  /** Copies a payload into the group, which is written when the running code has finished, or when it
   * grows too large.
   *
   * @returns Resolves to the record's offset.
   */
  add(payload: Uint8Array): Promise<bigint> {
    const start = this.#length;
    const end = start + RECORD_HEADER_BYTES + payload.length;
    this.#reserve(end);
    this.#buffer.set(payload, start + RECORD_HEADER_BYTES);
    sealRecord(this.#buffer, start, payload.length);
    this.#length = end;
    return new Promise((resolve, reject) => {
      this.#pending.push({ start, end, resolve, reject });
      if (end >= GROUP_BYTES_MAX) this.commit();
      else if (this.#pending.length === 1) queueMicrotask(() => this.commit());
    });
  }

  /** Writes the pending records, in one piece as far as they fit into the segment. */
  commit(): void {
    const pending = this.#pending;
    if (pending.length === 0) return;
    this.#pending = [];
    this.#length = 0;
    let first = 0;
    while (first < pending.length) {
      const last = this.#lastThatFits(pending, first);
      this.#writeRun(pending.slice(first, last + 1));
      first = last + 1;
    }
    // One huge record must not leave a huge buffer behind.
    if (this.#buffer.length > 4 * GROUP_BYTES_MAX) this.#buffer = new Uint8Array(GROUP_BYTES_MAX);
  }

  #reserve(length: number): void {
    if (length <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(length, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }

  #lastThatFits(pending: readonly Append[], first: number): number {
    const { start } = pending[first]!;
    const room = this.#writer.room;
    // Where even the first does not fit, the write rotates, and a whole segment is free.
    const limit = pending[first]!.end - start <= room ? room : this.#writer.segmentRoom;
    let last = first;
    while (last + 1 < pending.length && pending[last + 1]!.end - start <= limit) last++;
    return last;
  }

  #writeRun(run: readonly Append[]): void {
    const start = run[0]!.start;
    let offset: bigint;
    try {
      offset = this.#writer.write(this.#buffer.subarray(start, run.at(-1)!.end));
    } catch (error) {
      this.#writer.afterUndo(error).then((reason) => {
        for (const append of run) append.reject(reason);
      });
      return;
    }
    this.#appends += run.length;
    const settle = () => {
      for (const append of run) append.resolve(offset + BigInt(append.start - start));
    };
    if (!this.#waitsForSync && !this.#writer.isBehind) return settle();
    this.#writer.sync().then(settle, (error) => {
      for (const append of run) append.reject(error);
    });
  }
}
