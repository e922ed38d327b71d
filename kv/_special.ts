/** What a structured clone has beyond null, booleans, numbers, text, bytes, arrays and objects, and how it is told
 * apart in a model.
 *
 * @module
 */

/** Objects of a model with this property stand for something else: a {@linkcode Special}. */
export const MARK = "";

/** What stands for what a model cannot hold itself. The numbers are in files and keep their meaning. */
export interface Special {
  /** Which of the kinds it is. */
  readonly [MARK]: number;
  /** What it consists of. */
  readonly v: unknown;
}

/** -0; `v` is null. */
export const NEGATIVE_ZERO = 1;
/** NaN; `v` is null. Its bits differ among runtimes. */
export const NOT_A_NUMBER = 2;
/** A string that UTF-8 cannot hold, or whose first letter decoders drop: `v` is its UTF-16, little-endian. */
export const UTF16 = 3;
/** A bigint beyond 64 bits: `[isNegative, magnitude]`, big-endian. */
export const BIGINT = 4;
/** An object that came before: its number. */
export const REFERENCE = 5;
/** An object with keys that a model has another use for: `[key, value, …]`. */
export const OBJECT = 6;
/** An array with holes or properties: `[length, key, value, …]`. */
export const ARRAY = 7;
/** Milliseconds, null where it is not valid. */
export const DATE = 8;
/** `[source, flags]` */
export const REGEXP = 9;
/** `[key, value, …]` */
export const MAP = 10;
/** `[value, …]` */
export const SET = 11;
/** `[name, message, stack]`, and the cause where it has one. */
export const ERROR = 12;
/** Its bytes, or `[bytes, maxByteLength]`. */
export const BUFFER = 13;
/** `[index in VIEWS, bytes or a reference to a buffer]` */
export const VIEW = 14;
/** A primitive as an object: the primitive. */
export const BOXED = 15;

/** The kinds of views on a buffer. Their places are in files. */
export const VIEWS = [
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float16Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
  "DataView",
];

/** The errors that keep their names; others come back as `Error`, as in Deno KV. */
export const ERRORS: Record<string, ErrorConstructor> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};
