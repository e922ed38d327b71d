/** Runs works: all contestants in turn, round after round.
 *
 * @module
 */

import { barOf, LIMITS } from "./_bars.ts";
import { type Dataset, type DatasetId, makeDataset } from "./_data.ts";
import type { Stall } from "./_loop_delay.ts";
import { distributionOf, median, settle } from "./_measure.ts";
import type { ContestantResult, Ratio, RunSettings, WorkResult } from "./_results.ts";
import { makeTemp, removeTemp } from "./_temp.ts";
import type { Session } from "./peers/mod.ts";
import type { Entry, Figures, Row, Work } from "./works/mod.ts";

/** A warm-up takes this part of a trial, with so many keys. */
const WARM_UP_PART = 0.1;
const WARM_UP_KEYS = 2_000;
/** HybridStore writes for longer: what it puts off until later has to be in the figure. */
export const HYBRID_WRITE_FACTOR = 9;
/** Milliseconds below which a stall is none; a ratio needs something to divide by. */
const FIGURE_MIN = 0.01;
/** Contestants that are slow get this part of the keys where all of them are written. */
const SLOW_PART = 0.1;

/** Which pass of a work a trial belongs to. */
type Pass = { kind: "warm-up" | "round" } | { kind: "latencies"; latencies: number[] };

/** Runs works one after the other; stores and data that the next ones need stay. */
export class Runner {
  readonly #settings: RunSettings;
  readonly #onTrial: (work: string, contestant: string) => void;
  readonly #datasets = new Map<DatasetId, Dataset>();
  readonly #filled = new Map<string, { session: Session; directory: string }>();

  /** @param onTrial Told of each trial that begins. */
  constructor(settings: RunSettings, onTrial: (work: string, contestant: string) => void) {
    this.#settings = settings;
    this.#onTrial = onTrial;
  }

  /** How many trials a work takes. */
  trialsOf(work: Work): number {
    return work.entries.length * (this.#roundsOf(work) + 1 + Number(work.hasLatencies ?? false));
  }

  #roundsOf({ roundsMax = Infinity }: Work): number {
    return Math.min(this.#settings.rounds, roundsMax);
  }

  /** Runs a work.
   *
   * @param later The works that follow.
   * @returns A result for each of its rows.
   */
  async run(work: Work, later: readonly Work[]): Promise<WorkResult[]> {
    const { entries, rows } = work;
    const figures = new Map<string, Figures[]>(entries.map(({ id }) => [id, []]));
    const latencies = new Map<string, number[]>();
    try {
      for (const entry of entries) await this.#trial(work, entry, { kind: "warm-up" });
      const rounds = this.#roundsOf(work);
      for (let round = 0; round < rounds; round++) {
        for (let i = 0; i < entries.length; i++) {
          // Another one begins each time, so that nobody always comes behind the same neighbor.
          const entry = entries[(i + round) % entries.length]!;
          figures.get(entry.id)!.push(await this.#trial(work, entry, { kind: "round" }));
        }
      }
      for (const entry of work.hasLatencies ? entries : []) {
        const found: number[] = [];
        await this.#trial(work, entry, { kind: "latencies", latencies: found });
        latencies.set(entry.id, found);
      }
    } finally {
      work.finish?.();
      await this.#release(later);
    }
    return rows.map((row, index) => resultOf(work, row, index, figures, latencies));
  }

  /** Closes whatever is still open. */
  close(): Promise<void> {
    return this.#release([]);
  }

  async #trial(work: Work, entry: Entry, pass: Pass): Promise<Figures> {
    this.#onTrial(work.rows[0]!.id, entry.name);
    const dataset = await this.#dataset(work.dataset);
    const side = dataset[entry.side];
    const isWarmUp = pass.kind === "warm-up";
    const { contestant } = entry;
    const isOwn = work.store === "fresh" || work.store === "preloaded";
    const slowPart = isOwn && contestant.isSlow ? SLOW_PART : 1;
    const keys = Math.ceil(side.keys.length * slowPart);
    const count = isWarmUp ? Math.min(WARM_UP_KEYS, keys) : keys;
    const isLong = isOwn && contestant.id.startsWith("hybrid");
    const trialMs = this.#settings.trialMs * (isLong ? HYBRID_WRITE_FACTOR : 1);

    const directory = makeTemp();
    let session: Session | undefined;
    let used: Session | undefined;
    try {
      if (isOwn) session = await contestant.open(directory);
      if (isOwn && work.store === "preloaded") {
        await session!.putAll(session!.keysOf(side.keys).slice(0, count), side.values);
        await session!.settle();
      }
      used = work.store === "filled" ? await this.#filledStore(work, entry) : session;
      // Keys in another form are made here and not in the trial.
      used?.keysOf(side.keys);
      // Reads leave little behind, and collecting takes longer than they do.
      if (work.store !== "filled" || pass.kind !== "round") await settle();
      return await work.run({
        entry,
        // A work of the kind `none` does not look at it.
        session: used as Session,
        directory,
        dataset,
        side,
        count,
        limitMs: trialMs * (isWarmUp ? WARM_UP_PART : 1),
        latencies: pass.kind === "latencies" ? pass.latencies : undefined,
        isQuick: this.#settings.quick,
      });
    } finally {
      // What one contestant has put off until later must not disturb the next one.
      await used?.settle();
      await session?.close();
      removeTemp(directory);
    }
  }

  async #dataset(id: DatasetId): Promise<Dataset> {
    let dataset = this.#datasets.get(id);
    if (dataset === undefined) {
      dataset = await makeDataset(id, this.#settings.keys);
      this.#datasets.set(id, dataset);
    }
    return dataset;
  }

  async #filledStore(work: Work, entry: Entry): Promise<Session> {
    const name = nameOf(work, entry);
    const known = this.#filled.get(name);
    if (known !== undefined) return known.session;
    const side = (await this.#dataset(work.dataset))[entry.side];
    const directory = makeTemp();
    const session = await entry.contestant.open(directory);
    this.#filled.set(name, { session, directory });
    const keys = session.keysOf(side.keys);
    await session.putAll(keys, side.values);
    await session.settle();
    await requireFilled(name, session, keys);
    return session;
  }

  async #release(later: readonly Work[]): Promise<void> {
    const needed = new Set(
      later.flatMap((work) =>
        work.store === "filled" ? work.entries.map((entry) => nameOf(work, entry)) : []
      ),
    );
    for (const [name, { session, directory }] of this.#filled) {
      if (needed.has(name)) continue;
      this.#filled.delete(name);
      await session.close();
      removeTemp(directory);
    }
    for (const id of this.#datasets.keys()) {
      if (!later.some(({ dataset }) => dataset === id)) this.#datasets.delete(id);
    }
  }
}

