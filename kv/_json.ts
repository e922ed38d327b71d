/** Values and keys as JSON, in the form that Deno's tools for KV have: `{ "type": …, "value": … }`.
 *
 * What that form cannot say, or would not give back as it was, has a type of its own, `HybridStore`: the bytes of
 * its entry in base64.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { behindCrc, withCrc } from "./_checked.ts";
import { ERRORS } from "./_special.ts";
import type { KvKey, KvKeyPart } from "./types.ts";
import { KvU64, u64Of } from "./u64.ts";
import { encodeEntry, seal, valueOf } from "./value.ts";

/** A key part, or a value. */
export interface Json {
  readonly type: string;
  readonly value?: unknown;
}

const OWN = "HybridStore";
const ARRAYS = {
  BigInt64Array,
  BigUint64Array,
  Float32Array,
  Float64Array,
  Int16Array,
  Int32Array,
  Int8Array,
  Uint16Array,
  Uint32Array,
  Uint8Array,
  Uint8ClampedArray,
} as const;

/** What TypeScript does not know yet. */
const RAW = JSON as typeof JSON & { rawJSON(text: string): unknown };

/** Returns a key as JSON. */
export function keyToJson(key: KvKey): Json[] {
  return key.map((part) => partToJson(part as Exclude<KvKeyPart, symbol>));
}

/** Returns the key that some JSON is.
 *
 * @throws {TypeError} It is none.
 */
export function keyFromJson(json: unknown): KvKeyPart[] {
  if (!Array.isArray(json)) throw new TypeError("its key is not a list");
  return json.map((part) => {
    const { type } = requireJson(part);
    if (["string", "number", "bigint", "boolean", "Uint8Array"].includes(type)) {
      return fromJson(part) as KvKeyPart;
    }
    throw new TypeError(`its key has a part of the type ${JSON.stringify(type)}`);
  });
}

/** Returns a value as JSON.
 *
 * @param entry Its entry, which is the measure: what comes back has to have the same bytes.
 */
export function valueToJson(value: unknown, entry: Uint8Array): Json {
  try {
    const json = toJson(value, new Set());
    // What is written for it and read again is what counts.
    const again = encodeEntry(fromJson(JSON.parse(JSON.stringify(json))));
    if (isSameValue(again, entry)) return json;
  } catch {
    // It goes round in circles, or has what the form does not know.
  }
  return { type: OWN, value: ownBytes(entry) };
}

/** Returns the value that some JSON is.
 *
 * @throws {TypeError} It is none, or damaged.
 */
export function valueFromJson(json: unknown): unknown {
  const { type, value } = requireJson(json);
  if (type !== OWN) return fromJson(json);
  const bytes = behindCrc(fromBase64(requireText(value)));
  if (bytes === undefined || bytes.length === 0) throw new TypeError("its value is damaged");
  // The envelope's other fields are those of the entry that it becomes.
  const entry = encodeEntry(bytes.subarray(1));
  entry[1] = bytes[0]!;
  seal(entry, 0n, 0);
  return valueOf(entry);
}

const VALUE_AT = 24;

/** Returns the type of the value and its bytes, with a CRC32C in front. */
function ownBytes(entry: Uint8Array): string {
  const bytes = new Uint8Array(1 + entry.length - VALUE_AT);
  bytes[0] = entry[1]!;
  bytes.set(entry.subarray(VALUE_AT), 1);
  return toBase64(withCrc(bytes));
}

function isSameValue(a: Uint8Array, b: Uint8Array): boolean {
  return a[1] === b[1] && Buffer.compare(a.subarray(VALUE_AT), b.subarray(VALUE_AT)) === 0;
}

function partToJson(part: string | number | bigint | boolean | Uint8Array): Json {
  switch (typeof part) {
    case "bigint":
      return { type: "bigint", value: `${part}` };
    case "number":
      // JSON has -0, which JSON.stringify() does not write.
      if (Object.is(part, -0)) return { type: "number", value: RAW.rawJSON("-0") };
      return { type: "number", value: Number.isFinite(part) ? part : `${part}` };
    case "object":
      return bytesToJson("Uint8Array", part);
    default:
      return { type: typeof part, value: part };
  }
}

function bytesToJson(type: string, bytes: Uint8Array): Json & { byteLength: number } {
  return { type, value: toBase64(bytes), byteLength: bytes.length };
}

/** @throws {TypeError} The form cannot say it. */
function toJson(value: unknown, above: Set<unknown>): Json {
  if (value === undefined) return { type: "undefined" };
  if (value === null) return { type: "null", value };
  if (typeof value !== "object") return partToJson(value as string | number | bigint | boolean);
  const number = u64Of(value);
  if (number !== undefined) return { type: "KvU64", value: `${number}` };
  if (above.has(value)) throw new TypeError("it refers to itself");
  above.add(value);
  try {
    return objectToJson(value, above);
  } finally {
    above.delete(value);
  }
}

