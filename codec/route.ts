/** From a key or a prefix to the engines that can have it.
 *
 * @module
 */

import type { EngineName, Route } from "./_route.ts";
import { findTextFault } from "./_text.ts";
import { TagTrie } from "./_tag_trie.ts";

export type { EngineName, Route } from "./_route.ts";

/** Holds the routes of the keys that this module builds: keys that arrive in streams (assertions,
 * votes, epochs, counters) go to the append side, keys that are looked up again and again (indexes,
 * views, ranks, quotas) to the B-tree side. The list is frozen, and so is each route in it.
 *
 * @category Routes
 * @example Adding a route
 * ```ts
 * import { DEFAULT_ROUTES, Router } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const router = new Router([...DEFAULT_ROUTES, { tag: "LOG:", engine: "append" }]);
 * assertEquals(router.routeOf(new TextEncoder().encode("\0LOG:1")), "append");
 * ```
 */
export const DEFAULT_ROUTES: readonly Route[] = Object.freeze([
  route("H:", "append"),
  route("V:", "append"),
  route("VC:", "append"),
  route("VW:", "append"),
  route("E:", "append"),
  route("SUPERSEDED:", "append"),
  route("META:", "append"),
  route("S:", "btree"),
  route("SP:", "btree"),
  route("MV:", "btree"),
  route("GS:", "btree"),
  route("TRUST:", "btree"),
  route("QUOTA:", "btree"),
  route("AUD:", "btree"),
  route("ESC:", "btree"),
  route("TP:", "btree"),
]);

/** Decides which engine holds a key, and which engines a scan has to look in, by the tags of its
 * routes. Both answers cost O(bytes looked at), 20 to 30 ns for a short key, and allocate nothing.
 *
 * A key whose tag has no route, or that has no tag at all, belongs to the B-tree side.
 *
 * @category Routes
 * @example
 * ```ts
 * import { Router, subjectScanPrefix, tagScanPrefix, voteKey } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const router = new Router();
 * assertEquals(router.routeOf(voteKey("Tesla_Inc", "h1", "did:key:z6Mk")), "append");
 * assertEquals(router.enginesForPrefix(subjectScanPrefix("Tesla_Inc")), ["append", "btree"]);
 * assertEquals(router.enginesForPrefix(tagScanPrefix("MV", "Tesla_Inc")), ["btree"]);
 * ```
 */
export class Router {
  /** The routes in the order given, copied and frozen. */
  readonly routes: readonly Route[];
  readonly #tags = new TagTrie();

  /** Creates a router. Costs O(all bytes of the tags).
   *
   * @param routes The routes; no two with the same tag. An empty list sends every key to the B-tree
   * side. Later changes to the list or to a route in it have no effect.
   * @throws {TypeError} When `routes` is not an array, a tag is not a string, does not end with
   * `:`, contains another `:`, NUL or a lone surrogate, or comes twice, or an engine is unknown.
   * The message names the route.
   */
  constructor(routes: readonly Route[] = DEFAULT_ROUTES) {
    if (!Array.isArray(routes)) throw new TypeError("Cannot use routes: they are not an array");
    const seen = new Set<string>();
    this.routes = Object.freeze(Array.from(routes, (given, index) => {
      const checked = copyRoute(given, index);
      if (seen.has(checked.tag)) refuseRoute(checked.tag, index, "an earlier route has this tag");
      seen.add(checked.tag);
      this.#tags.add(checked);
      return checked;
    }));
  }

  /** Returns the engine that holds a key.
   *
   * @param key Any bytes, of this module's layout or not.
   * @returns The engine of the key's tag; `"btree"` where no route has that tag, or there is none.
   *
   * @example
   * ```ts
   * import { mvKey, Router } from "@hybrid/store/codec";
   * import { assertEquals } from "@std/assert";
   *
   * const router = new Router();
   * assertEquals(router.routeOf(mvKey("Tesla_Inc", "revenue")), "btree");
   * assertEquals(router.routeOf(new TextEncoder().encode("unknown:key")), "btree");
   * ```
   */
  routeOf(key: Uint8Array): EngineName {
    return this.#tags.find(key).engine;
  }

  /** Returns the engines that a scan of a prefix has to look in: exactly those in which some key
   * with the prefix could live, the limit on the length of keys left aside. Half a tag fits
   * several: `\0S` covers `S:` and `SP:` (B-tree side) and `SUPERSEDED:` (append side).
   *
   * @param prefix Any bytes; empty for all keys.
   * @returns One or two engines, `"append"` before `"btree"`, in a frozen array shared by all
   * answers.
   *
   * @example
   * ```ts
   * import { Router } from "@hybrid/store/codec";
   * import { assertEquals } from "@std/assert";
   *
   * const router = new Router();
   * const bytes = (text: string) => new TextEncoder().encode(text);
   * assertEquals(router.enginesForPrefix(bytes("Tes")), ["append", "btree"]);
   * assertEquals(router.enginesForPrefix(bytes("\0SU")), ["append", "btree"]);
   * assertEquals(router.enginesForPrefix(bytes("\0SUPERSEDED:")), ["append"]);
   * assertEquals(router.enginesForPrefix(bytes("\0SX")), ["btree"]);
   * ```
   */
  enginesForPrefix(prefix: Uint8Array): readonly EngineName[] {
    return this.#tags.find(prefix).engines;
  }
}

function route(tag: string, engine: EngineName): Route {
  return Object.freeze({ tag, engine });
}

function copyRoute(given: Route, index: number): Route {
  // Read once: a getter could answer differently after the check.
  const tag: unknown = given?.tag;
  const engine: unknown = given?.engine;
  const fault = findTextFault(tag);
  if (fault !== undefined) refuseRoute(tag, index, `the tag ${fault}`);
  const text = tag as string;
  const colon = text.indexOf(":");
  if (!text.endsWith(":")) refuseRoute(tag, index, 'the tag does not end with ":"');
  if (colon !== text.length - 1) {
    refuseRoute(tag, index, `the tag contains another ":" at index ${colon}`);
  }
  if (engine !== "append" && engine !== "btree") {
    refuseRoute(tag, index, 'the engine is neither "append" nor "btree"');
  }
  return route(text, engine);
}

function refuseRoute(tag: unknown, index: number, reason: string): never {
  // JSON shows a NUL and a lone surrogate as escapes, which a terminal would swallow.
  const name = typeof tag === "string"
    ? `${JSON.stringify(tag)} at index ${index}`
    : `at index ${index}`;
  throw new TypeError(`Cannot use route ${name}: ${reason}`);
}
