/** The change feed of a remote store, and watching keys.
 *
 * @module
 */

import type { Entry } from "../backends/engine.ts";
import { StoreError } from "../codec/error.ts";
import { abortable, pauseFor } from "../runtime/abortable.ts";
import {
  requirePosition,
  resolveChangesOptions,
  resolveWatched,
  type Watched,
} from "../store/call_options.ts";
import { endable } from "../store/feed/endable.ts";
import type { KeySpace } from "../store/key_space.ts";
import type {
  BytesLike,
  Change,
  ChangedKey,
  ChangesOptions,
  WatchOptions,
} from "../store/types.ts";
import { FedTables } from "./fed_tables.ts";
import { copied } from "../runtime/copy.ts";
import type { Session } from "./session.ts";
import type { RemoteSnapshot } from "./snapshot.ts";

/** Commits of the first page, and of the largest one. */
const FIRST_COMMITS = 16;
const COMMITS_MAX = 4096;
/** What pages grow towards. */
const PAGE_BYTES_AIM = 1024 * 1024;
/** How long it is waited before the server is asked again: twice as long each time, while there is nothing. */
const PAUSE_MS_MIN = 8;
const PAUSE_MS_MAX = 250;

/** Which changes are read.
 *
 * @category RemoteStore
 */
export type RemoteChangesOptions = Omit<ChangesOptions, "cursor">;

/** Prepares to read changes.
 *
 * @param closing Aborted when the store is closed, or the part of it that is read.
 * @throws {TypeError | RangeError | StoreError} An option is not valid; `UNSUPPORTED`.
 */
export function prepareChanges(
  what: string,
  session: Session,
  keys: KeySpace,
  closing: AbortSignal,
  options: RemoteChangesOptions = {},
): AsyncGenerator<Change, undefined> {
  const names = ["after", "prefix", "live", "signal"] as const;
  const request = resolveChangesOptions(what, keys, options, names);
  const { isLive, signal } = request;
  const tables = requireFed(what, session);
  // Asked at the call: what is written behind it is behind that position.
  const present = session.queue.between(() => lastPosition(what, session, tables));
  // Whoever never iterates does not hear of it.
  present.catch(() => {});
  return endable({ closing, isLive, signal }, async function* (ended) {
    const last = await abortable(present, ended);
    return yield* readChanges(what, session, tables, keys, request, last, ended);
  });
}

async function* readChanges(
  what: string,
  session: Session,
  tables: FedTables,
  keys: KeySpace,
  { after, isLive, prefix }: Omit<ReturnType<typeof resolveChangesOptions>, "signal">,
  last: bigint,
  ended: AbortSignal,
): AsyncGenerator<Change, undefined> {
  if (after !== undefined && (after < 0n || after > last)) {
    throw new RangeError(`${what}: after is ${after}, not a position from 0 to ${last}`);
  }
  const until = isLive ? undefined : last;
  let position = after ?? last;
  let [commits, pause] = [FIRST_COMMITS, PAUSE_MS_MIN];
  while (until === undefined || position < until) {
    const statement = tables.changesAfter(position, until, prefix, commits);
    const { rows } = await abortable(session.runPooled(what, [statement], 0), ended);
    requireThere(what, position, BigInt(rows[0]![0] as string));
    let bytes = 0;
    let count = 0;
    let change: Change | undefined;
    for (
      const [, p, k, v] of rows as [string, string | null, Uint8Array | null, Uint8Array | null][]
    ) {
      if (p === null) break;
      if (change?.position !== BigInt(p)) {
        if (change !== undefined && change.writes.length > 0) yield change;
        ended.throwIfAborted();
        change = { position: BigInt(p), writes: [] };
        count++;
      }
      if (k === null) continue;
      const write: ChangedKey = { key: keys.outside(k).slice(), value: v ?? undefined };
      change.writes.push(write);
      bytes += k.length + (v?.length ?? 0);
    }
    if (change !== undefined) {
      ({ position } = change);
      if (change.writes.length > 0) yield change;
      pause = PAUSE_MS_MIN;
      commits = nextCommits(count, bytes);
    } else if (until !== undefined) {
      return undefined;
    } else {
      await pauseFor(pause, ended);
      pause = Math.min(2 * pause, PAUSE_MS_MAX);
    }
    ended.throwIfAborted();
  }
  return undefined;
}

