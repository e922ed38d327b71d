/** Turning models back into values: the second half of structured clone.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import * as special from "./_special.ts";

/** Returns the value of a model, whose arrays and objects are used for it.
 *
 * @throws {StoreError} `UNSUPPORTED`: this runtime has no such value.
 * @throws {Error} It is no model.
 */
export function revive(model: unknown): unknown {
  return typeof model === "object" && model !== null ? new Revival().of(model) : model;
}

class Revival {
  /** By their numbers: objects in the order in which they were met when the value was written. */
  readonly #objects: unknown[] = [];

  of(model: object): unknown {
    if (Array.isArray(model)) {
      this.#objects.push(model);
      this.#items(model);
      return model;
    }
    if (model instanceof Uint8Array) {
      this.#objects.push(model, model.buffer);
      return model;
    }
    if (Object.hasOwn(model, special.MARK)) return this.#special(model as special.Special);
    this.#objects.push(model);
    const object = model as Record<string, unknown>;
    for (const key of Object.keys(object)) {
      const property = object[key];
      if (typeof property === "object" && property !== null) object[key] = this.of(property);
    }
    return model;
  }

  #any(model: unknown): unknown {
    return typeof model === "object" && model !== null ? this.of(model) : model;
  }

  #items(list: unknown[]): void {
    for (let i = 0; i < list.length; i++) {
      const item = list[i];
      if (typeof item === "object" && item !== null) list[i] = this.of(item);
    }
  }

  #note<T>(object: T): T {
    this.#objects.push(object);
    return object;
  }

  #special({ [special.MARK]: kind, v }: special.Special): unknown {
    switch (kind) {
      case special.NEGATIVE_ZERO:
        return -0;
      case special.NOT_A_NUMBER:
        return NaN;
      case special.UTF16:
        return utf16(v as Uint8Array);
      case special.BIGINT:
        return bigint(v as [boolean, Uint8Array]);
      case special.REFERENCE:
        return this.#reference(v as number);
      case special.OBJECT:
        return this.#properties(this.#note({}), v as unknown[], 0);
      case special.ARRAY: {
        const array = this.#note<unknown[]>([]);
        array.length = (v as [number])[0];
        return this.#properties(array, v as unknown[], 1);
      }
      case special.DATE:
        return this.#note(new Date(v === null ? NaN : v as number));
      case special.REGEXP:
        return this.#regexp(v as unknown[]);
      case special.MAP: {
        const map = this.#note(new Map());
        const list = v as unknown[];
        for (let i = 0; i < list.length; i += 2) {
          const key = this.#any(list[i]);
          map.set(key, this.#any(list[i + 1]));
        }
        return map;
      }
      case special.SET: {
        const set = this.#note(new Set());
        for (const item of v as unknown[]) set.add(this.#any(item));
        return set;
      }
      case special.ERROR:
        return this.#error(v as unknown[]);
      case special.BUFFER:
        return this.#note(buffer(v as Uint8Array | [Uint8Array, number]));
      case special.VIEW:
        return this.#view(v as [number, unknown]);
      case special.BOXED: {
        const id = this.#objects.push(undefined) - 1;
        return this.#objects[id] = Object(this.#any(v));
      }
    }
    throw new Error(`there is no kind ${kind} of values`);
  }

  #reference(id: number): unknown {
    const object = this.#objects[id];
    if (object === undefined) throw new Error(`there is no object ${id} before the reference`);
    return object;
  }

  #properties<T extends object>(object: T, list: unknown[], start: number): T {
    for (let i = start; i < list.length; i += 2) {
      const key = this.#any(list[i]) as string;
      const value = this.#any(list[i + 1]);
      // An assignment to `__proto__` would set something else.
      if (key === "__proto__") define(object, key, value, true);
      else (object as Record<string, unknown>)[key] = value;
    }
    return object;
  }

  #regexp([source, flags]: unknown[]): RegExp {
    // Strings in it have no numbers, so that it has its own at the right time.
    const pattern = this.#any(source) as string;
    return this.#note(new RegExp(pattern, this.#any(flags) as string));
  }

  #error([name, message, stack, ...cause]: unknown[]): Error {
    const error = this.#note(new special.ERRORS[name as string]!());
    const text = this.#any(message);
    if (text !== undefined) define(error, "message", text, false);
    define(error, "stack", this.#any(stack), false);
    if (cause.length > 0) define(error, "cause", this.#any(cause[0]), false);
    return error;
  }

  #view([kind, from]: [number, unknown]): unknown {
    const name = special.VIEWS[kind]!;
    const View = (globalThis as unknown as Record<string, new (buffer: unknown) => object>)[name];
    if (View === undefined) {
      throw new StoreError("UNSUPPORTED", `Cannot read value: this runtime has no ${name}`);
    }
    if (!(from instanceof Uint8Array)) {
      const id = this.#objects.push(undefined) - 1;
      return this.#objects[id] = new View(this.#any(from));
    }
    const view = this.#note(new View(from.buffer));
    this.#objects.push(from.buffer);
    return view;
  }
}

function define(object: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true });
}

function utf16(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let start = 0; start < bytes.length; start += 8192) {
    const units: number[] = [];
    for (let i = start; i < Math.min(start + 8192, bytes.length); i += 2) {
      units.push(bytes[i]! | bytes[i + 1]! << 8);
    }
    parts.push(String.fromCharCode(...units));
  }
  return parts.join("");
}

function bigint([isNegative, bytes]: [boolean, Uint8Array]): bigint {
  let digits = "0x0";
  for (const byte of bytes) digits += byte.toString(16).padStart(2, "0");
  const value = BigInt(digits);
  return isNegative ? -value : value;
}

function buffer(from: Uint8Array | [Uint8Array, number]): ArrayBuffer {
  if (from instanceof Uint8Array) return from.buffer as ArrayBuffer;
  const [bytes, maxByteLength] = from;
  const resizable = new ArrayBuffer(bytes.length, { maxByteLength });
  new Uint8Array(resizable).set(bytes);
  return resizable;
}
