/** The operations of the power-loss campaign. Operation `n` of a load is the same in every process, so
 * that numbers alone have to pass between them.
 */

import { assertionKey, type HybridStore, mvKey } from "../../mod.ts";
import { isNoted } from "../crash/_feed_views.ts";
import { Model, type Operation, operationAt, text } from "../crash/_kill_operations.ts";
import { Random } from "../support/random.ts";

/** What is done to a store. */
export interface Load {
  readonly seed: number;
  /** Whether every fifth operation is a batch of thousands of keys, as applies in many steps, rotations
   * and large logs need them. */
  readonly isLarge: boolean;
  /** Whether consumers of the change feed keep views in the store, which count as entries of it. */
  readonly isFed?: boolean;
}

const WIDE_KEYS = 4000;
const WIDE_WRITES = 2000;

/** They take longer to make than to compare, and are made for each image. */
const wide = new Map<number, Operation>();

/** Returns operation `n` of a load. */
export function operationOf({ seed, isLarge }: Load, n: number): Operation {
  if (!isLarge || n % 5 !== 0) return operationAt(seed, n);
  let operation = wide.get(seed + n);
  if (operation === undefined) {
    operation = wideOperation(seed, n);
    wide.set(seed + n, operation);
  }
  return operation;
}

function wideOperation(seed: number, n: number): Operation {
  const random = new Random(seed + n);
  const writes = Array.from({ length: WIDE_WRITES }, () => {
    const name = `${random.below(WIDE_KEYS)}`.padStart(6, "0");
    const key = random.once(3) ? mvKey("wide", name) : assertionKey("wide", name);
    const value = new Uint8Array(8 + random.below(200)).fill(n);
    new DataView(value.buffer).setFloat64(0, n);
    return { key, value: random.once(12) ? undefined : value };
  });
  return { kind: "batch", writes };
}

/** Returns whether an operation, answered so, is certain to have written to the B-tree side. */
export function touchesBtree(store: HybridStore, operation: Operation, outcome: string): boolean {
  if (!wrote(operation, outcome)) return false;
  switch (operation.kind) {
    case "batch":
      return operation.writes.some(({ key }) => store.routeOf(key) === "btree");
    case "transfer":
      return [operation.from, operation.to].some((key) => store.routeOf(key) === "btree");
    case "deleteRange":
      return false;
    default:
      return store.routeOf(operation.key) === "btree";
  }
}

/** Returns whether an operation, answered so, wrote anything. What did not is not in the journal, and
 * says nothing of what came before.
 */
export function wrote(operation: Operation, outcome: string): boolean {
  return !(operation.kind === "transfer" && outcome === "refused") &&
    !(operation.kind === "deleteRange" && outcome === "0");
}

/** What a store holds: keys and values as text. */
export type Entries = ReadonlyMap<string, string>;

/** Returns everything that a store holds, as the operations imply it. */
export async function entriesOf(store: Pick<HybridStore, "scan">): Promise<Map<string, string>> {
  const entries = new Map<string, string>();
  for await (const { key, value } of store.scan()) {
    // How far a consumer has come by itself says nothing of the operations.
    if (!isNoted(text(key))) entries.set(text(key), text(value));
  }
  return entries;
}

/** What was found of some operations. */
export interface Fit {
  /** How many of the operations, from the first on, give what was found; `undefined` where no number
   * does. The most, where several do. */
  readonly length: number | undefined;
  /** Where a model and the store answered differently, and what comes closest where nothing fits. */
  readonly fault: string | undefined;
}

/** Finds out which of some operations are in what a store holds: all up to one, and none behind it. */
export function fit(
  load: Load,
  numbers: readonly number[],
  outcomes: ReadonlyMap<number, string>,
  entries: Entries,
): Fit {
  const model = new Model([], load.isFed);
  const different = new Set(entries.keys());
  let length = different.size === 0 ? 0 : undefined;
  let closest = { length: 0, keys: different.size, first: [...different][0] };
  let fault: string | undefined;
  // A store that is poisoned answers what only reads, and has not taken what was called before it.
  let isCertain = true;
  for (const [index, n] of numbers.entries()) {
    const operation = operationOf(load, n);
    const effect = model.apply(operation);
    const outcome = outcomes.get(n);
    if (outcome === undefined) isCertain = false;
    else if (outcome !== effect.outcome && (isCertain || wrote(operation, outcome))) {
      fault ??= `operation ${n} was answered with ${outcome}, not ${effect.outcome}`;
    }
    for (const key of effect.keys) {
      if (entries.get(key) === model.entries.get(key)) different.delete(key);
      else different.add(key);
    }
    if (different.size === 0) length = index + 1;
    else if (different.size <= closest.keys) {
      closest = { length: index + 1, keys: different.size, first: [...different][0] };
    }
  }
  if (length === undefined) {
    fault = `no number of operations fits; ${closest.length} of ${numbers.length} come closest, ` +
      `with ${closest.keys} keys that differ, the first ${JSON.stringify(closest.first)}`;
  }
  return { length, fault };
}