function nameOf({ dataset }: Work, { contestant, side }: Entry): string {
  return `${contestant.id} ${dataset} ${side}`;
}

/** A contestant that finds nothing is fast. */
async function requireFilled(
  name: string,
  session: Session,
  keys: readonly unknown[],
): Promise<void> {
  for (const key of [keys[0], keys[keys.length >> 1], keys.at(-1)]) {
    const found = await session.get(key) as { value?: unknown } | undefined;
    if (found instanceof Uint8Array || found?.value instanceof Uint8Array) continue;
    throw new Error(`Cannot fill ${name}: a key is missing`);
  }
}

function resultOf(
  { group, note, entries }: Work,
  { id, title, unit, better }: Row,
  index: number,
  figures: ReadonlyMap<string, readonly Figures[]>,
  latencies: ReadonlyMap<string, readonly number[]>,
): WorkResult {
  const contestants = entries.map((entry): ContestantResult => {
    const found = figures.get(entry.id)!;
    const rounds = found.map(({ values }) => values[index]!);
    const times = latencies.get(entry.id);
    const stalls = found.flatMap(({ stall }) => stall ?? []);
    return {
      id: entry.id,
      name: entry.name,
      guarantee: entry.guarantee,
      rounds,
      median: median(rounds),
      ...(times !== undefined && { latencyUs: latencyUs(times) }),
      ...(stalls.length > 0 && { stallMs: stallMs(stalls) }),
    };
  });
  return {
    id,
    title,
    group,
    unit,
    better,
    ...(note !== undefined && { note }),
    contestants,
    ratios: ratiosOf(id, better, contestants),
  };
}

function latencyUs(timesMs: readonly number[]): { p50: number; p99: number; max: number } {
  const { p50, p99, max } = distributionOf(timesMs);
  return { p50: p50 * 1000, p99: p99 * 1000, max: max * 1000 };
}

function stallMs(stalls: readonly Stall[]): Stall {
  return {
    p99: median(stalls.map(({ p99 }) => p99)),
    max: Math.max(...stalls.map(({ max }) => max)),
  };
}

function ratiosOf(
  work: string,
  better: Row["better"],
  contestants: readonly ContestantResult[],
): Ratio[] {
  const own = contestants.find(({ id }) => id === "hybrid");
  if (own === undefined) return [];
  const ratioTo = (peer: string, rounds: readonly number[]): Ratio => {
    // Figures of one round were taken side by side, so that their ratio suffers least from what else
    // the machine did.
    const ratio = median(own.rounds.map((figure, round) => {
      const other = rounds[round]!;
      return better === "higher" ? figure / other : other / Math.max(figure, FIGURE_MIN);
    }));
    const bar = barOf(work, peer);
    return { peer, ratio, ...(bar !== undefined && { bar, met: ratio >= bar }) };
  };
  const peers = contestants.filter(({ id }) => !id.startsWith("hybrid"));
  const limit = LIMITS.get(work);
  return [
    ...peers.map(({ id, rounds }) => ratioTo(id, rounds)),
    ...(limit === undefined ? [] : [ratioTo("limit", own.rounds.map(() => limit))]),
  ];
}
