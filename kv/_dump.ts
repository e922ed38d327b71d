/** Turning values into models: the first half of structured clone.
 *
 * A model consists of what MessagePack has of its own, so that no extension of the packer is used: those are shared
 * by all users of the package in a process, any of whom may replace them. It is a copy, so that each property is
 * read once, and no getter runs while the packer does.
 *
 * @module
 */

import { types } from "node:util";
import * as special from "./_special.ts";

const I64_MIN = -(2n ** 63n);
const U64_MAX = 2n ** 64n - 1n;

/** How many levels of objects a value may have. Each runtime has room on its stack for twice as many at least; where
 * that alone decided, one would write what another could not read. */
const DEPTH_MAX = 1000;

const { toString: stringOf } = Object.prototype;
const viewName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get!;

/** A model, and whether it is like its value: nothing in it stands for something else. */
export interface Dumped {
  readonly model: unknown;
  readonly isPlain: boolean;
}

/** Returns the model of a value.
 *
 * @throws {TypeError} Something in it cannot be cloned, in Deno's words.
 * @throws {RangeError} It is nested too deeply.
 */
export function dump(value: unknown): Dumped {
  if (isSimple(value)) return { model: value, isPlain: true };
  const dumping = new Dump();
  const model = dumping.of(value);
  return { model, isPlain: dumping.isPlain };
}

/** Returns whether a value is its own model. */
function isSimple(value: unknown): boolean {
  return value === null || value === undefined || typeof value === "boolean" ||
    (typeof value === "number" && value !== 0 && !Number.isNaN(value)) ||
    (typeof value === "string" && isText(value));
}

function isText(text: string): boolean {
  return text.isWellFormed() && text.charCodeAt(0) !== 0xfeff;
}

/** Returns whether a key of an object may be one in the model. The packer looks at `constructor`, and its reader
 * renames `__proto__`. */
function isPlainKey(key: string): boolean {
  return key !== special.MARK && key !== "constructor" && key !== "__proto__" && isText(key);
}

/** The model of one value, and the numbers of the objects in it, by their first appearance. */
class Dump {
  readonly #seen = new Map<object, number>();
  #count = 0;
  #depth = 0;
  isPlain = true;

  of(value: unknown): unknown {
    switch (typeof value) {
      case "number":
        if (Number.isNaN(value)) return this.#mark(special.NOT_A_NUMBER, null);
        return Object.is(value, -0) ? this.#mark(special.NEGATIVE_ZERO, null) : value;
      case "string":
        return isText(value) ? value : this.#mark(special.UTF16, utf16(value));
      case "bigint":
        return value >= I64_MIN && value <= U64_MAX
          ? value
          : this.#mark(special.BIGINT, magnitude(value));
      case "object":
        return value === null ? null : this.#object(value);
      case "function":
      case "symbol":
        throw notCloned(String(value));
      default:
        return value;
    }
  }

