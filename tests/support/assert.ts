import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { StoreError, type StoreErrorCode } from "../../codec/error.ts";

/** Fails unless the call throws, or its promise rejects with, a `StoreError` of a code, whose message has all of
 * some parts.
 */
export async function assertCode(
  call: () => unknown,
  code: StoreErrorCode,
  ...messageIncludes: string[]
): Promise<StoreError> {
  const error = await assertRejects(async () => await call(), StoreError);
  assertEquals(error.code, code, error.message);
  for (const part of messageIncludes) assertStringIncludes(error.message, part);
  return error;
}

/** Fails unless the call throws a `StoreError` of a code at once. */
export function assertThrowsCode(call: () => unknown, code: StoreErrorCode): void {
  const error = assertThrows(call, StoreError);
  assertEquals(error.code, code, error.message);
}
