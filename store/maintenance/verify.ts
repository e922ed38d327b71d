/** Verification: everything that a store can check about itself.
 *
 * @module
 */

import type { Engine, EngineReader, KeyRange } from "../../backends/engine.ts";
import type { EngineName, Router } from "../../codec/route.ts";
import { isTurnOver, nextTurn } from "../../runtime/turn.ts";
import { FaultLog } from "./fault_log.ts";
import { showKey } from "../limits.ts";
import { rangeBehind } from "../range.ts";
import type { VerifyFault, VerifyOptions, VerifyReport } from "../types.ts";
import { type VerifiedJournal, verifyJournal } from "./verify_journal.ts";

const PAGE_ROWS = 1024;

/** What a verification looks at: one moment of a store, pinned. */
export interface VerifySource {
  readonly router: Router;
  readonly engines: Readonly<Record<EngineName, Engine>>;
  readonly views: Readonly<Record<EngineName, EngineReader>>;
  /** The journal, which is written and trimmed meanwhile. */
  readonly journal: VerifiedJournal;
  /** Throws once the store is closed: what is missing then is not a fault. */
  readonly requireOpen: () => void;
}

/** Checks one moment of a store. Damage becomes a fault in the report, and never an exception. */
export class Verification {
  readonly #source: VerifySource;
  readonly #onProgress: NonNullable<VerifyOptions["onProgress"]>;
  readonly #log = new FaultLog();

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
    const { journal, requireOpen } = this.#source;
    const onProgress = (done: number, total: number) => {
      this.#onProgress({ part: "journal", step: "check", done, total });
    };
    const journalRecords = await verifyJournal(journal, {
      log: this.#log,
      onProgress,
      requireOpen,
    });
    requireOpen();
    return this.#log.report({ keys, journalRecords });
  }

  /** Each engine lacks nothing that the journal no longer has, and has nothing that it never had. */
  #checkPosition(name: EngineName): void {
    const { journal: { segments, end }, engines } = this.#source;
    const { position } = engines[name];
    const first = segments[0]!.base;
    if (position >= first && position <= end) return;
    const journal = `the journal runs from ${first} to ${end}`;
    this.#log.add(name, `it was written up to journal position ${position}, and ${journal}`);
  }

  /** Runs the engine's own check and returns whether its keys can be read. */
  async #checkEngine(name: EngineName): Promise<boolean> {
    const found = await this.#source.engines[name].check((done, total) => {
      this.#onProgress({ part: name, step: "check", done, total });
    });
    for (const message of found) this.#log.add(name, message);
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
        this.#log.addKey(name, key, last, this.#source.router);
        last = key;
      }
      keys += page.length;
      this.#onProgress({ part: name, step: "walk", done: keys });
      if (page.length < PAGE_ROWS) return keys;
      rest = rangeBehind(rest, last!);
      await this.#turn();
    }
  }

  /** Returns what was read, `undefined` where it cannot be, which is then reported. */
  #read<T>(part: VerifyFault["part"], place: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#source.requireOpen();
      this.#log.add(part, `${place}: ${error instanceof Error ? error.message : error}`);
      return undefined;
    }
  }

  /** Lets the event loop turn when it is time. */
  async #turn(): Promise<void> {
    if (!isTurnOver()) return;
    await nextTurn();
    this.#source.requireOpen();
  }
}
