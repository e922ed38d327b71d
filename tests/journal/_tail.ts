/** What both sides of `tail_process_test.ts` share. */

import { assertEquals } from "@std/assert";
import type { JournalReader } from "../../journal/mod.ts";
import { payloadOf } from "./_journals.ts";

/** Returns the payload of the record with a number: 4 to 103 bytes that begin with it. */
export function numbered(number: number): Uint8Array {
  const payload = payloadOf(number, 4 + number * 31 % 100);
  new DataView(payload.buffer).setUint32(0, number, true);
  return payload;
}

/** Reads records 0, 1, 2, … until there were `count`, and fails at any other.
 *
 * @param tell Called with the cursor now and then.
 * @returns The cursor at the end.
 */
export async function follow(
  reader: JournalReader,
  count: number,
  tell: (cursor: bigint) => void,
): Promise<bigint> {
  let cursor = 0n;
  for (let number = 0; number < count;) {
    const record = await reader.read(cursor);
    if (record === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    assertEquals(record.payload, numbered(number));
    cursor = record.next;
    number++;
    if (number % 50 === 0) tell(cursor);
  }
  return cursor;
}
