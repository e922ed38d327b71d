/** Keys, values, tags and routes of the store: pure functions over bytes, without I/O.
 *
 * A key is `{subject}\0{TAG}:{suffix}` when it belongs to a subject and `\0{TAG}:{suffix}` when it
 * is global. Its text is UTF-8 and its tag decides which engine holds it.
 *
 * | part | bytes | meaning |
 * |---|---|---|
 * | subject | any without `00`; none for a global key | whose key it is; one scan reads them all |
 * | NUL | `00` | the end of the subject |
 * | tag | any without `3A`, then `3A` (`:`) | the kind of key, and so its engine |
 * | suffix | the rest | what is distinct within subject and tag |
 *
 * @example Building a key and finding its engine
 * ```ts
 * import { parseKey, Router, voteKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const key = voteKey("Tesla_Inc", "h1", "did:key:z6Mk");
 * assertEquals(new Router().routeOf(key), "append");
 * assertEquals(parseKey(key).subject, "Tesla_Inc");
 * ```
 *
 * @module
 */

export * from "./bytes.ts";
export * from "./error.ts";
export * from "./global_key.ts";
export * from "./limits.ts";
export * from "./parse.ts";
export * from "./prefix.ts";
export * from "./route.ts";
export * from "./scan_prefix.ts";
export * from "./subject_key.ts";
export * from "./tag.ts";
export * from "./text.ts";
export * from "./value.ts";