function nextCommits(count: number, bytes: number): number {
  const inAim = Math.floor(PAGE_BYTES_AIM * count / Math.max(bytes, 1));
  return Math.max(1, Math.min(inAim, 4 * Math.max(count, FIRST_COMMITS), COMMITS_MAX));
}

/** Prepares to watch keys, or all keys below a prefix.
 *
 * @param snapshot Takes a snapshot of the same keys.
 * @throws {TypeError | RangeError | StoreError} An argument is not valid; `UNSUPPORTED`.
 */
export function prepareWatch(
  what: string,
  session: Session,
  keys: KeySpace,
  snapshot: () => Promise<RemoteSnapshot>,
  closing: AbortSignal,
  watched: readonly BytesLike[] | { prefix: BytesLike },
  options: WatchOptions = {},
): AsyncGenerator<Entry[], undefined> {
  const { watched: found, signal } = resolveWatched(what, keys, watched, options);
  const tables = requireFed(what, session);
  const read = async () => {
    await using moment = await snapshot();
    const entries = await entriesOf(moment, keys, found);
    return { entries, position: moment.position! };
  };
  return endable({ closing, isLive: true, signal }, async function* (ended) {
    for (;;) {
      ended.throwIfAborted();
      const { entries, position } = await read();
      ended.throwIfAborted();
      yield entries;
      await changed(what, session, tables, position, found, ended);
    }
  });
}

/** Returns what there is of what is watched. */
async function entriesOf(
  moment: RemoteSnapshot,
  keys: KeySpace,
  watched: Watched,
): Promise<Entry[]> {
  if ("prefix" in watched) return await moment.scanPrefix(keys.outside(watched.prefix));
  const names = watched.keys.map((key) => keys.outside(key));
  const values = await moment.getMany(names);
  return names.flatMap((key, i) => {
    const value = values[i];
    return value === undefined ? [] : [{ key: copied(key), value }];
  });
}

/** Waits until something has changed behind a position. */
async function changed(
  what: string,
  session: Session,
  tables: FedTables,
  position: bigint,
  watched: Watched,
  ended: AbortSignal,
): Promise<void> {
  for (let pause = PAUSE_MS_MIN;; pause = Math.min(2 * pause, PAUSE_MS_MAX)) {
    const statement = tables.hasChanged(position, watched);
    const { rows } = await abortable(session.runPooled(what, [statement], 0), ended);
    if (rows.length > 0) return;
    await pauseFor(pause, ended);
  }
}

/** Removes the changes up to a position. */
export async function trimChanges(what: string, session: Session, upTo: bigint): Promise<void> {
  requirePosition(what, "upTo", upTo);
  const tables = requireFed(what, session);
  await session.queue.settle();
  const last = await lastPosition(what, session, tables);
  if (upTo < 0n || upTo > last) {
    throw new RangeError(`${what}: upTo is ${upTo}, not a position from 0 to ${last}`);
  }
  // To do it twice is to do it once.
  await session.runPooled(what, [{ text: "BEGIN" }, ...tables.trim(upTo), { text: "COMMIT" }], 0);
}

/** Returns the last position. */
async function lastPosition(what: string, session: Session, tables: FedTables): Promise<bigint> {
  const { rows } = await session.runPooled(what, [tables.position()], 0);
  return BigInt(rows[0]![0] as string);
}

/** @throws {StoreError} `CURSOR_LOST`. */
function requireThere(what: string, position: bigint, trimmed: bigint): void {
  if (position >= trimmed) return;
  throw new StoreError(
    "CURSOR_LOST",
    `${what}: the changes behind position ${position} were removed, up to ${trimmed}; take a snapshot, ` +
      "and go on after its position",
  );
}

function requireFed(what: string, { tables }: Session): FedTables {
  if (tables instanceof FedTables) return tables;
  throw new StoreError(
    "UNSUPPORTED",
    `${what}: the store has no change feed; call RemoteStore.setup() with changes, and open it again`,
  );
}