  #object(value: object): unknown {
    const id = this.#seen.get(value);
    if (id !== undefined) return this.#mark(special.REFERENCE, id);
    if (this.#depth === DEPTH_MAX) {
      throw new RangeError(
        `the value has objects within objects, more than ${DEPTH_MAX} levels of them; store its parts under keys of their own`,
      );
    }
    this.#depth++;
    const model = this.#newObject(value);
    this.#depth--;
    return model;
  }

  #newObject(value: object): unknown {
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype && !types.isProxy(value)) {
      this.#note(value);
      return this.#plain(value);
    }
    if (ArrayBuffer.isView(value)) return this.#view(value);
    this.#note(value);
    if (Array.isArray(value) && !types.isProxy(value)) return this.#array(value);
    return this.#other(value);
  }

  #note(value: object): void {
    this.#seen.set(value, this.#count++);
  }

  #plain(value: object): unknown {
    const keys = Object.keys(value);
    const object = value as Record<string, unknown>;
    if (!keys.every(isPlainKey)) {
      return this.#mark(special.OBJECT, this.#properties(object, keys, []));
    }
    const model: Record<string, unknown> = {};
    for (const key of keys) {
      const property = object[key];
      model[key] = isSimple(property) ? property : this.of(property);
    }
    return model;
  }

  #properties(value: object, keys: string[], list: unknown[]): unknown[] {
    for (const key of keys) {
      list.push(this.of(key), this.of((value as Record<string, unknown>)[key]));
    }
    return list;
  }

  #array(array: unknown[]): unknown {
    const keys = Object.keys(array);
    const { length } = array;
    // As many keys as places may still be a hole and a property: the last one is then no place.
    if (keys.length !== length || (length > 0 && keys[length - 1] !== String(length - 1))) {
      return this.#mark(special.ARRAY, this.#properties(array, keys, [length]));
    }
    const model: unknown[] = [];
    for (let i = 0; i < length; i++) {
      const item = array[i];
      model.push(isSimple(item) ? item : this.of(item));
    }
    return model;
  }

  #view(view: ArrayBufferView): unknown {
    const { buffer } = view;
    const bytes = new Uint8Array(requireAttached(buffer), view.byteOffset, view.byteLength);
    this.#note(view);
    const name = viewName.call(view) ?? "DataView";
    const kind = special.VIEWS.indexOf(name);
    if (kind < 0) throw notCloned(`#<${name}>`);
    const id = this.#seen.get(buffer);
    // The rest of its buffer, which a view may well be a small part of, is not stored.
    const isWhole = bytes.length === buffer.byteLength && !(buffer as ArrayBuffer).resizable;
    if (isWhole && id !== undefined) {
      return this.#mark(special.VIEW, [kind, this.#mark(special.REFERENCE, id)]);
    }
    if (isWhole) this.#note(buffer);
    else this.#count++;
    return name === "Uint8Array" ? bytes : this.#mark(special.VIEW, [kind, bytes]);
  }

  #other(value: object): unknown {
    if (types.isProxy(value)) throw notCloned("#<Object>");
    if (types.isDate(value)) {
      const time = Date.prototype.getTime.call(value);
      return this.#mark(special.DATE, Number.isNaN(time) ? null : time);
    }
    if (types.isMap(value)) {
      const list = [...Map.prototype.entries.call(value)].flat();
      return this.#mark(special.MAP, list.map((item) => this.of(item)));
    }
    if (types.isSet(value)) {
      const list = [...Set.prototype.values.call(value)];
      return this.#mark(special.SET, list.map((item) => this.of(item)));
    }
    if (types.isRegExp(value)) {
      return this.#mark(special.REGEXP, [this.of(value.source), this.of(value.flags)]);
    }
    if (types.isNativeError(value)) return this.#error(value);
    if (types.isAnyArrayBuffer(value)) return this.#buffer(requireAttached(value));
    if (types.isBoxedPrimitive(value)) return this.#mark(special.BOXED, this.of(unboxed(value)));
    requireCloneable(value);
    const keys = Object.keys(value);
    if (!keys.every(isPlainKey)) {
      return this.#mark(special.OBJECT, this.#properties(value, keys, []));
    }
    const model: Record<string, unknown> = {};
    for (const key of keys) model[key] = this.of((value as Record<string, unknown>)[key]);
    return model;
  }

  #error(error: Error): unknown {
    const { name, stack } = error;
    const known = Object.hasOwn(special.ERRORS, name) ? name : "Error";
    const message = Object.hasOwn(error, "message") ? String(error.message) : undefined;
    const text = typeof stack === "string" ? stack : undefined;
    const parts = [known, this.of(message), this.of(text)];
    if (Object.hasOwn(error, "cause")) parts.push(this.of(error.cause));
    return this.#mark(special.ERROR, parts);
  }

  #buffer(buffer: ArrayBuffer): special.Special {
    const bytes = new Uint8Array(buffer);
    return this.#mark(special.BUFFER, buffer.resizable ? [bytes, buffer.maxByteLength] : bytes);
  }

  #mark(kind: number, v: unknown): special.Special {
    this.isPlain = false;
    return { [special.MARK]: kind, v };
  }
}

function notCloned(shown: string): TypeError {
  return new TypeError(`${shown} could not be cloned.`);
}

/** @throws {TypeError} It is shared, or detached. */
function requireAttached(buffer: ArrayBufferLike): ArrayBuffer {
  if (types.isSharedArrayBuffer(buffer)) throw notCloned("#<SharedArrayBuffer>");
  if (!buffer.detached) return buffer;
  throw notCloned("An ArrayBuffer is detached and");
}

function unboxed(value: object): unknown {
  const primitive = types.isNumberObject(value)
    ? Number.prototype.valueOf.call(value)
    : types.isStringObject(value)
    ? String.prototype.valueOf.call(value)
    : types.isBooleanObject(value)
    ? Boolean.prototype.valueOf.call(value)
    : types.isBigIntObject(value)
    ? BigInt.prototype.valueOf.call(value)
    : undefined;
  if (primitive === undefined) throw notCloned("[object Symbol]");
  return primitive;
}

/** @throws {TypeError} It has a state that properties do not show. */
function requireCloneable(value: object): void {
  if (
    types.isPromise(value) || types.isWeakMap(value) || types.isWeakSet(value) ||
    types.isGeneratorObject(value) || types.isModuleNamespaceObject(value) ||
    value instanceof WeakRef
  ) {
    throw notCloned(`#<${stringOf.call(value).slice(8, -1)}>`);
  }
  if (typeof WebAssembly !== "object") return;
  if (value instanceof WebAssembly.Module) throw new TypeError("Wasm modules cannot be stored");
}

function utf16(text: string): Uint8Array {
  const bytes = new Uint8Array(2 * text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    bytes[2 * i] = unit;
    bytes[2 * i + 1] = unit >> 8;
  }
  return bytes;
}

function magnitude(value: bigint): [boolean, Uint8Array] {
  const digits = (value < 0n ? -value : value).toString(16);
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  const bytes = new Uint8Array(even.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(even.slice(2 * i, 2 * i + 2), 16);
  return [value < 0n, bytes];
}
