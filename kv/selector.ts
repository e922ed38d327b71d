/** Which entries a selector stands for, and where a listing goes on.
 *
 * @module
 */

import { compareBytes, startsWith } from "../codec/bytes.ts";
import { encodeKey, requireBound } from "./key.ts";
import { ENTRY } from "./layout.ts";
import type { KvListSelector } from "./types.ts";

/** The keys that a selector stands for. */
export interface Selection {
  /** The first one, or above which they are. */
  readonly start: Uint8Array;
  /** Below which they are. */
  readonly end: Uint8Array;
  /** How many bytes all of them begin with in common, which cursors leave out. */
  readonly common: number;
}

/** Returns the keys of a selector.
 *
 * @throws {TypeError} It is not valid, in Deno's words.
 */
export function resolveSelector(selector: KvListSelector): Selection {
  const selection = resolve(selector);
  requireBound(selection.start);
  requireBound(selection.end);
  return selection;
}

function resolve(selector: KvListSelector): Selection {
  const { prefix, start, end } = Object(selector) as Partial<Record<string, readonly string[]>>;
  if (prefix === undefined) {
    if (start === undefined || end === undefined) {
      throw new TypeError("Selector must specify either 'prefix' or both 'start' and 'end' key");
    }
    const [first, last] = [encodeKey(ENTRY, start), encodeKey(ENTRY, end)];
    if (compareBytes(first, last) > 0) throw new TypeError("Start key is greater than end key");
    let common = 0;
    while (common < first.length && first[common] === last[common]) common++;
    return { start: first, end: last, common };
  }
  if (start !== undefined && end !== undefined) {
    throw new TypeError(
      "Selector can not specify both 'start' and 'end' key when specifying 'prefix'",
    );
  }
  const below = encodeKey(ENTRY, prefix);
  return {
    start: start === undefined ? followed(below, 0x00) : within("Start", below, start),
    end: end === undefined ? followed(below, 0xff) : within("End", below, end),
    common: below.length,
  };
}

function within(name: string, prefix: Uint8Array, key: readonly string[]): Uint8Array {
  const bytes = encodeKey(ENTRY, key);
  if (bytes.length > prefix.length && startsWith(bytes, prefix)) return bytes;
  throw new TypeError(`${name} key is not in the keyspace defined by prefix`);
}

function followed(bytes: Uint8Array, byte: number): Uint8Array {
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  longer[bytes.length] = byte;
  return longer;
}

/** Returns the cursor behind a key: what tells it from the others of the selection, in base64 for URLs. */
export function cursorOf({ common }: Selection, key: Uint8Array): string {
  const text = Array.from(key.subarray(common), (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_");
}

/** Returns the keys of a selection that are behind a cursor.
 *
 * @throws {TypeError} It is not a cursor of such a selection.
 */
export function behindCursor(selection: Selection, cursor: string, reverse: boolean): Selection {
  if (cursor === "") return selection;
  const { start, end, common } = selection;
  const rest = fromBase64(cursor);
  const key = new Uint8Array(common + rest.length);
  key.set(start.subarray(0, common));
  key.set(rest, common);
  const following = followed(key, 0x00);
  const [first, last] = reverse ? [start, key] : [following, end];
  if (compareBytes(first, start) < 0 || compareBytes(last, end) > 0) {
    throw new TypeError("cursor out of bounds");
  }
  return { start: first, end: last, common };
}

function fromBase64(cursor: string): Uint8Array {
  try {
    if (!/^[\w=-]*$/.test(cursor)) throw new TypeError();
    const text = atob(cursor.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  } catch {
    throw new TypeError("invalid cursor");
  }
}
