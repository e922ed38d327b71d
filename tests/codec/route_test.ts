import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  DEFAULT_ROUTES,
  type EngineName,
  extractTag,
  type Route,
  Router,
} from "../../codec/mod.ts";
import { argsOf, buildKey, KEY_CASES } from "./_key_cases.ts";

const encoder = new TextEncoder();

test("DEFAULT_ROUTES holds the routes of the key table and cannot be changed", () => {
  const append = ["H:", "V:", "VC:", "VW:", "E:", "SUPERSEDED:", "META:"];
  const btree = ["S:", "SP:", "MV:", "GS:", "TRUST:", "QUOTA:", "AUD:", "ESC:", "TP:"];
  assertEquals(DEFAULT_ROUTES, [
    ...append.map((tag) => ({ tag, engine: "append" as const })),
    ...btree.map((tag) => ({ tag, engine: "btree" as const })),
  ]);
  assertEquals(Object.isFrozen(DEFAULT_ROUTES), true);
  assertEquals(DEFAULT_ROUTES.every(Object.isFrozen), true);
  assertEquals(new Router().routes, DEFAULT_ROUTES);
});

test("Router.routeOf() sends a key without a known tag to the B-tree side", () => {
  const router = new Router();
  const keys = ["", "\0", "unknown:key", "V:h1", "s\0V", "s\0ZZ:x", "s\0v:x", "s\0\0V:x", "\0VV:"];
  for (const key of keys) assertEquals(router.routeOf(encoder.encode(key)), "btree", key);
});

test("Router.routeOf() looks at the first NUL and the first colon after it alone", () => {
  const router = new Router();
  const keys: [key: string, engine: EngineName][] = [
    ["S:V:\0V:x", "append"],
    ["s\0V:x\0S:y", "append"],
    ["s\0S:x\0V:y", "btree"],
    ["s\0VX:V:", "btree"],
  ];
  for (const [key, engine] of keys) assertEquals(router.routeOf(encoder.encode(key)), engine, key);
});

test("Router.enginesForPrefix() covers half tags, whichever engine their tags have", () => {
  const router = new Router();
  const prefixes: [prefix: string, engines: EngineName[]][] = [
    ["", ["append", "btree"]],
    ["Tes", ["append", "btree"]],
    ["a:b", ["append", "btree"]],
    ["Tesla\0", ["append", "btree"]],
    ["\0S", ["append", "btree"]],
    ["\0SU", ["append", "btree"]],
    ["\0E", ["append", "btree"]],
    ["Tesla\0V", ["append", "btree"]],
    ["Tesla\0VC", ["append", "btree"]],
    ["Tesla\0VC:", ["append"]],
    ["\0E:e", ["append"]],
    ["\0ES", ["btree"]],
    ["\0ESC:", ["btree"]],
    ["\0SP", ["btree"]],
    ["\0SX", ["btree"]],
    ["\0VV", ["btree"]],
    ["\0\0", ["btree"]],
  ];
  for (const [prefix, engines] of prefixes) {
    assertEquals(router.enginesForPrefix(encoder.encode(prefix)), engines, JSON.stringify(prefix));
  }
});

test("Router.enginesForPrefix() leaves out an engine that has no route", () => {
  const empty = encoder.encode("");
  assertEquals(new Router([]).enginesForPrefix(empty), ["btree"]);
  assertEquals(new Router([{ tag: "S:", engine: "btree" }]).enginesForPrefix(empty), ["btree"]);
});

test("Router.enginesForPrefix() returns frozen arrays that all answers share", () => {
  const router = new Router();
  for (const prefix of ["", "\0V:", "\0S:"]) {
    const engines = router.enginesForPrefix(encoder.encode(prefix));
    assertEquals(Object.isFrozen(engines), true);
    assertEquals(engines === new Router().enginesForPrefix(encoder.encode(prefix)), true);
  }
});

test("Router copies and freezes its routes", () => {
  const given: Route[] = [{ tag: "X:", engine: "append" }];
  const router = new Router(given);
  given[0]!.engine = "btree";
  given.push({ tag: "Y:", engine: "append" });
  assertEquals(router.routes, [{ tag: "X:", engine: "append" }]);
  assertEquals(router.routeOf(encoder.encode("\0X:")), "append");
  assertEquals(Object.isFrozen(router.routes) && router.routes.every(Object.isFrozen), true);
});

