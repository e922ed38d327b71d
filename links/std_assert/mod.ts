/**
 * A stand-in for `@std/assert`, for machines that reach npm but not JSR: the same names, the same
 * order of arguments and the same meaning, over `node:assert`.
 *
 * @module
 */
import { AssertionError as NodeAssertionError } from "node:assert";
import { inspect } from "node:util";
import { equal } from "./equal.ts";

export { equal };

// deno-lint-ignore no-explicit-any
type AnyConstructor = abstract new (...args: any[]) => any;
// deno-lint-ignore no-explicit-any
type ErrorConstructor<E extends Error> = abstract new (...args: any[]) => E;
type Falsy = false | 0 | 0n | "" | null | undefined;

/** Reports a failed assertion. */
export class AssertionError extends Error {
  /** Creates the error.
   * @param message What was expected, and what was found.
   * @param options The `cause`, where there is one.
   */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

/** Fails unless the expression is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Fails unless the expression is falsy. */
export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) throw new AssertionError(msg);
}

/** Fails unless both values are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  const { message } = new NodeAssertionError({ actual, expected, operator: "deepStrictEqual" });
  failWith(`Values are not equal${suffix(msg)}\n\n${message}`);
}

/** Fails where both values are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  failWith(`Expected actual: ${show(actual)} not to be: ${show(expected)}${suffix(msg)}`);
}

/** Fails unless both values are the same, by `Object.is`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  failWith(
    `Values are not strictly equal${suffix(msg)}\n\n  actual: ${show(actual)}\n  expected: ${
      show(expected)
    }`,
  );
}

/** Fails where both values are the same, by `Object.is`. */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!Object.is(actual, expected)) return;
  failWith(`Expected "actual" to not be strictly equal to: ${show(actual)}${suffix(msg)}`);
}

/** Fails where the value is `null` or `undefined`. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual !== undefined && actual !== null) return;
  failWith(`Expected actual: "${actual}" to not be null or undefined${suffix(msg)}`);
}

/** Fails unless the value is an instance of the class. */
export function assertInstanceOf<T extends AnyConstructor>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  const found = actual instanceof Object ? actual.constructor?.name : typeof actual;
  failWith(
    `Expected object to be an instance of "${expectedType.name}" but was "${found}"${suffix(msg)}`,
  );
}

/** Fails where the value is an instance of the class. */
export function assertNotInstanceOf<A, T>(
  actual: A,
  // deno-lint-ignore no-explicit-any
  unexpectedType: abstract new (...args: any[]) => T,
  msg?: string,
): asserts actual is Exclude<A, T> {
  if (!(actual instanceof unexpectedType)) return;
  failWith(`Expected object to not be an instance of "${unexpectedType.name}"${suffix(msg)}`);
}

/** Fails unless the text holds the other one. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (actual.includes(expected)) return;
  failWith(`Expected actual: "${actual}" to contain: "${expected}"${suffix(msg)}`);
}

/** Fails unless the array holds every expected value, by deep equality. */
export function assertArrayIncludes<T>(
  actual: ArrayLike<T> & object,
  expected: ArrayLike<T> & object,
  msg?: string,
): void {
  const all = Array.from(actual);
  const missing = Array.from(expected).filter((item) => !all.some((other) => equal(item, other)));
  if (missing.length === 0) return;
  failWith(
    `Expected actual: ${show(actual)} to include: ${show(expected)}${suffix(msg)}\nmissing: ${
      show(missing)
    }`,
  );
}

/** Fails unless the text matches. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (expected.test(actual)) return;
  failWith(`Expected actual: "${actual}" to match: "${expected}"${suffix(msg)}`);
}

/** Fails where the text matches. */
export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) return;
  failWith(`Expected actual: "${actual}" to not match: "${expected}"${suffix(msg)}`);
}

/** Fails unless `actual` has everything that `expected` names, deeply; it may have more. */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  assertEquals(restrict(actual, expected), restrict(expected, expected), msg);
}

