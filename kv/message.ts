/** Messages of the queue: their keys and their bytes.
 *
 * A key is `04`, the time from which the message may be delivered (milliseconds, u64), the first 8 bytes of the
 * versionstamp of its commit, and which one of the commit it is (u32): in the order of the keys, messages are due.
 * A message has a CRC32C of what follows, and a list in MessagePack: the pauses before further attempts, the keys
 * that are set where none succeeds, and the value as an entry without versionstamp (see `value.ts`). Numbers are
 * big-endian.
 *
 * @module
 */

import { Packr } from "msgpackr";
import { StoreError } from "../codec/error.ts";
import { describe } from "../store/limits.ts";
import { behindCrc, withCrc } from "./_checked.ts";
import { encodeWrittenKey } from "./key.ts";
import { ENTRY, MESSAGE, u64From } from "./layout.ts";
import type { KvEnqueueOptions } from "./types.ts";
import { encodeEntry } from "./value.ts";

const PACKER = new Packr({ useRecords: false, copyBuffers: true });

const DELAY_MS_MAX = 30 * 24 * 60 * 60 * 1000;
const PAUSES_MAX = 5;
const PAUSE_MS_MAX = 60 * 60 * 1000;
/** What Deno KV has where the caller says nothing. */
const PAUSES_MS = [100, 1000, 5000, 30_000, 60_000];

/** What there is to know about a message besides when it is due. */
export interface Message {
  /** The pauses before the further attempts, in milliseconds. */
  readonly pauses: readonly number[];
  /** The keys that are set to its value where no attempt succeeds, their first byte included. */
  readonly keys: readonly Uint8Array[];
  /** Its value, as an entry that is not sealed. */
  readonly entry: Uint8Array;
}

/** A message that is to be added to the queue. */
export interface NewMessage {
  readonly delay: number;
  readonly bytes: Uint8Array;
}

/** Returns a message that is not in the queue yet. Its value is copied.
 *
 * @throws {TypeError} An argument is not valid, in Deno's words where it has any.
 */
export function newMessage(
  value: unknown,
  { delay, keysIfUndelivered, backoffSchedule }: KvEnqueueOptions,
): NewMessage {
  requireDelay(delay);
  requirePauses(backoffSchedule);
  if (keysIfUndelivered !== undefined && !Array.isArray(keysIfUndelivered)) {
    throw new TypeError(
      `keysIfUndelivered must be a list of keys: received ${describe(keysIfUndelivered)}`,
    );
  }
  const keys = (keysIfUndelivered ?? []).map((key) => encodeWrittenKey(ENTRY, key));
  const pauses = backoffSchedule ?? PAUSES_MS;
  return { delay: delay ?? 0, bytes: encodeMessage({ pauses, keys, entry: encodeEntry(value) }) };
}

/** Returns the bytes of a message. */
export function encodeMessage({ pauses, keys, entry }: Message): Uint8Array {
  return withCrc(PACKER.pack([pauses, keys, entry]));
}

/** Returns the message that some bytes are.
 *
 * @throws {StoreError} `CORRUPT`.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const body = behindCrc(bytes);
  if (body === undefined) {
    throw new StoreError(
      "CORRUPT",
      "Cannot read message: its bytes are not what was written; restore a backup",
    );
  }
  const [pauses, keys, entry] = PACKER.unpack(body) as [number[], Uint8Array[], Uint8Array];
  return { pauses, keys, entry };
}

/** Returns the key of a message.
 *
 * @param due When it may be delivered, in milliseconds.
 * @param index Which one of its commit it is.
 */
export function messageKey(due: number, stamp: bigint, index: number): Uint8Array {
  const key = new Uint8Array(21);
  const view = new DataView(key.buffer);
  key[0] = MESSAGE;
  view.setBigUint64(1, BigInt(Math.floor(due)));
  view.setBigUint64(9, stamp);
  view.setUint32(17, index);
  return key;
}

/** Returns when a message is due, in milliseconds. */
export function dueOf(key: Uint8Array): number {
  return Number(u64From(key, 1));
}

/** Returns the key of a message that is due at another time. */
export function postponedKey(key: Uint8Array, due: number): Uint8Array {
  const other = key.slice();
  new DataView(other.buffer).setBigUint64(1, BigInt(Math.floor(due)));
  return other;
}

function requireDelay(delay: number | undefined): void {
  if (delay === undefined) return;
  if (typeof delay !== "number") {
    throw new TypeError(`Delay must be a number: received ${describe(delay)}`);
  }
  if (delay < 0) throw new TypeError(`Delay must be >= 0: received ${delay}`);
  if (delay > DELAY_MS_MAX) {
    throw new TypeError(`Delay cannot be greater than 30 days: received ${delay}`);
  }
  if (Number.isNaN(delay)) throw new TypeError("Delay cannot be NaN");
}

function requirePauses(pauses: readonly number[] | undefined): void {
  if (pauses === undefined) return;
  if (!Array.isArray(pauses)) {
    throw new TypeError(`backoffSchedule must be a list of numbers: received ${describe(pauses)}`);
  }
  if (pauses.length > PAUSES_MAX) {
    throw new TypeError(`Invalid backoffSchedule, max ${PAUSES_MAX} intervals allowed`);
  }
  for (const [index, pause] of pauses.entries()) {
    if (typeof pause === "number" && pause >= 0 && pause <= PAUSE_MS_MAX) continue;
    throw new TypeError(`Invalid backoffSchedule, interval at index ${index} is invalid`);
  }
}
