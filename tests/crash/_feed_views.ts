/** Views that consumers of the change feed keep in the store itself. A view has an entry for each key of its source
 * that ever changed: how often it did, and a hash over all its changes in order. So a change that is applied twice,
 * left out or applied in another order shows.
 */

import { Buffer } from "node:buffer";
import { type Change, type HybridStore, toText, type Transaction } from "../../mod.ts";

/** One view, and the cursor that it is kept by. */
export interface View {
  readonly cursor: string;
  /** What its keys begin with, before the keys that they stand for: on the side of those, by their tags. */
  readonly prefix: string;
  /** What the keys begin with that it is of. */
  readonly source: string;
}

/** One consumer hears of its own prefix alone; the other one of everything, the writes of both views included. */
export const VIEWS: readonly View[] = [
  { cursor: "subjects", prefix: "view/", source: "subject" },
  { cursor: "all", prefix: "all/", source: "" },
];

/** What the keys begin with in which a view notes its cursor's position, next to the cursor itself. */
const NOTED_PREFIX = "noted/";
const OWN_PREFIXES = [NOTED_PREFIX, ...VIEWS.map(({ prefix }) => prefix)];
const STATE_BYTES = 12;

/** Told of what the feed has shown of a view's source before that is acted on. */
export type OnShown = (cursor: string, position: bigint, digest: string) => void;

/** A key of a source as latin-1, with its value. */
interface SourceWrite {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

/** Returns the key, as latin-1, that a view has for a key of its source; `undefined` for one that is not in it. */
function viewKey({ prefix, source }: View, key: string): string | undefined {
  if (!key.startsWith(source) || isOwn(key)) return undefined;
  return prefix + key;
}

/** Returns whether a key, as latin-1, is written by consumers. */
export function isOwn(key: string): boolean {
  return OWN_PREFIXES.some((prefix) => key.startsWith(prefix));
}

/** Returns whether a key, as latin-1, says where a cursor is. */
export function isNoted(key: string): boolean {
  return key.startsWith(NOTED_PREFIX);
}

/** Returns the entry of a view after one more change. */
function fold(before: Uint8Array | undefined, value: Uint8Array | undefined): Uint8Array {
  const state = before?.slice() ?? new Uint8Array(STATE_BYTES);
  const view = new DataView(state.buffer);
  view.setUint32(0, view.getUint32(0) + 1);
  view.setUint32(8, value?.length ?? 0xffffffff);
  view.setUint32(4, hash(state, hash(value ?? new Uint8Array(0))));
  return state;
}

/** FNV-1a. */
function hash(bytes: Uint8Array, before = 0x811c9dc5): number {
  let sum = before;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193);
  return sum >>> 0;
}

/** Does to a model what consumers that have caught up do to a store.
 *
 * @param entries Keys and values as latin-1.
 * @param writes The writes of one call, in order.
 * @returns The keys that were written.
 */
export function foldInto(entries: Map<string, string>, writes: readonly SourceWrite[]): string[] {
  // Of a key that a call writes twice, the journal has what became of it.
  const last = new Map(writes.map(({ key, value }) => [key, value]));
  const written: string[] = [];
  for (const view of VIEWS) {
    for (const [key, value] of last) {
      const target = viewKey(view, key);
      if (target === undefined) continue;
      const before = entries.get(target);
      entries.set(target, latin1(fold(before === undefined ? undefined : bytesOf(before), value)));
      written.push(target);
    }
  }
  return written;
}

/** Returns a short text that differs where what two changes hold differs. */
export function digestOf({ writes }: Pick<Change, "writes">): string {
  let sum = hash(new Uint8Array(0));
  for (const { key, value } of writes) {
    sum = hash(new TextEncoder().encode(`${key.length} ${value?.length ?? "deleted"} `), sum);
    sum = hash(key, sum);
    if (value !== undefined) sum = hash(value, sum);
  }
  return sum.toString(16);
}

/** Returns whether a change has anything for a view. */
export function concerns(view: View, { writes }: Pick<Change, "writes">): boolean {
  return writes.some(({ key }) => viewKey(view, latin1(key)) !== undefined);
}

/** How changes are applied to a view, together with the move of its cursor. */
export const WAYS = ["batch", "transact", "transaction"] as const;
/** One of {@linkcode WAYS}. */
export type Way = typeof WAYS[number];

