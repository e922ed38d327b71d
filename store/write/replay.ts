/** Replay: what opening a store does with the end of its journal.
 *
 * @module
 */

import { REPAIR } from "../../codec/_advice.ts";
import { StoreError } from "../../codec/error.ts";
import type { Router } from "../../codec/route.ts";
import { fileError } from "../../codec/_file_error.ts";
import { findSegment } from "../../journal/segment.ts";
import { SegmentReader } from "../../journal/segment_reader.ts";
import type { Applier } from "./applier.ts";
import type { Cursors } from "../feed/cursors.ts";
import type { Parts } from "../directory/lifecycle.ts";
import { isTurnOver, nextTurn } from "../../runtime/turn.ts";
import { hashKey } from "../memtable/key_hash.ts";
import type { MemtableStack } from "../memtable/memtable_stack.ts";
import { decodeWrites } from "../payload.ts";

/** Once the memtables hold this many times their limit, the replay waits for the engines. Only a burst that nobody
 * awaited leaves more in the journal alone. */
const BYTES_BEFORE_WAITING = 8;

/** Brings the writes that an engine lacks from the journal into the memtables, which are applied in the
 * background as those of later writes are.
 *
 * @returns The records that were replayed.
 * @throws {StoreError} `CORRUPT` where a record is damaged; `IO`; what an engine throws.
 */
export async function replay(
  { journal, engines, router }: Parts,
  memtables: MemtableStack,
  cursors: Cursors,
  applier: Applier,
  memtableBytes: number,
): Promise<number> {
  // Taken once: applying moves them on, up to what is in the memtables by then.
  const positions = { append: engines.append.position, btree: engines.btree.position };
  const { end, segments } = journal;
  let offset = positions.append < positions.btree ? positions.append : positions.btree;
  let reader: SegmentReader | undefined;
  let records = 0;
  try {
    while (offset < end) {
      const segment = segments[findSegment(segments, offset)]!;
      if (reader?.segment !== segment) {
        reader?.close();
        reader = new SegmentReader(journal.fileSystem, segment);
      }
      // Opening the journal has compared the digests already.
      const found = reader.lookup(offset, "crc32c");
      if (found.fault !== undefined) {
        throw new StoreError(
          "CORRUPT",
          `Cannot replay journal: no valid record at offset ${offset} of ${segment.path} ` +
            `(${found.fault}); ${REPAIR}`,
        );
      }
      const bytes = found.payload.slice();
      const wanted = {
        append: offset >= positions.append,
        btree: offset >= positions.btree,
      };
      load(bytes, wanted, memtables, cursors, router);
      memtables.active.bytes += Number(found.next - offset);
      records++;
      offset = found.next;
      if (memtables.active.bytes >= memtableBytes) {
        memtables.seal(offset, cursors.note());
        applier.wake();
        if (memtables.bytes >= BYTES_BEFORE_WAITING * memtableBytes) await applier.drain();
      }
      if (isTurnOver()) await nextTurn();
    }
  } catch (error) {
    throw fileError("Cannot replay journal", error);
  } finally {
    reader?.close();
  }
  return records;
}

function load(
  bytes: Uint8Array,
  wanted: Readonly<Record<"append" | "btree", boolean>>,
  memtables: MemtableStack,
  cursors: Cursors,
  router: Router,
): void {
  const isAllWanted = wanted.append && wanted.btree;
  const onCursor = (name: string, position: bigint | undefined) => {
    // The B-tree side has noted them with its own position.
    if (wanted.btree) cursors.replay(name, position);
  };
  for (const { keyStart, keyLength, valueLength } of decodeWrites(bytes, onCursor)) {
    const key = bytes.subarray(keyStart, keyStart + keyLength);
    if (!isAllWanted && !wanted[router.routeOf(key)]) continue;
    memtables.active.set(key, hashKey(key), bytes, keyStart, valueLength);
  }
  memtables.active.keep();
}
