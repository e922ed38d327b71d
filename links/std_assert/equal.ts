import { isDeepStrictEqual } from "node:util";

/** Returns whether two values are deeply equal, as `@std/assert` defines it: `0` equals `-0`, an
 * object without a prototype equals a plain one, and values of different classes never are equal
 * (a `Buffer` and a `Uint8Array` of the same bytes, for one). */
export function equal(a: unknown, b: unknown): boolean {
  // The native comparison is the fast way and nearly always enough. It is only ever stricter, so the
  // slow way is left to what it calls different.
  return isDeepStrictEqual(a, b) || alike(a, b, new Map());
}

function alike(a: unknown, b: unknown, seen: Map<object, object>): boolean {
  if (typeof a === "number" && typeof b === "number") {
    return a === b || Number.isNaN(a) && Number.isNaN(b);
  }
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if ((a.constructor ?? Object) !== (b.constructor ?? Object)) return false;
  if (seen.get(a) === b) return true;
  seen.set(a, b);

  if (ArrayBuffer.isView(a)) return viewsAlike(a, b as ArrayBufferView, seen);
  if (a instanceof Map) return mapsAlike(a, b as Map<unknown, unknown>, seen);
  if (isOpaque(a)) return isDeepStrictEqual(a, b);

  const keys = ownKeys(a);
  if (keys.length !== ownKeys(b).length) return false;
  return keys.every((key) =>
    Object.hasOwn(b, key) && alike(Reflect.get(a, key), Reflect.get(b, key), seen)
  );
}

function viewsAlike(a: ArrayBufferView, b: ArrayBufferView, seen: Map<object, object>): boolean {
  if (a instanceof DataView || b instanceof DataView) return isDeepStrictEqual(a, b);
  const left = a as unknown as ArrayLike<number | bigint>;
  const right = b as unknown as ArrayLike<number | bigint>;
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) {
    if (!alike(left[i], right[i], seen)) return false;
  }
  return true;
}

function mapsAlike(
  a: Map<unknown, unknown>,
  b: Map<unknown, unknown>,
  seen: Map<object, object>,
): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) {
    if (b.has(key)) {
      if (!alike(value, b.get(key), seen)) return false;
    } else if (![...b].some(([k, v]) => alike(key, k, seen) && alike(value, v, seen))) {
      return false;
    }
  }
  return true;
}

/** Kinds whose content is not in their own properties. */
function isOpaque(value: object): boolean {
  return [Set, Date, RegExp, URL, Error, ArrayBuffer, Promise, WeakMap, WeakSet, WeakRef, Number]
    .some((kind) => value instanceof kind);
}

function ownKeys(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) =>
    Object.prototype.propertyIsEnumerable.call(value, key)
  );
}
