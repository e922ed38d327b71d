/** Values of every kind that a structured clone keeps, the same in each runtime.
 *
 * @module
 */

/** Returns them, by names. */
export function values(): Record<string, unknown> {
  const cycle: Record<string, unknown> = { list: [] };
  cycle.self = cycle;
  (cycle.list as unknown[]).push(cycle, cycle.list);
  const shared = { n: 1 };
  const map = new Map<unknown, unknown>([["a", 1], [{ k: 1 }, new Map()]]);
  map.set(map, map);
  const set = new Set<unknown>([1, "a", shared]);
  set.add(set);
  const error = new RangeError("too far", { cause: { at: new Date(5), shared } });
  const holes = [1, , undefined, 4];
  const named = Object.assign([1, 2], { name: "x", [-1]: 2 });
  const buffer = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer;
  const bytes = new Uint8Array(buffer);
  return {
    undefined: undefined,
    null: null,
    booleans: [true, false],
    numbers: [0, -0, 1, -1, 31, 32, 63, 64, 127, 128, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32 - 1]
      .concat([2 ** 32, 2 ** 53, -32, -33, -128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1])
      .concat([0.1, -1.5, 1e300, 5e-324, NaN, Infinity, -Infinity]),
    "number -0": -0,
    "number NaN": NaN,
    texts: ["", "a", "é", "日本", "🦕", "\0", "\ufeff", "\ufeffabc", "x\ud800", "\udc00y"],
    "long texts": [15, 16, 31, 32, 63, 64, 65, 255, 256, 65535, 65536, 100_000].flatMap((
      length,
    ) => [
      "x".repeat(length),
      "é".repeat(length),
      "🦕".repeat(length),
      "\ufeff".repeat(length),
      "a".repeat(length - 1) + "\udfff",
    ]),
    bigints: [0n, 1n, -1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n, -(2n ** 63n)]
      .concat([-(2n ** 63n) - 1n, 2n ** 1000n, -(2n ** 1000n), 10n ** 300n]),
    dates: [new Date(0), new Date(-1), new Date(1e12 + 1), new Date(8.64e15), new Date(NaN)],
    regexps: [/a/, /\u{1F995}/giu, new RegExp("\ufeff")],
    map,
    set,
    error,
    errors: [new Error(), new TypeError("t"), new SyntaxError("s", { cause: undefined })],
    boxed: [Object(1), Object("s"), Object(false), Object(2n ** 70n)],
    object: { a: 1, b: { c: [1, { d: null, e: undefined }] }, 10: "x", 9: "y" },
    "special keys": JSON.parse('{"":1,"__proto__":{"x":1},"constructor":2,"toJSON":3}'),
    "lone key": { "\ud800": 1, "\ufeffb": 2 },
    "many keys": Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i])),
    array: Array.from({ length: 70_000 }, (_, i) => i % 300),
    holes,
    "hole and property": Object.assign([1, , 3], { p: 1 }),
    "empty places": new Array(1000),
    named,
    cycle,
    shared: [shared, shared, { shared }],
    buffer,
    "buffer and views": {
      buffer,
      bytes,
      words: new Uint16Array(buffer),
      view: new DataView(buffer),
    },
    "views before buffer": { bytes, words: new Uint16Array(buffer), buffer },
    views: [
      new Int8Array([-1]),
      new Uint8Array([1, 2]),
      new Uint8Array(0),
      new Uint8ClampedArray([255]),
      new Int16Array([-2]),
      new Uint16Array([1]),
      new Int32Array([-3]),
      new Uint32Array([1]),
      new Float32Array([1.5]),
      new Float64Array([NaN, -0]),
      new BigInt64Array([-1n]),
      new BigUint64Array([1n]),
      new DataView(new ArrayBuffer(3)),
    ],
    "long bytes": { bytes: new Uint8Array(100_000).fill(7) },
    bytes: new Uint8Array([0, 255]),
  };
}

/** Returns a text that tells one value from another, with types, references and holes. */
export function show(value: unknown): string {
  const seen = new Map<object, number>();
  const of = (value: unknown): string => {
    if (Object.is(value, -0)) return "-0";
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value === "string") {
      return JSON.stringify(
        value.length > 60 ? [value.slice(0, 9), value.length, hash(value)] : value,
      );
    }
    if (typeof value !== "object" || value === null) return String(value);
    if (seen.has(value)) return `#${seen.get(value)}`;
    seen.set(value, seen.size);
    const name = Object.prototype.toString.call(value).slice(8, -1);
    const properties = ArrayBuffer.isView(value) || name === "String"
      ? []
      : Object.entries(value).map(([key, of_]) => `${JSON.stringify(key)}: ${of(of_)}`);
    return `${name}(${inner(value, of)}){${properties.join(", ")}}`;
  };
  return of(value);
}

function inner(value: object, of: (value: unknown) => string): string {
  if (Array.isArray(value)) return String(value.length);
  if (value instanceof Date) return String(value.getTime());
  if (value instanceof Map) return [...value].map(([k, v]) => `${of(k)} => ${of(v)}`).join();
  if (value instanceof Set) return [...value].map(of).join();
  if (value instanceof RegExp) return String(value);
  if (value instanceof ArrayBuffer) return hash(new Uint8Array(value).join());
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return `${hash(bytes.join())} ${of(value.buffer)}`;
  }
  if (value instanceof Error) {
    const has = ["message", "stack", "cause"].filter((key) => Object.hasOwn(value, key));
    return `${value.name} ${has} ${of(value.message)} ${of(value.cause)}`;
  }
  // Asked of the prototype: an object may have a key of that name.
  const isBoxed = value instanceof Number || value instanceof String ||
    value instanceof Boolean || value instanceof BigInt;
  return isBoxed ? of(value.valueOf()) : "";
}

function hash(text: string): string {
  let sum = 7;
  for (let i = 0; i < text.length; i++) sum = (sum * 31 + text.charCodeAt(i)) >>> 0;
  return `${text.length}:${sum}`;
}
