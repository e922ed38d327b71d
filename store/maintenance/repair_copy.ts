/** Copying what a repair keeps into new engines.
 *
 * @module
 */

import type { Engine } from "../../backends/engine.ts";
import { packWrite } from "../../backends/writes.ts";
import type { EngineName, Router } from "../../codec/route.ts";
import { isTurnOver, nextTurn } from "../../runtime/turn.ts";
import { type Examination, SIDES } from "./examine.ts";
import { hashKey } from "../memtable/key_hash.ts";
import { Memtable } from "../memtable/memtable.ts";
import { MemtableWrites } from "../memtable/memtable_writes.ts";
import { decodeCursors, encodeCursors } from "../feed/cursors.ts";
import { decodeWrites, type OnCursor } from "../payload.ts";
import type { RepairPlan } from "./repair_plan.ts";
import type { RepairOptions } from "../types.ts";

/** What an engine gets at a time; each time costs syncs. */
const BATCH_BYTES = 16 * 2 ** 20;
/** What a write takes in memory besides its bytes, roughly. */
const WRITE_BYTES = 256;

/** What was copied. */
export interface Copied {
  readonly keys: Record<EngineName, number>;
  readonly records: number;
  /** Keys that were found on the side they do not belong to, where nothing ever read them. */
  readonly misplaced: Record<EngineName, Uint8Array[]>;
}

/** Writes the entries of the old engines into new ones, then the records, then the position.
 *
 * @param onProgress Told how much is copied; what it throws ends the copying.
 */
export async function copyKept(
  examination: Examination,
  plan: RepairPlan,
  router: Router,
  engines: Readonly<Record<EngineName, Engine>>,
  onProgress: NonNullable<RepairOptions["onProgress"]>,
): Promise<Copied> {
  const misplaced: Copied["misplaced"] = { append: [], btree: [] };
  for (const name of SIDES) {
    if (!plan.sides[name].takesEntries) continue;
    const waiting = new Waiting(engines[name], router);
    let done = 0;
    await examination.engines[name].read("entries", async (entries) => {
      for (const { key, value } of entries) {
        if (router.routeOf(key) === name) waiting.add(key, value);
        else misplaced[name].push(key);
      }
      done += entries.length;
      if (waiting.isFull) await waiting.apply();
      onProgress({ part: name, step: "copy", done });
    });
    await waiting.apply();
  }
  const cursors = keptCursors(examination, plan);
  const records = await applyRecords(examination, plan, router, engines, cursors, onProgress);
  // The new journal does not reach back to most of them: they say that they are lost.
  const note = cursors.size === 0 ? undefined : encodeCursors(cursors);
  for (const name of SIDES) await engines[name].apply([], plan.position, note);
  const keys = { append: engines.append.stats().keys, btree: engines.btree.stats().keys };
  return { keys, records, misplaced };
}

/** Returns the cursors that the B-tree side has noted, as far as they can be read. */
function keptCursors({ engines }: Examination, { sides }: RepairPlan): Map<string, bigint> {
  if (!sides.btree.takesEntries) return new Map();
  try {
    return new Map(decodeCursors(engines.btree.note));
  } catch {
    return new Map();
  }
}

/** Applies to each side the records that it lacks, and returns how many there are. */
async function applyRecords(
  { journal }: Examination,
  { sides }: RepairPlan,
  router: Router,
  engines: Readonly<Record<EngineName, Engine>>,
  cursors: Map<string, bigint>,
  onProgress: NonNullable<RepairOptions["onProgress"]>,
): Promise<number> {
  const waiting = {
    append: new Waiting(engines.append, router),
    btree: new Waiting(engines.btree, router),
  };
  let records = 0;
  for (const { from, to } of joinedRanges(SIDES.map((name) => sides[name]))) {
    for (const { offset, next, payload } of journal.records(from)) {
      if (offset >= to) break;
      const bytes = payload.slice();
      const onCursor: OnCursor = (cursor, position) => {
        if (offset < sides.btree.from || offset >= sides.btree.to) return;
        if (position === undefined) cursors.delete(cursor);
        else cursors.set(cursor, position);
      };
      for (const { keyStart, keyLength, valueLength } of decodeWrites(bytes, onCursor)) {
        const keyEnd = keyStart + keyLength;
        const key = bytes.subarray(keyStart, keyEnd);
        const name = router.routeOf(key);
        if (offset < sides[name].from || offset >= sides[name].to) continue;
        const value = valueLength < 0 ? undefined : bytes.subarray(keyEnd, keyEnd + valueLength);
        waiting[name].add(key, value);
      }
      records++;
      for (const name of SIDES) if (waiting[name].isFull) await waiting[name].apply();
      if (!isTurnOver()) continue;
      await nextTurn();
      onProgress({
        part: "journal",
        step: "copy",
        done: Number(next - from),
        total: Number(to - from),
      });
    }
  }
  for (const name of SIDES) await waiting[name].apply();
  return records;
}

/** Joins ranges that overlap, so that no record is read twice. */
function joinedRanges(
  ranges: readonly { readonly from: bigint; readonly to: bigint }[],
): { from: bigint; to: bigint }[] {
  const joined: { from: bigint; to: bigint }[] = [];
  for (const { from, to } of ranges.toSorted((a, b) => a.from < b.from ? -1 : 1)) {
    const last = joined.at(-1);
    if (from >= to) continue;
    if (last !== undefined && from <= last.to) last.to = to > last.to ? to : last.to;
    else joined.push({ from, to });
  }
  return joined;
}

/** Writes that wait for an engine, the latest one of each key. */
class Waiting {
  readonly #engine: Engine;
  readonly #router: Router;
  #memtable: Memtable;
  #bytes = 0;

  constructor(engine: Engine, router: Router) {
    this.#engine = engine;
    this.#router = router;
    this.#memtable = new Memtable(router);
  }

  get isFull(): boolean {
    return this.#bytes >= BATCH_BYTES;
  }

  add(key: Uint8Array, value: Uint8Array | undefined): void {
    const bytes = packWrite(key, value);
    this.#memtable.set(key, hashKey(key), bytes, 0, value?.length ?? -1);
    this.#bytes += bytes.length + WRITE_BYTES;
  }

  async apply(): Promise<void> {
    const memtable = this.#memtable;
    if (memtable.size === 0) return;
    this.#memtable = new Memtable(this.#router);
    this.#bytes = 0;
    await this.#engine.apply(new MemtableWrites(memtable, memtable.order()), 0n);
  }
}
