/** The change feed: what was committed, read back from the journal.
 *
 * @module
 */

import { startsWith } from "../../codec/bytes.ts";
import { followPages } from "../../journal/follow.ts";
import type { JournalWriter } from "../../journal/writer.ts";
import type { KeySpace } from "../key_space.ts";
import { requirePosition, resolveChangesOptions } from "../call_options.ts";
import type { Change, ChangedKey, ChangesOptions } from "../types.ts";
import { decodeWrites } from "../payload.ts";
import { endable } from "./endable.ts";
import { type Cursors, requireBetween, requireKept, requireName } from "./cursors.ts";

/** A reader with a cursor and a prefix hears of its progress after so many bytes of the journal without a change of
 * its own: the cursor would keep them. */
const SILENT_BYTES_MAX = 1n << 20n;

/** What a feed is read from. */
export interface FeedSource {
  readonly journal: JournalWriter;
  readonly cursors: Cursors;
  /** Where the journal ends, with everything that was called before. */
  readonly position: bigint;
}

/** A checked request for changes. */
interface Request {
  readonly from: bigint;
  /** Where it ends, unless it is live. */
  readonly until: bigint | undefined;
  /** What the keys begin with in the store. */
  readonly prefix: Uint8Array;
  readonly hasCursor: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Prepares to read the changes of a store.
 *
 * @param closing Aborted when the store is closed, or the part of it that is read.
 * @throws {TypeError | RangeError} An option is not valid.
 * @throws {StoreError} `NOT_FOUND`, `CURSOR_LOST`.
 */
export function prepareChanges(
  what: string,
  source: FeedSource,
  keys: KeySpace,
  closing: AbortSignal,
  options: ChangesOptions = {},
): AsyncGenerator<Change, undefined> {
  const request = resolveRequest(what, source, keys, options);
  const ends = { closing, isLive: request.until === undefined, signal: request.signal };
  return endable(ends, (ended) => readChanges(what, source, keys, request, closing, ended));
}

async function* readChanges(
  what: string,
  { journal, cursors }: FeedSource,
  keys: KeySpace,
  { from, until, prefix, hasCursor }: Request,
  closing: AbortSignal,
  ended: AbortSignal,
): AsyncGenerator<Change, undefined> {
  const hold = cursors.hold(from, "reader");
  try {
    requireKept(`${what}: the reader`, journal, from);
    if (until !== undefined && journal.durableEnd < until) await journal.sync();
    let shown = from;
    const pages = followPages(journal, {
      from,
      signal: ended,
      verify: "crc32c",
      ...(until !== undefined && { until }),
    });
    for await (const page of pages) {
      for (const { payload, next: position } of page) {
        ended.throwIfAborted();
        // Not the end of the page: the consumer may go on from any change that it has got.
        hold.position = position;
        const writes = writesOf(payload, prefix, keys);
        const isSilent = writes.length === 0 &&
          !(hasCursor && position - shown >= SILENT_BYTES_MAX);
        if (isSilent) continue;
        shown = position;
        yield { position, writes };
      }
    }
  } catch (error) {
    // What was to be read next has been removed.
    if (error instanceof RangeError) requireKept(`${what}: the reader`, journal, hold.position);
    throw error;
  } finally {
    hold.release();
  }
  if (closing.aborted && until !== undefined) closing.throwIfAborted();
  return undefined;
}

/** Returns the writes of a record whose keys begin with a prefix, as copies. */
function writesOf(payload: Uint8Array, prefix: Uint8Array, keys: KeySpace): ChangedKey[] {
  const writes: ChangedKey[] = [];
  for (const { keyStart, keyLength, valueLength } of decodeWrites(payload)) {
    const keyEnd = keyStart + keyLength;
    if (prefix.length > 0 && !startsWith(payload.subarray(keyStart, keyEnd), prefix)) continue;
    writes.push({
      key: payload.slice(keyStart + keys.prefix.length, keyEnd),
      value: valueLength < 0 ? undefined : payload.slice(keyEnd, keyEnd + valueLength),
    });
  }
  return writes;
}

function resolveRequest(
  what: string,
  source: FeedSource,
  keys: KeySpace,
  options: ChangesOptions,
): Request {
  const names = ["after", "cursor", "prefix", "live", "signal"] as const;
  const { after, isLive, prefix, signal } = resolveChangesOptions(what, keys, options, names);
  const { cursor } = options;
  if (after !== undefined && cursor !== undefined) {
    throw new TypeError(`${what}: after and cursor both say where to begin; give one of them`);
  }
  return {
    from: startOf(what, source, after, cursor),
    until: isLive ? undefined : source.position,
    prefix,
    hasCursor: cursor !== undefined,
    signal,
  };
}

function startOf(
  what: string,
  source: FeedSource,
  after: bigint | undefined,
  cursor: string | undefined,
): bigint {
  if (cursor !== undefined) {
    requireName(what, cursor);
    return source.cursors.require(what, source.journal, cursor);
  }
  if (after === undefined) return source.position;
  return requirePast(what, source, after);
}

/** Checks that a position is one that the journal has come to, and still reaches back to.
 *
 * @throws {TypeError | RangeError} It is not one.
 * @throws {StoreError} `CURSOR_LOST`, `IO`.
 */
export function requirePast(what: string, source: FeedSource, after: bigint): bigint {
  requirePosition(what, "after", after);
  const { position } = source;
  if (after < 0n || after > position) {
    throw new RangeError(`${what}: after is ${after}, not a position from 0 to ${position}`);
  }
  requireKept(`${what}: after`, source.journal, after);
  requireBetween(`${what}: after`, source.journal, after);
  return after;
}
