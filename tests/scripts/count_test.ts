import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { countBun, countDeno } from "../../scripts/_count.ts";

const BUN_PASSED = `bun test v1.4.5

tests/tidy_test.ts:
(pass) the project has files of every kind that is checked here [1.36ms]
(pass) no source file is over the limit of lines [20.91ms]

 2 pass
 0 fail
Ran 2 tests across 1 file. [512.00ms]
`;

const BUN_FAILED = `tests/a_test.ts:
(pass) one [1.36ms]
AssertionError: 5 pass
      at <anonymous> (/a_test.ts:4:27)
(fail) two [1.71ms]
(skip) three

 1 pass
 1 skip
 1 fail
 3 expect() calls
Ran 3 tests across 1 file. [512.00ms]
`;

const DENO_PASSED = `running 2 tests from ./tests/tidy_test.ts
one ... ok (2ms)
two ...'two' has been running for over (1m0s)
 ok (1m29s)
running 1 test from ./tests/b_test.ts
three ... ignored (0ms)

ok | 2 passed | 0 failed | 1 ignored (2m29s)

`;

const DENO_FAILED = `running 2 tests from ./tests/tidy_test.ts
one ... ok (2ms)
two ...
------- output -------
ok | 90 passed | 80 failed
----- output end -----
two ... FAILED (3ms)

 ERRORS 

FAILED | 1 passed (2 steps) | 1 failed (3ms)

error: Test failed
`;

test("the counts are those of the closing lines", () => {
  assertEquals(countBun(BUN_PASSED), { passed: 2, failed: 0 });
  assertEquals(countBun(BUN_FAILED), { passed: 1, failed: 1 });
  assertEquals(countDeno(DENO_PASSED), { passed: 2, failed: 0 });
  assertEquals(countDeno(DENO_FAILED), { passed: 1, failed: 1 });
});

test("a run that was stopped counts what had ended by then", () => {
  const upTo = (output: string, end: string) => output.slice(0, output.indexOf(end));
  assertEquals(countBun(upTo(BUN_PASSED, "\n 2 pass")), { passed: 2, failed: 0 });
  assertEquals(countBun(upTo(BUN_FAILED, "(skip)")), { passed: 1, failed: 1 });
  assertEquals(countDeno(upTo(DENO_PASSED, "two ...")), { passed: 1, failed: 0 });
  assertEquals(countDeno(upTo(DENO_PASSED, "\nok |")), { passed: 2, failed: 0 });
});

test("a run that printed no test has no counts", () => {
  for (const output of ["", "error: Module not found\n", "running 0 tests from ./a_test.ts\n"]) {
    assertEquals(countBun(output), undefined);
    assertEquals(countDeno(output), undefined);
  }
});
