/** From a key, a prefix or a range to the engines that can have it.
 *
 * @module
 */

import type { EngineName, PrefixRoute, Route, TagRoute } from "./_route.ts";
import { enginesOf, RouteStates } from "./_route_states.ts";
import { findTextFault } from "./_text.ts";
import { MAX_KEY_BYTES } from "./limits.ts";

export type { EngineName, PrefixRoute, Route, TagRoute } from "./_route.ts";

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
export const DEFAULT_ROUTES: readonly TagRoute[] = Object.freeze([
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

/** Decides which engine holds a key, and which engines a scan has to look in. The answers cost O(bytes
 * looked at), 20 to 30 ns for a short key, and allocate nothing.
 *
 * The longest prefix among the routes that the key begins with decides. Where there is none, the key's tag
 * does; where no route has that tag, or the key has none, it belongs to the default engine.
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
 * @example Keys without tags
 * ```ts
 * import { Router } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = (text: string) => new TextEncoder().encode(text);
 * const router = new Router([{ prefix: bytes("log/"), engine: "append" }]);
 * assertEquals(router.routeOf(bytes("log/2026-12-01")), "append");
 * assertEquals(router.routeOf(bytes("user/1")), "btree");
 * assertEquals(router.enginesForRange(bytes("log/2026"), bytes("log/2027")), ["append"]);
 * ```
 */
export class Router {
  /** The routes in the order given, copied and frozen. */
  readonly routes: readonly Route[];
  /** The engine of keys that no route is for. */
  readonly defaultEngine: EngineName;
  readonly #states: RouteStates;

  /** Creates a router. Costs O(all bytes of the tags and prefixes).
   *
   * @param routes The routes; no two with the same tag or the same prefix. Later changes to the list or to
   * a route in it have no effect.
   * @param defaultEngine The engine of keys that no route is for.
   * @throws {TypeError} When `routes` is not an array; a route has neither a tag nor a prefix, or both; a
   * tag is not a string, does not end with `:`, or contains another `:`, NUL or a lone surrogate; a prefix is
   * not a `Uint8Array`, is empty or is longer than a key; a tag or a prefix comes twice; or an engine is unknown. The message names
   * the route.
   */
  constructor(
    routes: readonly Route[] = DEFAULT_ROUTES,
    defaultEngine: EngineName = "btree",
  ) {
    if (!Array.isArray(routes)) throw new TypeError("Cannot use routes: they are not an array");
    if (!isEngine(defaultEngine)) {
      throw new TypeError('Cannot use routes: the default engine is neither "append" nor "btree"');
    }
    const copies = Array.from(routes, copyRoute);
    const tags = copies.filter((route): route is TagRoute => "tag" in route);
    const prefixes = copies.filter((route): route is PrefixRoute => "prefix" in route);
    const names = new Set<string>();
    copies.forEach((route, index) => {
      const name = nameOf(route);
      if (names.has(name)) refuseRoute(route, index, `an earlier route has this ${kindOf(route)}`);
      names.add(name);
    });
    this.routes = Object.freeze(copies);
    this.defaultEngine = defaultEngine;
    this.#states = new RouteStates(tags, prefixes, defaultEngine);
  }

  /** Returns the engine that holds a key.
   *
   * @param key Any bytes, of this module's layout or not.
   * @returns The engine of the longest prefix that the key begins with; else that of the key's tag; else the
   * default engine.
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
    return this.#states.find(key).engine;
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
    return enginesOf(this.#states.find(prefix));
  }

  /** Returns the engines that a scan of a range has to look in: exactly those in which some key of the
   * range could live, the limit on the length of keys left aside.
   *
   * @param start The first key that may be in the range; empty for no bound.
   * @param end The first key behind it; left out for no bound.
   * @returns The engines, as `enginesForPrefix` does; none where no key is in the range.
   *
   * @example
   * ```ts
   * import { Router } from "@hybrid/store/codec";
   * import { assertEquals } from "@std/assert";
   *
   * const router = new Router();
   * const bytes = (text: string) => new TextEncoder().encode(text);
   * assertEquals(router.enginesForRange(bytes("\0ESC:"), bytes("\0META:")), ["append", "btree"]);
   * assertEquals(router.enginesForRange(bytes("\0H:"), bytes("\0H:9")), ["append"]);
   * ```
   */
  enginesForRange(start: Uint8Array, end?: Uint8Array): readonly EngineName[] {
    return this.#states.enginesBetween(start, end);
  }

  /** Returns whether another router has the same routes, in any order, and the same default engine. */
  equals(other: Router): boolean {
    if (this.defaultEngine !== other.defaultEngine) return false;
    if (this.routes.length !== other.routes.length) return false;
    const engines = new Map(other.routes.map((route) => [nameOf(route), route.engine]));
    return this.routes.every((route) => engines.get(nameOf(route)) === route.engine);
  }
}

function route(tag: string, engine: EngineName): TagRoute {
  return Object.freeze({ tag, engine });
}

function isEngine(engine: unknown): engine is EngineName {
  return engine === "append" || engine === "btree";
}

function kindOf(route: Route): "tag" | "prefix" {
  return "tag" in route ? "tag" : "prefix";
}

/** Returns what no two routes have in common. There may be thousands of them, so that they are found by it. */
function nameOf(route: Route): string {
  return "tag" in route ? `tag ${route.tag}` : `prefix ${route.prefix.join()}`;
}

function copyRoute(given: Route, index: number): Route {
  // Read once: a getter could answer differently after the check.
  const { tag, prefix, engine } = (given ?? {}) as {
    tag?: unknown;
    prefix?: unknown;
    engine?: unknown;
  };
  const named = { tag, prefix };
  if (prefix !== undefined && tag !== undefined) {
    refuseRoute(named, index, "it has both a tag and a prefix; make two routes of it");
  }
  const fault = prefix === undefined ? findTagFault(tag) : findPrefixFault(prefix);
  if (fault !== undefined) refuseRoute(named, index, fault);
  if (!isEngine(engine)) {
    refuseRoute(named, index, 'the engine is neither "append" nor "btree"');
  }
  if (prefix === undefined) return route(tag as string, engine);
  return Object.freeze({ prefix: new Uint8Array(prefix as Uint8Array), engine });
}

function findTagFault(tag: unknown): string | undefined {
  const fault = findTextFault(tag);
  if (fault !== undefined) return `the tag ${fault}`;
  const text = tag as string;
  const colon = text.indexOf(":");
  if (!text.endsWith(":")) return 'the tag does not end with ":"';
  if (colon !== text.length - 1) return `the tag contains another ":" at index ${colon}`;
  return undefined;
}

function findPrefixFault(prefix: unknown): string | undefined {
  if (!(prefix instanceof Uint8Array)) return "the prefix is not a Uint8Array";
  if (prefix.length === 0) return "the prefix is empty; give all keys an engine as the default one";
  if (prefix.length > MAX_KEY_BYTES) {
    return `the prefix is ${prefix.length} bytes long, more than a key can be, which is ${MAX_KEY_BYTES}`;
  }
  return undefined;
}

function refuseRoute(
  { tag, prefix }: { tag?: unknown; prefix?: unknown },
  index: number,
  reason: string,
): never {
  const named = prefix instanceof Uint8Array
    ? new TextDecoder().decode(prefix.subarray(0, 80))
    : tag;
  // JSON shows a NUL and a lone surrogate as escapes, which a terminal would swallow.
  const name = typeof named === "string"
    ? `${JSON.stringify(named)} at index ${index}`
    : `at index ${index}`;
  throw new TypeError(`Cannot use route ${name}: ${reason}`);
}