/** Applies changes that follow one another to a view, and moves its cursor. */
export async function applyChanges(
  store: HybridStore,
  view: View,
  changes: readonly Change[],
  way: Way,
  durable?: boolean,
): Promise<void> {
  const writes: [key: string, value: Uint8Array | undefined][] = [];
  for (const { key, value } of changes.flatMap(({ writes }) => writes)) {
    const target = viewKey(view, latin1(key));
    if (target !== undefined) writes.push([target, value]);
  }
  const position = changes.at(-1)!.position;
  const options = durable === undefined ? {} : { durable };
  if (way === "transaction") {
    await store.transaction(async (tx) => {
      for (const [key, value] of writes) {
        tx.put(bytesOf(key), fold(await tx.get(bytesOf(key)), value));
      }
      note(tx, view, position);
    });
  } else if (way === "transact") {
    await store.transact((tx) => {
      for (const [key, value] of writes) tx.put(bytesOf(key), fold(tx.get(bytesOf(key)), value));
      note(tx, view, position);
    }, options);
  } else {
    const states = new Map<string, Uint8Array>();
    for (const [key, value] of writes) {
      states.set(key, fold(states.get(key) ?? store.getSync(bytesOf(key)), value));
    }
    const batch = store.batch();
    for (const [key, state] of states) batch.put(bytesOf(key), state);
    note(batch, view, position);
    await batch.commit(options);
  }
}

function note(
  target: Pick<Transaction, "put" | "advance">,
  { cursor }: View,
  position: bigint,
): unknown {
  target.put(NOTED_PREFIX + cursor, `${position}`);
  return target.advance(cursor, position);
}

/** Creates the cursors of the views, if they are not there. No key of a source may have been written before. */
export async function createCursors(store: HybridStore): Promise<void> {
  for (const { cursor } of VIEWS) await store.createCursor(cursor, { after: 0n });
}

/** Brings the views up to date. */
export async function catchUp(store: HybridStore, onShown: OnShown = () => {}): Promise<void> {
  for (const view of VIEWS) {
    const { cursor, source: prefix } = view;
    for await (const change of store.changes({ cursor, prefix, live: false })) {
      if (!concerns(view, change)) continue;
      onShown(cursor, change.position, digestOf(change));
      await applyChanges(store, view, [change], "batch");
    }
  }
}

/** What was shown of each cursor's changes: digests by positions. */
export type Shown = ReadonlyMap<string, ReadonlyMap<bigint, string>>;

/** Returns what was shown by cursors. */
export function shownByCursor(
  shown: Iterable<readonly [cursor: string, position: string, digest: string]>,
): Shown {
  const byCursor = new Map<string, Map<bigint, string>>(
    VIEWS.map(({ cursor }) => [cursor, new Map()]),
  );
  for (const [cursor, position, digest] of shown) {
    byCursor.get(cursor)!.set(BigInt(position), digest);
  }
  return byCursor;
}

/** Compares what is found after a crash with what was shown before it, and then brings the views up to date.
 *
 * @returns What is wrong, a sentence each.
 */
export async function checkFeed(
  store: HybridStore,
  shown: Shown,
  onShown?: OnShown,
): Promise<string[]> {
  await createCursors(store);
  const faults: string[] = [];
  const cursors = new Map(store.cursors().map((state) => [state.name, state]));
  for (const { cursor, source: prefix } of VIEWS) {
    const { position, isLost } = cursors.get(cursor)!;
    const noted = store.getSync(NOTED_PREFIX + cursor);
    const expected = noted === undefined ? 0n : BigInt(toText(noted));
    if (position !== expected) {
      faults.push(`cursor ${cursor} is at ${position}, and its view at ${expected}`);
    }
    if (isLost) {
      faults.push(`the journal was not kept for cursor ${cursor}, which is at ${position}`);
      continue;
    }
    const found = new Map<bigint, string>();
    for await (const change of store.changes({ after: position, prefix, live: false })) {
      found.set(change.position, digestOf(change));
    }
    for (const [at, digest] of shown.get(cursor) ?? []) {
      // What the cursor has passed may be gone from the journal.
      if (at <= position || found.get(at) === digest) continue;
      const what = found.has(at) ? "another change is" : "nothing is";
      faults.push(`${what} at ${at}, where cursor ${cursor}, which is at ${position}, showed one`);
    }
  }
  if (faults.length === 0) await catchUp(store, onShown);
  return faults;
}
