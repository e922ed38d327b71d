import { assertEquals, assertRejects } from "@std/assert";

/** Fails unless the call throws, or its promise rejects with, an error of a code of Level. Returns it. */
export async function assertLevelCode(
  call: () => unknown,
  code: string,
): Promise<Error & { code: string; cause: { code?: string } & Error }> {
  const error = await assertRejects(async () => await call(), Error);
  const found = error as Error & { code: string; cause: { code?: string } & Error };
  assertEquals(found.code, code, error.message);
  return found;
}
