/**
 * The gate: every check that a change has to pass, in both runtimes. The cheap steps run first, as many
 * at a time as there are processors, then the tests of both runtimes side by side. Where a step fails,
 * those that run are finished and no other is begun. It prints what failed, and closes with
 * `N passed, N failed`. What needs the packages of `bench/` is left out where they are not installed.
 *
 *     deno run -A scripts/ok.ts              # all steps
 *     deno run -A scripts/ok.ts lint bun     # these alone
 *
 * @module
 */
import { readdirSync, readFileSync, statfsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { hasPackages, NOT_INSTALLED } from "../bench/_packages.ts";
import { type Count, countBun, countDeno } from "./_count.ts";
import { DENO, ROOT, run, SILENCE_MS_MAX } from "./_run.ts";

/** Folders that hold no sources, or those of the bench. */
const NOT_CHECKED = /^(\..*|bench|coverage|data|dist|node_modules)$/;

/** More than tests ever have on disk at a time. */
const MEMORY_BYTES_MIN = 6 * 2 ** 30;

interface Step {
  name: string;
  command: string[];
  /** What is added to its environment. */
  env?: Record<string, string>;
  /** Says why it cannot run here, where it cannot. */
  leftOut?: string;
  /** Finds the counts in what a test runner prints; a step without it is no test run. */
  count?: (output: string) => Count | undefined;
}

const entryPoints = Object.values<string>(
  JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8")).exports,
);
const documents = ["examples/README.md"].concat(
  readdirSync(ROOT).filter((name) => name.endsWith(".md")),
);
const hasBench = hasPackages();

const CHECKS: Step[] = [
  { name: "format", command: [DENO, "fmt", "--check"] },
  { name: "lint", command: [DENO, "lint"] },
  // The examples in docstrings and documents too, so that the tests need not be checked again.
  { name: "types-deno", command: [DENO, "check", "--quiet", "--doc", ...checked(), ...documents] },
  { name: "types-bun", command: ["bun", "node_modules/typescript/bin/tsc"] },
  {
    name: "types-bench",
    command: ["bun", "node_modules/typescript/bin/tsc", "-p", "bench"],
    ...(!hasBench && { leftOut: `and so are tests of charts. ${NOT_INSTALLED}` }),
  },
  // Without npm packages: what our classes extend there is documented there.
  { name: "docs", command: [DENO, "doc", "--lint", "--no-npm", ...entryPoints] },
  { name: "npm", command: [DENO, "run", "-A", "scripts/check_package.ts"] },
  { name: "jsr", command: [DENO, "run", "-A", "scripts/publish.ts", "--dry-run"] },
];

const TESTS: Step[] = [
  {
    name: "deno",
    // One run for both the test files and the examples in README and docstrings.
    command: [DENO, "test", "-A", "--doc", "--no-check"],
    count: countDeno,
  },
  {
    name: "bun",
    // Bun's own limit of 5 s a test is tight for a machine under load.
    command: ["bun", "test", "--timeout=600000"],
    // One runtime works on the disk, whose syncs take their time, and the other one in memory. Not Deno,
    // which lets nobody at what is in /dev who has not all permissions.
    env: memoryDirectory(),
    count: countBun,
  },
];

/** Returns what Deno type-checks: everything, or what lies outside the bench where that has types that are
 * not installed. What tests import of the bench is checked with them. */
function checked(): string[] {
  if (hasBench) return ["."];
  return readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) =>
      entry.isDirectory() ? !NOT_CHECKED.test(entry.name) : entry.name.endsWith(".ts")
    )
    .map(({ name }) => name);
}

/** Returns an environment whose temporary files are in memory, where Linux has room for them there. */
function memoryDirectory(): Record<string, string> {
  const directory = "/dev/shm";
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize >= MEMORY_BYTES_MIN ? { TMPDIR: directory } : {};
  } catch {
    return {};
  }
}

/** Runs one step, and prints its line and its output where it fails. */
async function runStep(step: Step): Promise<Count> {
  if (step.leftOut !== undefined) {
    console.log(`${step.name.padEnd(12)}left out, ${step.leftOut}`);
    return { passed: 0, failed: 0 };
  }
  const start = performance.now();
  const { ok, hung, output } = await run(step.command, { ...(step.env && { env: step.env }) });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);

  const count = step.count?.(output) ?? { passed: 0, failed: 0 };
  // A test file that does not load fails the run and no test, and a run without counts is no run.
  if (count.failed === 0 && (!ok || (step.count && count.passed === 0))) count.failed = 1;

  const tests = step.count ? `   ${count.passed} passed, ${count.failed} failed` : "";
  const outcome = count.failed === 0 ? "ok" : "FAILED";
  console.log(`${step.name.padEnd(12)}${outcome}  ${seconds.padStart(6)} s${tests}`);
  if (count.failed === 0) return count;
  if (hung) {
    console.log(
      `\n${step.name} was stopped: it printed nothing for ${SILENCE_MS_MAX / 60_000} minutes` +
        (step.count ? `; ${count.passed} tests had passed by then` : ""),
    );
  }
  console.log(`\n$ ${step.command.join(" ")}\n${output}`);
  return count;
}

/** Runs steps in their order, as many at a time as there are processors. */
async function runSteps(steps: readonly Step[], total: Count): Promise<void> {
  const waiting = [...steps];
  const worker = async () => {
    for (let step; total.failed === 0 && (step = waiting.shift()) !== undefined;) {
      const { passed, failed } = await runStep(step);
      total.passed += passed;
      total.failed += failed;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

const names = process.argv.slice(2);
const all = [...CHECKS, ...TESTS];
const unknown = names.filter((name) => !all.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`No such step: ${unknown.join(", ")}`);
  console.error(`The steps: ${all.map((step) => step.name).join(", ")}`);
  process.exit(2);
}

const total: Count = { passed: 0, failed: 0 };
for (const steps of [CHECKS, TESTS]) {
  await runSteps(steps.filter(({ name }) => names.length === 0 || names.includes(name)), total);
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
