/** Verification: everything that a store can check about itself.
 *
 * @module
 */

import type { Engine, EngineView, KeyRange } from "../backends/engine.ts";
import { compareBytes } from "../codec/bytes.ts";
import { MAX_KEY_BYTES } from "../codec/limits.ts";
import type { EngineName, Router } from "../codec/route.ts";
import type { Segment } from "../journal/segment.ts";
import { SegmentReader } from "../journal/segment_reader.ts";
import type { JournalWriter } from "../journal/writer.ts";
import { isTurnOver, nextTurn } from "../runtime/turn.ts";
import { showKey } from "./limits.ts";
import { rangeBehind } from "./merge.ts";
import { decodeWrites } from "./payload.ts";
import type { VerifyFault, VerifyOptions, VerifyReport } from "./types.ts";

/** Faults that are named one by one; a store that is damaged throughout has millions. */
const FAULTS_MAX = 100;
const PAGE_ROWS = 1024;

/** What a verification looks at: one moment of a store, pinned. */
export interface VerifySource {
  readonly router: Router;
  readonly engines: Readonly<Record<EngineName, Engine>>;
  readonly views: Readonly<Record<EngineName, EngineView>>;
  /** The journal, which goes on being written and trimmed. */
  readonly journal: Pick<JournalWriter, "segments" | "end" | "fileSystem">;
  /** Throws once the store is closed: what is missing then is no fault. */
  requireOpen(): void;
}

/** Checks one moment of a store. Damage becomes a fault in the report, and never an exception. */
export class Verification {
  readonly #source: VerifySource;
  readonly #onProgress: NonNullable<VerifyOptions["onProgress"]>;
  readonly #faults: VerifyFault[] = [];
  #faultCount = 0;

  constructor(source: VerifySource, options: VerifyOptions) {
    this.#source = source;
    this.#onProgress = options.onProgress ?? (() => {});
  }

  async run(): Promise<VerifyReport> {
    const keys = { append: 0, btree: 0 };
    for (const name of ["append", "btree"] as const) {
      this.#checkPosition(name);
      // Walking a damaged tree through the native library can end the process.
      if (await this.#checkEngine(name)) keys[name] = await this.#walk(name);
    }
    const journalRecords = await this.#checkJournal();
    this.#source.requireOpen();
    return {
      ok: this.#faultCount === 0,
      faults: this.#faults,
      faultCount: this.#faultCount,
      keys,
      journalRecords,
    };
  }

  /** Each engine lacks nothing that the journal no longer has, and has nothing that it never had. */
  #checkPosition(name: EngineName): void {
    const { journal: { segments, end }, engines } = this.#source;
    const { position } = engines[name];
    const first = segments[0]!.base;
    if (position >= first && position <= end) return;
    const journal = `the journal runs from ${first} to ${end}`;
    this.#report(name, `it was written up to journal position ${position}, and ${journal}`);
  }

  /** Runs the engine's own check and returns whether its keys can be read. */
  async #checkEngine(name: EngineName): Promise<boolean> {
    const found = await this.#source.engines[name].check((done, total) => {
      this.#onProgress({ part: name, step: "check", done, total });
    });
    for (const message of found) this.#report(name, message);
    return found.length === 0;
  }

  /** Reads every key, and checks order, length and route. Of the bytes of a value nothing can be said,
   * and a page of them can be large.
   */
  async #walk(name: EngineName): Promise<number> {
    const view = this.#source.views[name];
    let rest: KeyRange = { start: new Uint8Array(0), end: undefined, reverse: false };
    let last: Uint8Array | undefined;
    let keys = 0;
    for (;;) {
      const place = `no keys can be read behind ${last ? showKey(last) : "the start"}`;
      const page = this.#read(name, place, () => view.keys(rest, PAGE_ROWS));
      if (page === undefined) return keys;
      for (const key of page) {
        this.#checkKey(name, key, last);
        last = key;
      }
      keys += page.length;
      this.#onProgress({ part: name, step: "walk", done: keys });
      if (page.length < PAGE_ROWS) return keys;
      rest = rangeBehind(rest, last!);
      await this.#turn();
    }
  }

  #checkKey(name: EngineName, key: Uint8Array, last: Uint8Array | undefined): void {
    if (last !== undefined && compareBytes(last, key) >= 0) {
      this.#report(name, `key ${showKey(key)} is out of order`);
    }
    if (key.length < 1 || key.length > MAX_KEY_BYTES) {
      this.#report(name, `key ${showKey(key)} has ${key.length} bytes`);
    }
    const route = this.#source.router.routeOf(key);
    if (route !== name) this.#report(name, `key ${showKey(key)} belongs to the ${route} side`);
  }

  /** Compares both digests of every record, and reads what it says. */
  async #checkJournal(): Promise<number> {
    const { journal } = this.#source;
    const { end } = journal;
    const segments = [...journal.segments];
    const first = segments[0]!.base;
    const onProgress = (offset: bigint) => {
      const [done, total] = [Number(offset - first), Number(end - first)];
      this.#onProgress({ part: "journal", step: "check", done, total });
    };
    let records = 0;
    for (const [index, segment] of segments.entries()) {
      const segmentEnd = segments[index + 1]?.base ?? end;
      records += await this.#checkSegment(segment, segmentEnd, onProgress);
    }
    return records;
  }

  async #checkSegment(
    segment: Segment,
    end: bigint,
    onProgress: (offset: bigint) => void,
  ): Promise<number> {
    const { journal } = this.#source;
    // The applier may have removed it since; once open, it stays readable.
    if (!journal.segments.includes(segment)) return 0;
    const { path } = segment;
    const reader = this.#read(
      "journal",
      path,
      () => new SegmentReader(journal.fileSystem, segment),
    );
    let offset = segment.base;
    let records = 0;
    try {
      while (reader !== undefined && offset < end) {
        const place = `no valid record at offset ${offset} of ${path}`;
        const next = this.#read("journal", place, () => nextOffset(reader, offset));
        if (next === undefined) return records;
        records++;
        offset = next;
        if (await this.#turn()) onProgress(offset);
      }
      onProgress(end);
      return records;
    } finally {
      reader?.close();
    }
  }

  /** Returns what was read, `undefined` where it cannot be, which is then reported. */
  #read<T>(part: VerifyFault["part"], place: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#source.requireOpen();
      this.#report(part, `${place}: ${error instanceof Error ? error.message : error}`);
      return undefined;
    }
  }

  #report(part: VerifyFault["part"], message: string): void {
    this.#faultCount++;
    if (this.#faults.length < FAULTS_MAX) this.#faults.push({ part, message });
  }

  /** Lets the event loop turn when it is time, and returns whether it was. */
  async #turn(): Promise<boolean> {
    if (!isTurnOver()) return false;
    await nextTurn();
    this.#source.requireOpen();
    return true;
  }
}

/** Checks the record at an offset, and returns where it ends. */
function nextOffset(reader: SegmentReader, offset: bigint): bigint {
  const found = reader.lookup(offset);
  if (found.fault !== undefined) throw new Error(found.fault);
  for (const _ of decodeWrites(found.payload));
  return found.next;
}
