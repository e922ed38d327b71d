/** The change feed of a remote store, and watching keys.
 *
 * @module
 */

import type { Entry } from "../backends/engine.ts";
import { StoreError } from "../codec/error.ts";
import { abortable } from "../runtime/abortable.ts";
import { setTimeout } from "../runtime/timers.ts";
import { requirePosition } from "../store/feed/cursors.ts";
import { endable } from "../store/feed/endable.ts";
import type { KeySpace } from "../store/key_space.ts";
import { describe, requireOptions, requireSignal } from "../store/limits.ts";
import type {
  BytesLike,
  Change,
  ChangedKey,
  ChangesOptions,
  WatchOptions,
} from "../store/types.ts";
import { FedTables } from "./fed_tables.ts";
import { copied } from "./reader.ts";
import type { Session } from "./session.ts";
import type { RemoteSnapshot } from "./snapshot.ts";
import { inTransaction } from "./writer.ts";

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

/** What ends an iteration. */
interface Ends {
  readonly closing: AbortSignal;
  readonly left: AbortSignal;
  readonly signal: AbortSignal | undefined;
}

/** A checked request for changes. */
interface Request {
  readonly after: bigint | undefined;
  readonly isLive: boolean;
  readonly prefix: Uint8Array;
}

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
  requireOptions(what, options, ["after", "prefix", "live", "signal"]);
  const { after, prefix, live = true, signal } = options;
  if (after !== undefined) requirePosition(what, "after", after);
  if (typeof live !== "boolean") {
    throw new TypeError(`${what}: live is ${describe(live)}, not a boolean`);
  }
  requireSignal(what, signal);
  const tables = requireFed(what, session);
  const request: Request = {
    after,
    isLive: live,
    prefix: copied(prefix === undefined ? keys.prefix : keys.bound(what, "prefix", prefix)),
  };
  // Asked at the call: what is written behind it is behind that position.
  const present = session.queue.between(() => positions(what, session, tables));
  // Whoever never iterates does not hear of it.
  present.catch(() => {});
  return endable((left) =>
    ending({ closing, left, signal }, live, async function* (ended) {
      const { last } = await abortable(present, ended);
      return yield* readChanges(what, session, tables, keys, request, last, ended);
    })
  );
}

async function* readChanges(
  what: string,
  session: Session,
  tables: FedTables,
  keys: KeySpace,
  { after, isLive, prefix }: Request,
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
    const { rows } = await abortable(session.readRange(what, [statement], 0), ended);
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
  requireOptions(what, options, ["signal"]);
  const { signal } = options;
  requireSignal(what, signal);
  const tables = requireFed(what, session);
  let stored: readonly Uint8Array[] | Uint8Array;
  let read: (moment: RemoteSnapshot) => Promise<Entry[]>;
  if (Array.isArray(watched)) {
    const wanted = (watched as BytesLike[]).map((key) => copied(keys.key(what, key)));
    stored = wanted;
    read = async (moment) => {
      const names = wanted.map((key) => keys.outside(key));
      const values = await moment.getMany(names);
      return names.flatMap((key, i) => {
        const value = values[i];
        return value === undefined ? [] : [{ key: key.slice(), value }];
      });
    };
  } else if (typeof watched === "object" && watched !== null && "prefix" in watched) {
    const prefix = copied(keys.bound(what, "prefix", watched.prefix));
    stored = prefix;
    read = (moment) => moment.scanPrefix(keys.outside(prefix));
  } else {
    throw new TypeError(
      `${what}: what to watch is ${describe(watched)}, neither an array of keys nor { prefix }`,
    );
  }
  return endable((left) =>
    ending({ closing, left, signal }, true, async function* (ended) {
      let position: bigint | undefined;
      for (;;) {
        if (position !== undefined) await changed(what, session, tables, position, stored, ended);
        await using moment = await snapshot();
        ended.throwIfAborted();
        const state = await read(moment);
        position = moment.position!;
        await moment.close();
        ended.throwIfAborted();
        yield state;
      }
    })
  );
}

/** Waits until something has changed behind a position. */
async function changed(
  what: string,
  session: Session,
  tables: FedTables,
  position: bigint,
  stored: readonly Uint8Array[] | Uint8Array,
  ended: AbortSignal,
): Promise<void> {
  for (let pause = PAUSE_MS_MIN;; pause = Math.min(2 * pause, PAUSE_MS_MAX)) {
    const statement = tables.hasChanged(position, stored);
    const { rows } = await abortable(session.readRange(what, [statement], 0), ended);
    if (rows.length > 0) return;
    await pauseFor(pause, ended);
  }
}

/** Runs an iteration until one of its ends comes.
 *
 * @param isLive Whether the closing of the store is its regular end.
 */
async function* ending<Row>(
  { closing, left, signal }: Ends,
  isLive: boolean,
  begin: (ended: AbortSignal) => AsyncGenerator<Row, undefined>,
): AsyncGenerator<Row, undefined> {
  const ended = AbortSignal.any(signal === undefined ? [closing, left] : [signal, closing, left]);
  try {
    ended.throwIfAborted();
    for await (const row of begin(ended)) yield row;
  } catch (error) {
    if (left.aborted) return undefined;
    signal?.throwIfAborted();
    if (closing.aborted && isLive) return undefined;
    throw error;
  }
  return undefined;
}

async function pauseFor(ms: number, ended: AbortSignal): Promise<void> {
  await abortable(new Promise<void>((resolve) => void setTimeout(resolve, ms)), ended);
}

/** Removes the changes up to a position. */
export async function trimChanges(what: string, session: Session, upTo: bigint): Promise<void> {
  requirePosition(what, "upTo", upTo);
  const tables = requireFed(what, session);
  await session.queue.settle();
  const { last } = await positions(what, session, tables);
  if (upTo < 0n || upTo > last) {
    throw new RangeError(`${what}: upTo is ${upTo}, not a position from 0 to ${last}`);
  }
  // To do it twice is to do it once.
  await session.reconnector.until(what, async () => {
    const { client, release } = await session.lease(what);
    let isClean = false;
    try {
      await inTransaction(client, tables.trim(upTo));
      isClean = true;
    } finally {
      release(isClean);
    }
  });
}

async function positions(
  what: string,
  session: Session,
  tables: FedTables,
): Promise<{ last: bigint; trimmed: bigint }> {
  const { rows } = await session.readRange(what, [tables.position()], 0);
  const [last, trimmed] = rows[0] as [string, string];
  return { last: BigInt(last), trimmed: BigInt(trimmed) };
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