function objectToJson(value: object, above: Set<unknown>): Json {
  const inner = (each: unknown) => toJson(each, above);
  if (Array.isArray(value)) return { type: "Array", value: value.map(inner) };
  if (ArrayBuffer.isView(value)) {
    return bytesToJson(value[Symbol.toStringTag as never], bytesOf(value));
  }
  if (value instanceof ArrayBuffer) return bytesToJson("ArrayBuffer", new Uint8Array(value));
  if (value instanceof Date) return { type: "Date", value: value.toISOString() };
  if (value instanceof RegExp) return { type: "RegExp", value: `${value}` };
  if (value instanceof Map) {
    return { type: "Map", value: Array.from(value, ([key, each]) => [inner(key), inner(each)]) };
  }
  if (value instanceof Set) return { type: "Set", value: Array.from(value, inner) };
  if (value instanceof Error) {
    const { name, message, stack, cause } = value;
    const causeJson = "cause" in value ? { cause: inner(cause) } : {};
    return {
      type: Object.hasOwn(ERRORS, name) ? name : "Error",
      value: { message, ...(stack !== undefined && { stack }), ...causeJson },
    };
  }
  // Deno's tools would take it for the prototype.
  if (Object.hasOwn(value, "__proto__")) throw new TypeError("it has a key __proto__");
  const fields: [string, Json][] = Object.entries(value).map(([key, each]) => [key, inner(each)]);
  return { type: "object", value: Object.fromEntries(fields) };
}

/** @throws {TypeError} It is no value. */
function fromJson(json: unknown): unknown {
  const { type, value } = requireJson(json);
  switch (type) {
    case "undefined":
      return undefined;
    case "null":
      return null;
    case "boolean":
      if (typeof value === "boolean") return value;
      break;
    case "string":
      return requireText(value);
    case "number":
      if (typeof value === "number") return value;
      if (["NaN", "Infinity", "-Infinity"].includes(value as string)) return Number(value);
      break;
    case "bigint":
      if (/^-?\d+$/.test(requireText(value))) return BigInt(requireText(value));
      break;
    case "KvU64":
      if (/^\d+$/.test(requireText(value))) return new KvU64(BigInt(requireText(value)));
      break;
    case "Array":
      return requireList(value).map(fromJson);
    case "Set":
      return new Set(requireList(value).map(fromJson));
    case "Map":
      return new Map(
        requireList(value).map((pair) => {
          const [key, each] = requireList(pair);
          return [fromJson(key), fromJson(each)];
        }),
      );
    case "Date":
      // What is no date is null where Deno's tools write it, and an own type here: they read null as 1970.
      return new Date(value === null ? NaN : requireText(value));
    case "RegExp": {
      const [, source, flags] = /^\/([^]*)\/([a-z]*)$/.exec(requireText(value)) ?? [];
      if (source !== undefined) return new RegExp(source, flags);
      break;
    }
    case "DataView":
      return new DataView(fromBase64(requireText(value)).buffer);
    case "ArrayBuffer":
      return fromBase64(requireText(value)).buffer;
    case "object":
      // `__proto__` is a key like any other.
      return Object.entries(requireObject(value)).reduce(
        (object, [key, each]) =>
          Object.defineProperty(object, key, {
            value: fromJson(each),
            writable: true,
            enumerable: true,
            configurable: true,
          }),
        {},
      );
    default:
      if (Object.hasOwn(ARRAYS, type)) {
        const bytes = fromBase64(requireText(value));
        return new ARRAYS[type as keyof typeof ARRAYS](bytes.buffer as ArrayBuffer);
      }
      if (Object.hasOwn(ERRORS, type)) return errorFromJson(ERRORS[type]!, requireObject(value));
  }
  throw new TypeError(`it has no value of the type ${JSON.stringify(type)}`);
}

function errorFromJson(of: ErrorConstructor, json: Record<string, unknown>): Error {
  const { message, stack } = json;
  const options = "cause" in json ? { cause: fromJson(json.cause) } : undefined;
  const error = new of(requireText(message), options);
  if (typeof stack === "string") {
    Object.defineProperty(error, "stack", {
      value: stack,
      writable: true,
      enumerable: false,
      configurable: true,
    });
  }
  return error;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Returns bytes in base64 for URLs, without padding. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

/** Returns the bytes of base64. They have a buffer of their own.
 *
 * @throws {TypeError} It is none.
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[\w-]*$/.test(text) || text.length % 4 === 1) {
    throw new TypeError("its bytes are not base64 for URLs");
  }
  return new Uint8Array(Buffer.from(text, "base64url"));
}

function requireJson(json: unknown): Json {
  const { type } = Object(json);
  if (typeof type === "string") return json as Json;
  throw new TypeError("a part of it has no type");
}

function requireText(value: unknown): string {
  if (typeof value === "string") return value;
  throw new TypeError("a part of it is not text");
}

function requireList(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError("a part of it is not a list");
}

function requireObject(value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw new TypeError("a part of it is not an object");
}
