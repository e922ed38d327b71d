/** What the campaign does to stores. */

import type { Durability, OpenOptions } from "../../mod.ts";
import type { Random } from "../support/random.ts";
import type { Injection } from "./_record.ts";
import type { Plan, PlannedLife } from "./_run.ts";

/** A kind of run. */
export interface Scenario {
  readonly name: string;
  /** How many of a thousand images it gets, and how many at least. */
  readonly share: number;
  readonly least?: number;
  /** How many images are made of one run. */
  readonly images: number;
  /** Calls of which each in turn is made to fail, or to kill the process. */
  readonly injects?: { readonly calls: readonly string[]; readonly effect: Injection["effect"] };
  /** Whether images of it must be bad: the disk ignores syncs. */
  readonly isControl?: boolean;
  /** Returns what a run is to do. */
  readonly plan: (random: Random, injection: Injection | undefined) => Plan;
}

const SYNCS_AND_WRITES = ["fsync", "fdatasync", "pwrite64", "writev", "ftruncate"];
const KNOWN = 50;

/** Sealing, applying, rotating and trimming all the time. */
function smallOptions(random: Random, durability: Durability): OpenOptions {
  return {
    durability,
    syncIntervalMs: random.pick([1, 20, 1000]),
    memtableBytes: random.pick([500, 3000, 12_000, 40_000]),
    segmentBytes: random.pick([1500, 8000, 60_000]),
    readCacheBytes: 0,
  };
}

function largeOptions(random: Random): OpenOptions {
  return {
    durability: random.pick(["always", "hybrid"] as const),
    memtableBytes: random.pick([300_000, 1_000_000]),
    segmentBytes: random.pick([400_000, 2_000_000]),
    readCacheBytes: 0,
  };
}

function planOf(
  random: Random,
  life: Partial<PlannedLife>,
  { lives, ...plan }: Partial<Plan> = {},
): Plan {
  return {
    seed: random.below(2 ** 31),
    // Operations are the same in all runs, so that a store is prepared once for all.
    load: { seed: LOAD_SEED, isLarge: false },
    options: smallOptions(random, "always"),
    base: "store",
    known: KNOWN,
    ...plan,
    lives: lives ?? [lifeOf(random, life)],
  };
}

const LOAD_SEED = 20;
/** The views are there from the first operation on. */
const FED = {
  load: { seed: LOAD_SEED, isLarge: false, isFed: true },
  base: "none",
  known: 0,
} as const;

function lifeOf(random: Random, life: Partial<PlannedLife>): PlannedLife {
  return {
    count: 60 + random.below(60),
    reopens: 0,
    end: random.pick(["close", "exit"] as const),
    onFailure: "exit",
    ...life,
  };
}

function underLoad(durability: Durability): Scenario {
  return {
    name: durability,
    share: 90,
    images: 50,
    plan: (random) => planOf(random, {}, { options: smallOptions(random, durability) }),
  };
}

/** A call fails once in each thread. The process then ends, and another one may open the store in the same
 * boot; or it closes the store and opens it again; or it continues.
 */
function afterFailure(
  name: string,
  share: number,
  { copies, ...plan }: Partial<Plan> & Pick<PlannedLife, "copies">,
): Scenario {
  return {
    name,
    share,
    images: 8,
    injects: { calls: SYNCS_AND_WRITES, effect: "EIO" },
    plan: (random, injection) => {
      const life = {
        count: 30 + random.below(30),
        onFailure: random.pick(["exit", "exit", "reopen", "continue"] as const),
        ...(copies !== undefined && { copies }),
        ...(injection !== undefined && { injection }),
      };
      const lives = [lifeOf(random, life)];
      // What one process leaves in the journal, the next one replays.
      const replays = plan.base === undefined && copies === undefined && random.once(3);
      if (replays) lives.unshift(lifeOf(random, { count: 1 + random.below(30), end: "exit" }));
      const isOver = life.onFailure !== "exit" || copies !== undefined;
      if (!isOver && random.once(2)) lives.push(lifeOf(random, { count: random.below(30) }));
      return planOf(random, {}, { options: smallOptions(random, "always"), ...plan, lives });
    },
  };
}

function control(name: string, ignores: RegExp, base: Partial<Plan> = {}): Scenario {
  return {
    name: `control: ${name}`,
    share: 10,
    // Of ten images of one run, all can be good by chance; of thirty of three runs hardly.
    least: 30,
    images: 10,
    isControl: true,
    plan: (random) => {
      const options = { durability: "always", memtableBytes: 3000, segmentBytes: 8000 } as const;
      return planOf(random, { count: 100 }, { options, ignores, ...base });
    },
  };
}

/** All kinds of runs. */
export const SCENARIOS: readonly Scenario[] = [
  underLoad("always"),
  underLoad("hybrid"),
  underLoad("flush"),
  {
    name: "large",
    share: 60,
    images: 40,
    plan: (random) => {
      const load = { seed: LOAD_SEED, isLarge: true };
      return planOf(random, { count: 40 }, { options: largeOptions(random), load, known: 5 });
    },
  },
  {
    name: "create",
    share: 110,
    images: 30,
    plan: (random) => {
      const durability = random.pick(["always", "hybrid", "flush"] as const);
      const options = random.once(2) ? { durability } : smallOptions(random, durability);
      const life = { makes: random.once(2), count: random.below(30) };
      return planOf(random, life, { options, base: "none", known: 0 });
    },
  },
  {
    name: "replay",
    share: 90,
    images: 40,
    injects: { calls: ["pwrite64", "fdatasync", "fsync", "unlink", "write"], effect: "kill" },
    plan: (random, injection) => {
      const options = smallOptions(random, random.pick(["always", "hybrid", "flush"] as const));
      const killed = injection === undefined ? {} : { injection };
      const lives = [
        lifeOf(random, { ...killed, end: "exit" }),
        lifeOf(random, { count: random.below(40) }),
      ];
      return planOf(random, {}, { options, lives });
    },
  },
  {
    name: "backup",
    share: 70,
    images: 40,
    plan: (random) => planOf(random, { copies: "backup" }),
  },
  {
    name: "restore",
    share: 50,
    images: 40,
    plan: (random) =>
      planOf(random, { copies: "restore", count: random.below(20) }, { base: "copy" }),
  },
  {
    name: "close",
    share: 70,
    images: 40,
    plan: (random) => {
      const durability = random.pick(["always", "hybrid", "flush"] as const);
      const life = { reopens: 6, end: "close", count: 40 } as const;
      return planOf(random, life, { options: smallOptions(random, durability) });
    },
  },
  {
    name: "feed",
    share: 90,
    images: 40,
    injects: { calls: ["pwrite64", "fdatasync", "unlink"], effect: "kill" },
    plan: (random, injection) => {
      const options = smallOptions(random, random.pick(["always", "hybrid", "flush"] as const));
      const lives = [lifeOf(random, { count: 40 + random.below(60) })];
      // What a killed consumer leaves, the next one continues.
      if (injection !== undefined) lives.unshift(lifeOf(random, { injection, end: "exit" }));
      return planOf(random, {}, { options, ...FED, lives });
    },
  },
  afterFailure("failed call", 200, {}),
  afterFailure("failed call in creation", 70, { base: "none", known: 0 }),
  afterFailure("failed call in backup", 40, { copies: "backup" }),
  afterFailure("failed call in restore", 40, { copies: "restore", base: "copy" }),
  control("ignored syncs of the journal", /\.seg$/),
  control("ignored syncs of the journal, with a feed", /\.seg$/, FED),
  control("ignored syncs of SQLite", /\.sqlite(-wal)?$/),
];
