import { test } from "node:test";
import { assertEquals, assertLess, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  DEFAULT_ROUTES,
  type EngineName,
  extractTag,
  type PrefixRoute,
  type Route,
  Router,
  type TagRoute,
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
    [[{ engine }], "Cannot use route at index 0: the tag is not a string"],
    [
      [{ tag: "V:", prefix: encoder.encode("a"), engine }],
      'route "a" at index 0: it has both a tag and a prefix; make two routes of it',
    ],
    [[{ prefix: "log/", engine }], "route at index 0: the prefix is not a Uint8Array"],
    [
      [{ prefix: new Uint8Array(0), engine }],
      'route "" at index 0: the prefix is empty; give all keys an engine as the default one',
    ],
    [
      [{ prefix: new Uint8Array(2601).fill(0x61), engine }],
      `route "${
        "a".repeat(80)
      }" at index 0: the prefix is 2601 bytes long, more than a key can be, ` +
      "which is 2600",
    ],
    [
      [{ prefix: encoder.encode("a\0"), engine }, { prefix: encoder.encode("a\0"), engine }],
      'route "a\\u0000" at index 1: an earlier route has this prefix',
    ],
    [
      [{ prefix: encoder.encode("a"), engine: "lsm" }],
      'route "a" at index 0: the engine is neither "append" nor "btree"',
    ],
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
  assertThrows(
    () => new Router([], "lsm" as EngineName),
    TypeError,
    "Cannot use routes: the default engine is neither",
  );
});

// One character per byte, so that bytes of any kind can be a key of a map.
function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** The definition of a route and the definition of "could live in", taken word by word. */
class Reference {
  readonly #engineOf: Map<string, EngineName>;
  readonly #endings: string[] = [];

