/** A workload that shows after the fact what of it is there. */

import { assert, assertEquals } from "@std/assert";
import type { Engine, Write } from "../../backends/mod.ts";
import { numberedKey, put, rangeOf } from "../conformance/_kit.ts";

const KEYS = 9000;
const VALUE_BYTES = 60;

/** Returns the writes of one batch: it overwrites every key with its number, and adds a key. */
export function stampedWrites(batch: number): Write[] {
  const writes = Array.from({ length: KEYS }, (_, i) => put(numberedKey(i), stamp(batch)));
  return [...writes, put(numberedKey(KEYS + batch), stamp(batch))];
}

/** Checks that everything up to an engine's position is there, and nothing from behind the batch that
 * may have been under way.
 */
export function assertStamps(engine: Engine): void {
  const position = Number(engine.position);
  if (position === 0) return;
  const entries = engine.range(rangeOf(), Infinity);
  const added = entries.length - KEYS;
  assert(added === position || added === position + 1, `${added} batches at ${position}`);
  for (const [i, { key, value }] of entries.entries()) {
    // The first added key is that of batch 1.
    assertEquals(key, numberedKey(i < KEYS ? i : i + 1));
    assertEquals(value.length, VALUE_BYTES);
    const batch = new DataView(value.buffer, value.byteOffset).getUint32(0, true);
    if (i < KEYS) assert(batch === position || batch === position + 1, `${batch} at ${position}`);
    else assertEquals(batch, i + 1 - KEYS);
    assert(value.every((byte, at) => byte === value[at % 4]));
  }
}

function stamp(batch: number): Uint8Array {
  const value = new Uint8Array(VALUE_BYTES);
  const view = new DataView(value.buffer);
  for (let at = 0; at < VALUE_BYTES; at += 4) view.setUint32(at, batch, true);
  return value;
}
