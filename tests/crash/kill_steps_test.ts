import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "@std/path";
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { HybridStore } from "../../mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { checkStore } from "./_kill_check.ts";
import { Mortal } from "./_kill_life.ts";
import type { StepChoice } from "./_kill_steps.ts";

const SEED = 3;
/** With these everything is passed often. */
const OPTIONS = {
  durability: "hybrid",
  syncIntervalMs: 5,
  memtableBytes: 3000,
  segmentBytes: 5000,
} as const;
/** Several runtimes start at the same time: most of a step is waiting for one. */
const AT_ONCE = 3;

const sides = ["append", "btree"] as const;
const aroundEach = (names: string[]) =>
  names.flatMap((name) => [`before ${name}`, `after ${name}`]);

/** Steps of a store that is being worked on, and how often each is passed before. */
const WORKING: [names: string[], passes: number][] = [
  [[...aroundEach(["segment write"]), "half of segment write"], 20],
  [aroundEach(["segment sync", "mark write"]), 4],
  [["half of mark write"], 4],
  [
    [...aroundEach(["segment creation", "segment header write"]), "half of segment header write"],
    3,
  ],
  [aroundEach(["segment removal", "journal directory sync"]), 4],
  [
    sides.flatMap((side) => [
      ...aroundEach([`${side} apply`]),
      `within ${side} apply`,
      `half of the writes of ${side} apply`,
      `half of ${side} apply`,
      `all but the position of ${side} apply`,
      `the other engine's apply alone, instead of ${side} apply`,
    ]),
    3,
  ],
  [aroundEach(["append close", "btree close", "mark close", "lock release"]), 0],
];

/** Steps of a store that is being created. No write is promised yet: it opens, and is empty. */
const CREATING: StepChoice[] = [
  ...aroundEach(["store directory sync"]).flatMap((name) => [
    // Once the mark of a creation is there, and once the manifest is.
    { name, passes: 0 },
    { name, passes: 1 },
  ]),
  ...aroundEach([
    "journal directory creation",
    "mark creation",
    "mark write",
    "segment creation",
    "segment header write",
    "append directory sync",
    "btree directory sync",
  ]).map((name) => ({ name, passes: 0 })),
  { name: "half of mark write", passes: 0 },
  { name: "half of segment header write", passes: 0 },
];

/** What a creation leaves where it is cut off between two steps that cannot be intercepted: what the
 * next step before leaves, made into it.
 */
const CREATED_IN_PART: Record<string, (directory: string) => void> = {
  "between the engines": (directory) => rmSync(join(directory, "btree"), { recursive: true }),
  "with an empty file for the B-tree side": (directory) => {
    rmSync(join(directory, "btree"), { recursive: true });
    mkdirSync(join(directory, "btree"));
    writeFileSync(join(directory, "btree", "data.sqlite"), "");
  },
  "with an empty file for the append side": (directory) => {
    rmSync(join(directory, "btree"), { recursive: true });
    writeFileSync(join(directory, "append", "data.mdb"), "");
  },
  "within the manifest": (directory) => {
    writeFileSync(join(directory, "manifest.json.tmp"), '{\n  "format": 1,\n  "ident');
  },
};

/** Steps of an opening that finds a torn record, and of one that finds much to replay. */
const OPENING: [left: StepChoice, names: string[]][] = [
  [
    { name: "half of segment write", passes: 10 },
    [
      ...aroundEach(["segment cut", "segment write", "segment sync", "mark write", "lock release"]),
      "half of segment write",
    ],
  ],
  [
    { name: "before append apply", passes: 0 },
    sides.flatMap((side) => [...aroundEach([`${side} apply`]), `half of ${side} apply`]),
  ],
];

/** Steps of opening a copy of what a killed process left: it gets an identity of its own. */
const OPENING_A_COPY: StepChoice[] = [
  // The place, the manifest, the place, the manifest.
  ...[0, 1, 2, 3].flatMap((passes) =>
    aroundEach(["store directory sync"]).map((name) => ({ name, passes }))
  ),
  // The journal's identity, when the engines have got theirs.
  ...aroundEach(["journal directory sync"]).map((name) => ({ name, passes: 0 })),
];

test("a process that dies at a step of its work loses nothing", { timeout: 600_000 }, async () => {
  const steps = WORKING.flatMap(([names, passes]) => names.map((name) => ({ name, passes })));
  await forEach(steps, (step) => dieAt([step], { isCreated: true }));
});

test("a process that dies at a step of opening what another left loses nothing", {
  timeout: 600_000,
}, async () => {
  const steps = OPENING.flatMap(([left, names]) =>
    names.map((name) => [left, { name, passes: 0 }])
  );
  await forEach(steps, (steps) => dieAt(steps, { isCreated: true }));
});

test("a process that dies at a step of opening a copy of what another left loses nothing", {
  timeout: 600_000,
}, async () => {
  const left = { name: "half of segment write", passes: 10 };
  const change = (directory: string) => {
    renameSync(directory, `${directory}-original`);
    cpSync(`${directory}-original`, directory, { recursive: true });
    rmSync(`${directory}-original`, { recursive: true });
  };
  await forEach(OPENING_A_COPY, (step) => dieAt([left, step], { isCreated: true, change }));
});

test("a process that dies at a step of a creation leaves what can be created", {
  timeout: 600_000,
}, async () => {
  await forEach(CREATING, (step) => dieAt([step], { isCreated: false }));
});

for (const [name, change] of Object.entries(CREATED_IN_PART)) {
  test(`a creation that is cut off ${name} is begun again`, { timeout: 600_000 }, async () => {
    const step = { name: "before journal directory creation", passes: 0 };
    await dieAt([step], { isCreated: false, change });
  });
}

/** Lets one process after the other work until it kills itself at a step, and checks what each leaves.
 *
 * @param options.isCreated Whether the store is there when the first process begins.
 * @param options.change What happens to the directory before the check.
 */
async function dieAt(
  steps: readonly StepChoice[],
  { isCreated, change = () => {} }: {
    isCreated: boolean;
    change?: (directory: string) => void;
  },
): Promise<void> {
  using temp = tempDirectory();
  const directory = join(temp.path, "store");
  if (isCreated) await (await HybridStore.open(directory)).close();
  let entries = new Map<string, string>();
  let from = 0;
  for (const step of steps) {
    using mortal = new Mortal();
    // No step of a creation follows the first cursor.
    const isFed = isCreated;
    const life = { directory, options: OPTIONS, seed: SEED, from, step, isFed };
    mortal.begin(life);
    const testimony = await mortal.testimony(from);
    assert(testimony.hasReachedStep, "the step was never reached");
    change(directory);
    // In a copy, because a check leaves nothing to replay.
    const copy = join(temp.path, "copy");
    cpSync(directory, copy, { recursive: true });
    const finding = await checkStore(copy, entries, life, testimony);
    rmSync(copy, { recursive: true });
    assertEquals(finding.faults, []);
    if (!isCreated) assertEquals(finding.entries.size, 0);
    entries = finding.entries;
    from = testimony.end;
  }
}

/** Runs a check for each of some steps, some at a time. A failure names the step. */
async function forEach<T extends StepChoice | readonly StepChoice[]>(
  steps: readonly T[],
  check: (step: T) => Promise<void>,
): Promise<void> {
  const waiting = [...steps];
  const failures: string[] = [];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      try {
        await check(step);
      } catch (error) {
        failures.push(`${JSON.stringify(step)}: ${error}`);
      }
    }
  }));
  assertEquals(failures, []);
}
