/**
 * The gate: every check that a change has to pass, in both runtimes, cheapest first. It stops at the
 * first failure, prints what failed, and closes with `N passed, N failed`.
 *
 *     deno run -A scripts/ok.ts              # all steps
 *     deno run -A scripts/ok.ts lint bun     # these alone
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { DENO, ROOT, run } from "./_run.ts";

interface Step {
  name: string;
  command: string[];
  /** Finds the counts in what a test runner prints; a step without it is no test run. */
  count?: (output: string) => Count | undefined;
}

interface Count {
  passed: number;
  failed: number;
}

// The whole gate takes about six minutes on two idle cores, so a step that takes eight hangs.
const STEP_TIMEOUT_MS = 8 * 60_000;

const entryPoints = Object.values<string>(
  JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8")).exports,
);

const STEPS: Step[] = [
  { name: "format", command: [DENO, "fmt", "--check"] },
  { name: "lint", command: [DENO, "lint"] },
  { name: "types-deno", command: [DENO, "check", "--quiet", "."] },
  { name: "types-bun", command: ["bun", "node_modules/typescript/bin/tsc"] },
  { name: "docs", command: [DENO, "doc", "--lint", ...entryPoints] },
  { name: "jsr", command: [DENO, "run", "-A", "scripts/publish.ts", "--dry-run"] },
  { name: "npm", command: [DENO, "run", "-A", "scripts/check_package.ts"] },
  {
    name: "bun",
    // Bun's own limit of 5 s a test is tight for a machine under load.
    command: ["bun", "test", "--timeout=60000"],
    count: (output) => counts(/^\s*(\d+) pass$/m.exec(output), /^\s*(\d+) fail$/m.exec(output)),
  },
  {
    name: "deno",
    // One run for both the test files and the examples in README and docstrings.
    command: [DENO, "test", "-A", "--doc"],
    count: (output) => counts(/\| (\d+) passed/.exec(output), /\| (\d+) failed/.exec(output)),
  },
];

function counts(passed: RegExpExecArray | null, failed: RegExpExecArray | null): Count | undefined {
  return passed && failed ? { passed: Number(passed[1]), failed: Number(failed[1]) } : undefined;
}

/** Runs one step and prints its line, and its output where it fails. */
async function runStep(step: Step): Promise<Count> {
  process.stdout.write(step.name.padEnd(12));
  const start = performance.now();
  const { ok, output } = await run(step.command, { timeoutMs: STEP_TIMEOUT_MS });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);

  const count = step.count?.(output) ?? { passed: 0, failed: 0 };
  // A test file that does not load fails the run and no test, and a run without counts is no run.
  if (count.failed === 0 && (!ok || (step.count && count.passed === 0))) count.failed = 1;

  const tests = step.count ? `   ${count.passed} passed, ${count.failed} failed` : "";
  console.log(`${count.failed === 0 ? "ok" : "FAILED"}  ${seconds.padStart(6)} s${tests}`);
  if (count.failed > 0) console.log(`\n$ ${step.command.join(" ")}\n${output}`);
  return count;
}

const names = process.argv.slice(2);
const unknown = names.filter((name) => !STEPS.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`No such step: ${unknown.join(", ")}`);
  console.error(`The steps: ${STEPS.map((step) => step.name).join(", ")}`);
  process.exit(2);
}

const total: Count = { passed: 0, failed: 0 };
for (const step of STEPS) {
  if (names.length > 0 && !names.includes(step.name)) continue;
  const { passed, failed } = await runStep(step);
  total.passed += passed;
  total.failed += failed;
  if (failed > 0) break;
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
