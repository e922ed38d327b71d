/** Reading stored bytes as text: UTF-8, and JSON in it.
 *
 * @module
 */

// Without `ignoreBOM` a text that begins with U+FEFF would come out without it.
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes bytes as UTF-8 text. Returns `undefined` for `undefined`, so that it takes the result of `get`.
 *
 * @category Keys and values
 * @throws {TypeError} The bytes are not UTF-8.
 *
 * @example
 * ```ts
 * import { HybridStore, toText } from "@hybrid/store";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await HybridStore.openTemp();
 * await store.put("greeting", "hello");
 * assertEquals(toText(await store.get("greeting")), "hello");
 * for await (const { key, value } of store.scan({ prefix: "gree" })) {
 *   assertEquals([toText(key), toText(value)], ["greeting", "hello"]);
 * }
 * ```
 */
export function toText(bytes: Uint8Array): string;
/** Returns `undefined` for `undefined`.
 *
 * @category Keys and values
 */
export function toText(bytes: Uint8Array | undefined): string | undefined;
export function toText(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : DECODER.decode(bytes);
}

/** Parses bytes as JSON. Returns `undefined` for `undefined`. The value is not checked against `T`.
 *
 * @category Keys and values
 * @throws {TypeError} The bytes are not UTF-8.
 * @throws {SyntaxError} The text is not JSON.
 *
 * @example
 * ```ts
 * import { HybridStore, toJson } from "@hybrid/store";
 * import { assertEquals } from "@std/assert";
 *
 * await using store = await HybridStore.openTemp();
 * await store.put("user/1", JSON.stringify({ name: "Ada" }));
 * assertEquals(toJson<{ name: string }>(await store.get("user/1"))?.name, "Ada");
 * ```
 */
export function toJson<T = unknown>(bytes: Uint8Array): T;
/** Returns `undefined` for `undefined`.
 *
 * @category Keys and values
 */
export function toJson<T = unknown>(bytes: Uint8Array | undefined): T | undefined;
export function toJson<T = unknown>(bytes: Uint8Array | undefined): T | undefined {
  return bytes === undefined ? undefined : JSON.parse(DECODER.decode(bytes)) as T;
}