/** Fails unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (actual > expected) return;
  failWith(`Expect ${show(actual)} > ${show(expected)}${suffix(msg)}`);
}

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (actual >= expected) return;
  failWith(`Expect ${show(actual)} >= ${show(expected)}${suffix(msg)}`);
}

/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (actual < expected) return;
  failWith(`Expect ${show(actual)} < ${show(expected)}${suffix(msg)}`);
}

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (actual <= expected) return;
  failWith(`Expect ${show(actual)} <= ${show(expected)}${suffix(msg)}`);
}

/** Fails unless the numbers differ by no more than the tolerance (a ten millionth of `expected`). */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void {
  const allowed = tolerance ?? (isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  if (Object.is(actual, expected) || Math.abs(expected - actual) <= allowed) return;
  failWith(
    `Expected actual: "${actual}" to be close to "${expected}", within "${allowed}"${suffix(msg)}`,
  );
}

/** Fails unless the value is an error, of the class and with a message as given. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ErrorConstructor<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) failWith(`Expected "error" to be an Error object${suffix(msg)}`);
  if (ErrorClass && !(error instanceof ErrorClass)) {
    failWith(
      `Expected error to be instance of "${ErrorClass.name}", but was "${error.constructor?.name}"${
        suffix(msg)
      }`,
      error,
    );
  }
  if (!msgMatches) return;
  const matches = typeof msgMatches === "string"
    ? error.message.includes(msgMatches)
    : msgMatches.test(error.message);
  if (matches) return;
  failWith(
    `Expected error message to include ${
      typeof msgMatches === "string" ? JSON.stringify(msgMatches) : msgMatches
    }, but got ${JSON.stringify(error.message)}${suffix(msg)}`,
    error,
  );
}

/** Fails unless the function throws. Returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless the function throws an error of the class whose message holds the text. Returns
 * the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorConstructor<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClassOrMsg?: ErrorConstructor<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const expected = errorArguments(errorClassOrMsg, msgIncludes, msg);
  try {
    fn();
  } catch (error) {
    return checkThrown(error, "thrown", expected);
  }
  failWith(`Expected function to throw${suffix(expected.msg)}`);
}

/** Fails unless the promise that the function returns rejects. Resolves to the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails unless the promise that the function returns rejects with an error of the class whose
 * message holds the text. Resolves to the error. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorConstructor<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClassOrMsg?: ErrorConstructor<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const expected = errorArguments(errorClassOrMsg, msgIncludes, msg);
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
    if (typeof promise?.then !== "function") throw new TypeError("No promise was returned");
  } catch (error) {
    failWith(`Function throws when expected to reject${suffix(expected.msg)}`, error);
  }
  try {
    await promise;
  } catch (error) {
    return checkThrown(error, "rejected", expected);
  }
  failWith(`Expected function to reject${suffix(expected.msg)}`);
}

/** Fails. */
export function fail(msg?: string): never {
  failWith(`Failed assertion${msg ? `: ${msg}` : "."}`);
}

/** Fails: this line was not to be reached. */
export function unreachable(msg?: string): never {
  failWith(msg ?? "Unreachable");
}

/** Fails: this is not written yet. */
export function unimplemented(msg?: string): never {
  failWith(`Unimplemented${suffix(msg)}`);
}

interface ExpectedError<E extends Error> {
  ErrorClass?: ErrorConstructor<E> | undefined;
  msgIncludes?: string | undefined;
  msg?: string | undefined;
}

/** Sorts out the two forms of `assertThrows` and `assertRejects`. */
function errorArguments<E extends Error>(
  errorClassOrMsg: ErrorConstructor<E> | string | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): ExpectedError<E> {
  return typeof errorClassOrMsg === "string"
    ? { msg: errorClassOrMsg }
    : { ErrorClass: errorClassOrMsg, msgIncludes, msg };
}

function checkThrown<E extends Error>(
  error: unknown,
  how: "thrown" | "rejected",
  { ErrorClass, msgIncludes, msg }: ExpectedError<E>,
): unknown {
  if (ErrorClass) {
    if (!(error instanceof Error)) failWith(`A non-Error object was ${how}${suffix(msg)}`, error);
    assertIsError(error, ErrorClass, msgIncludes, msg);
  }
  return error;
}

/** Returns the part of `value` that `pattern` names, deeply. */
function restrict(value: unknown, pattern: unknown): unknown {
  if (!isPlain(value) || !isPlain(pattern)) return value;
  const part: Record<PropertyKey, unknown> = {};
  for (const key of Object.keys(pattern)) {
    if (key in value) part[key] = restrict(value[key], pattern[key]);
  }
  return part;
}

function isPlain(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === "object" && value !== null && !ArrayBuffer.isView(value) &&
    !(value instanceof Map || value instanceof Set || value instanceof RegExp ||
      value instanceof Date);
}

function show(value: unknown): string {
  return inspect(value, { depth: 10, breakLength: 100 });
}

function suffix(msg: string | undefined): string {
  return msg ? `: ${msg}` : ".";
}

function failWith(message: string, cause?: unknown): never {
  throw new AssertionError(message, cause === undefined ? undefined : { cause });
}