  constructor(routes: readonly TagRoute[]) {
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

test("the longest prefix decides, before the tag does", () => {
  const router = new Router([
    ...DEFAULT_ROUTES,
    { prefix: encoder.encode("log/"), engine: "append" },
    { prefix: encoder.encode("log/index/"), engine: "btree" },
    { prefix: encoder.encode("log/\0MV:"), engine: "append" },
  ]);
  const keys: [key: string, engine: EngineName][] = [
    ["log", "btree"],
    ["log/", "append"],
    ["log/1", "append"],
    ["log/index", "append"],
    ["log/index/1", "btree"],
    ["log/index/1\0V:1", "btree"],
    ["log/1\0MV:x", "append"],
    ["lo\0V:x", "append"],
    ["lo\0MV:x", "btree"],
  ];
  for (const [key, engine] of keys) assertEquals(router.routeOf(encoder.encode(key)), engine, key);
});

test("a key without a route goes to the default engine", () => {
  const router = new Router([{ tag: "MV:", engine: "btree" }], "append");
  const all = encoder.encode("");
  assertEquals(router.routeOf(encoder.encode("user/1")), "append");
  assertEquals(router.routeOf(encoder.encode("user\0MV:1")), "btree");
  assertEquals(router.enginesForPrefix(encoder.encode("user")), ["append", "btree"]);
  assertEquals(router.enginesForPrefix(encoder.encode("user\0X")), ["append"]);
  assertEquals(new Router([], "append").enginesForRange(all), ["append"]);
});

test("prefix routes that leave no key to the default engine leave it out", () => {
  const every = Array.from({ length: 256 }, (_, byte): Route => {
    return { prefix: Uint8Array.of(byte), engine: "append" };
  });
  const router = new Router(every);
  assertEquals(router.enginesForPrefix(encoder.encode("")), ["append"]);
  assertEquals(router.enginesForRange(encoder.encode("a"), encoder.encode("b")), ["append"]);
  assertEquals(
    new Router(every.slice(1)).enginesForRange(encoder.encode("")),
    ["append", "btree"],
  );
});

test("a router keeps a copy of the prefixes, and knows another one with the same routes", () => {
  const prefix = encoder.encode("log/");
  const routes: Route[] = [{ prefix, engine: "append" }, { tag: "V:", engine: "append" }];
  const router = new Router(routes);
  const same = new Router(routes.toReversed());
  prefix[0] = 0;
  assertEquals(router.routeOf(encoder.encode("log/1")), "append");
  assertEquals(router.equals(same), true);
  assertEquals(router.equals(new Router(routes)), false);
  assertEquals(new Router(same.routes, "append").equals(same), false);
  assertEquals(router.equals(new Router(router.routes.slice(1))), false);
});

test("a router takes thousands of routes, and prefixes as long as a key", () => {
  const routes: Route[] = Array.from({ length: 20_000 }, (_, i) => ({
    prefix: encoder.encode(`tenant ${i}/`),
    engine: i % 2 === 0 ? "append" : "btree",
  }));
  const longest = new Uint8Array(2600);
  routes.push({ prefix: longest, engine: "append" });
  const start = performance.now();
  const router = new Router(routes);
  assertEquals(router.equals(new Router(routes.toReversed())), true);
  // Compared with one another they would take half a minute.
  assertLess(performance.now() - start, 3000);
  assertEquals(router.routeOf(encoder.encode("tenant 19998/")), "append");
  assertEquals(router.routeOf(longest), "append");
  assertEquals(router.routeOf(longest.subarray(1)), "btree");
});

// Bytes that routes and bounds are made of. Between two of them there is another one, so that a range never
// lies between the bytes that are tried.
const ROUTE_BYTES = [0x00, 0x3a, 0x41, 0x43, 0xff];
const KEY_BYTES = [0x00, 0x01, 0x3a, 0x3b, 0x41, 0x42, 0x43, 0x44, 0xff];
const KEY_LENGTH = 5;

/** All keys of up to so many bytes, in order. */
function allKeys(length: number): Uint8Array[] {
  if (length === 0) return [];
  const shorter = allKeys(length - 1);
  return KEY_BYTES.flatMap((byte) => [
    Uint8Array.of(byte),
    ...shorter.map((key) => Uint8Array.of(byte, ...key)),
  ]);
}

// Short enough that a key of the length that is tried can have any tag behind them, where they have no NUL.
const routeByte = fc.constantFrom(...ROUTE_BYTES);
const bound = fc.oneof(
  fc.array(routeByte, { maxLength: 2 }),
  fc.array(routeByte, { maxLength: 3 }).map((values) => [0, ...values]),
  fc.tuple(routeByte, fc.array(routeByte, { maxLength: 2 })).map((
    [first, rest],
  ) => [first, 0, ...rest]),
).map((values) => Uint8Array.from(values));
const prefixRoutes = fc.uniqueArray(
  fc.record({ prefix: bound.filter(({ length }) => length > 0), engine }),
  { maxLength: 6, selector: ({ prefix }) => latin1(prefix) },
);
const shortTag = fc.constantFrom(":", "A:", "C:");
const tagRoutes = fc.uniqueArray(fc.record({ tag: shortTag, engine }), {
  maxLength: 3,
  selector: (route) => route.tag,
});

/** The definition of a route, taken word by word. */
function engineByDefinition(
  key: string,
  tags: ReadonlyMap<string, EngineName>,
  prefixes: ReadonlyMap<string, EngineName>,
  defaultEngine: EngineName,
): EngineName {
  for (let length = key.length; length > 0; length--) {
    const found = prefixes.get(key.slice(0, length));
    if (found !== undefined) return found;
  }
  const [, tag] = /^[^\0]*\0([^:]*:)/.exec(key) ?? [];
  return (tag === undefined ? undefined : tags.get(tag)) ?? defaultEngine;
}

test("Router finds the engines of any prefix and any range, as looking at every key does", () => {
  const keys = allKeys(KEY_LENGTH);
  const texts = keys.map(latin1);
  const indexOf = (start: Uint8Array) => {
    const text = latin1(start);
    let low = 0;
    let high = texts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (texts[middle]! < text) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const bounds = fc.array(fc.tuple(bound, fc.option(bound, { nil: undefined })), {
    minLength: 20,
    maxLength: 20,
  });
  fc.assert(
    fc.property(
      tagRoutes,
      prefixRoutes,
      engine,
      bounds,
      (tags: TagRoute[], prefixes: PrefixRoute[], defaultEngine, ranges) => {
        const router = new Router([...tags, ...prefixes], defaultEngine);
        const tagMap = new Map(tags.map(({ tag, engine }) => [tag, engine]));
        const prefixMap = new Map(prefixes.map(({ prefix, engine }) => [latin1(prefix), engine]));
        const engines = texts.map((key) =>
          engineByDefinition(key, tagMap, prefixMap, defaultEngine)
        );
        const wrong = keys.findIndex((key, index) => router.routeOf(key) !== engines[index]);
        assertEquals(wrong, -1, texts[wrong]);
        const found = (from: number, to: number) =>
          (["append", "btree"] as const).filter((name) => {
            const index = engines.indexOf(name, from);
            return index >= 0 && index < to;
          });
        for (const [start, end] of ranges) {
          const to = end === undefined ? texts.length : indexOf(end);
          assertEquals(
            router.enginesForRange(start, end),
            found(indexOf(start), to),
            `from ${JSON.stringify(latin1(start))} to ${end && JSON.stringify(latin1(end))}`,
          );
          const text = latin1(start);
          const first = indexOf(start);
          const last = texts.findLastIndex((key) => key.startsWith(text));
          assertEquals(
            router.enginesForPrefix(start),
            found(first, last + 1),
            JSON.stringify(text),
          );
        }
      },
    ),
    { numRuns: 60 },
  );
});