test("Router refuses routes that it cannot follow, and names them", () => {
  const engine = "append";
  const refused: [routes: unknown, message: string][] = [
    ["V:", "Cannot use routes: they are not an array"],
    [null, "Cannot use routes: they are not an array"],
    [[undefined], "Cannot use route at index 0: the tag is not a string"],
    [[{ tag: "V:", engine }, { tag: 5, engine }], "route at index 1: the tag is not a string"],
    [[{ tag: "V", engine }], 'route "V" at index 0: the tag does not end with ":"'],
    [[{ tag: "", engine }], 'route "" at index 0: the tag does not end with ":"'],
    [[{ tag: "V::", engine }], 'route "V::" at index 0: the tag contains another ":" at index 1'],
    [[{ tag: "A:V:", engine }], 'route "A:V:" at index 0: the tag contains another ":" at index 1'],
    [[{ tag: "A\0:", engine }], 'route "A\\u0000:" at index 0: the tag contains NUL at index 1'],
    [
      [{ tag: "\ud800:", engine }],
      'route "\\ud800:" at index 0: the tag contains a lone surrogate at index 0',
    ],
    [
      [{ tag: "V:", engine: "lsm" }],
      'route "V:" at index 0: the engine is neither "append" nor "btree"',
    ],
    [[{ tag: "V:" }], 'route "V:" at index 0: the engine is neither "append" nor "btree"'],
    [
      [{ tag: "V:", engine }, { tag: "V:", engine }],
      'route "V:" at index 1: an earlier route has this tag',
    ],
  ];
  for (const [routes, message] of refused) {
    assertThrows(() => new Router(routes as Route[]), TypeError, message);
  }
});

// One character per byte, so that bytes of any kind can be a key of a map.
function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** The definition of a route and the definition of "could live in", taken word by word. */
class Reference {
  readonly #engineOf: Map<string, EngineName>;
  readonly #endings: string[] = [];

  constructor(routes: readonly Route[]) {
    this.#engineOf = new Map(
      routes.map(({ tag, engine }) => [latin1(encoder.encode(tag)), engine]),
    );
    for (const tag of [...this.#engineOf.keys(), "Unknown:", ":"]) {
      const text = `\0${tag}`;
      for (let start = 0; start <= text.length; start++) this.#endings.push(text.slice(start));
    }
  }

  routeOf(key: Uint8Array): EngineName {
    return this.#engineOf.get(latin1(extractTag(key))) ?? "btree";
  }

  /** Extends the prefix with every tag and every end of a tag, whether that makes sense for this
   * prefix or not, and collects where the keys go. */
  enginesForPrefix(prefix: Uint8Array): EngineName[] {
    const found = new Set<EngineName>();
    for (const ending of this.#endings) {
      const key = new Uint8Array(prefix.length + ending.length);
      key.set(prefix);
      for (let i = 0; i < ending.length; i++) key[prefix.length + i] = ending.charCodeAt(i);
      found.add(this.routeOf(key));
    }
    return [...found].sort();
  }
}

// Two letters and one of two bytes: many tags are prefixes of one another, and many prefixes end
// inside a character.
const character = fc.constantFrom("A", "B", "é");
const tag = fc.array(character, { maxLength: 3 }).map((characters) => characters.join("") + ":");
const engine = fc.constantFrom<EngineName>("append", "btree");
const randomRoutes = fc.uniqueArray(fc.record({ tag, engine }), {
  maxLength: 12,
  selector: (route) => route.tag,
});
const someRoutes = fc.oneof(randomRoutes, fc.constant(DEFAULT_ROUTES));

const layoutByte = fc.constantFrom(0, 0x3a, 0x41, 0x42, 0x53, 0x56, 0xc3, 0xa9, 0xff);
const someBytes = fc.array(layoutByte, { maxLength: 8 }).map((values) => Uint8Array.from(values));

function assertAgree(router: Router, reference: Reference, bytes: Uint8Array): void {
  assertEquals(router.routeOf(bytes), reference.routeOf(bytes));
  assertEquals(router.enginesForPrefix(bytes), reference.enginesForPrefix(bytes));
}

test("Router follows any routes for any bytes", () => {
  fc.assert(
    fc.property(someRoutes, someBytes, (routes, bytes) => {
      assertAgree(new Router(routes), new Reference(routes), bytes);
    }),
    { numRuns: 3000 },
  );
});

test("Router follows any routes for keys of their tags, cut at each byte", () => {
  const subject = fc.constantFrom("", "A", "A:", "é");
  const suffix = fc.constantFrom("", "x", ":", "A:B", "\0A:");
  fc.assert(
    fc.property(someRoutes, subject, suffix, tag, (routes, subject, suffix, otherTag) => {
      const router = new Router(routes);
      const reference = new Reference(routes);
      for (const tag of [...routes.map((route) => route.tag), otherTag]) {
        const key = encoder.encode(`${subject}\0${tag}${suffix}`);
        for (let end = 0; end <= key.length; end++) {
          assertAgree(router, reference, key.subarray(0, end));
        }
      }
    }),
    { numRuns: 50 },
  );
});

test("Router finds every built key from each of its prefixes", () => {
  const router = new Router();
  const key = fc.constantFrom(...KEY_CASES).chain((keyCase) =>
    argsOf(keyCase).map((args) => ({ keyCase, bytes: buildKey(keyCase, args) }))
  );
  fc.assert(
    fc.property(key, ({ keyCase, bytes }) => {
      assertEquals(router.routeOf(bytes), keyCase.engine);
      for (let end = 0; end <= bytes.length; end++) {
        const engines = router.enginesForPrefix(bytes.subarray(0, end));
        assertEquals(engines.includes(keyCase.engine), true);
      }
    }),
    { numRuns: 500 },
  );
});
