/** Runs works: all contestants in turn, round after round.
 *
 * @module
 */

import { type Dataset, type DatasetId, makeDataset } from "./_data.ts";
import type { RunSettings } from "./_command_line.ts";
import { today } from "./_machine.ts";
import { distributionOf, settle } from "./_measure.ts";
import { seedOf } from "./_orders.ts";
import type { WorkLine } from "./_results.ts";
import { makeTemp, removeTemp } from "./_temp.ts";
import { OPENERS, type Session } from "./peers/mod.ts";
import type { Entry, Figures, Work } from "./works/mod.ts";

/** A warm-up takes this part of a trial, with so many keys. */
const WARM_UP_PART = 0.1;
const WARM_UP_KEYS = 2_000;
/** HybridStore writes for longer: what it puts off until later has to be in the figure. */
export const HYBRID_WRITE_FACTOR = 9;
/** Contestants that are slow get this part of the keys where all of them are written. */
const SLOW_PART = 0.1;

/** Which pass of a work a trial belongs to. */
interface Pass {
  readonly kind: "warm-up" | "round" | "latencies";
  readonly seed: number;
  readonly latencies?: number[];
}

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
    return entriesOf(work).length *
      (this.#roundsOf(work) + 1 + Number(work.hasLatencies ?? false));
  }

  #roundsOf({ roundsMax = Infinity }: Work): number {
    return Math.min(this.#settings.rounds, roundsMax);
  }

  /** Runs a work.
   *
   * @param later The works that follow.
   * @returns A line for each of its rows and contestants.
   */
  async run(work: Work, later: readonly Work[]): Promise<WorkLine[]> {
    const entries = entriesOf(work);
    const seed = (round: number) => seedOf(work.rows[0]!.id, round);
    const figures = new Map<string, Figures[]>(entries.map(({ id }) => [id, []]));
    const latencies = new Map<string, number[]>();
    try {
      for (const entry of entries) {
        await this.#trial(work, entry, { kind: "warm-up", seed: seed(0) });
      }
      const rounds = this.#roundsOf(work);
      for (let round = 0; round < rounds; round++) {
        for (let i = 0; i < entries.length; i++) {
          // Another one begins each time, so that nobody always comes behind the same neighbor.
          const entry = entries[(i + round) % entries.length]!;
          const pass: Pass = { kind: "round", seed: seed(1 + round) };
          figures.get(entry.id)!.push(await this.#trial(work, entry, pass));
        }
      }
      for (const entry of work.hasLatencies ? entries : []) {
        const found: number[] = [];
        const pass: Pass = { kind: "latencies", seed: seed(1 + rounds), latencies: found };
        await this.#trial(work, entry, pass);
        latencies.set(entry.id, found);
      }
    } finally {
      work.finish?.();
      await this.#release(later);
    }
    return linesOf(work, entries, figures, latencies);
  }

  /** Closes whatever is still open. */
  close(): Promise<void> {
    return this.#release([]);
  }

  async #trial(work: Work, entry: Entry, pass: Pass): Promise<Figures> {
    this.#onTrial(work.rows[0]!.id, entry.name);
    const dataset = await this.#dataset(work.dataset);
    const side = dataset[entry.side];
    const isShort = pass.kind === "warm-up" && !work.isCached;
    const { contestant } = entry;
    const open = OPENERS[contestant.id]!;
    const isOwn = work.store === "fresh" || work.store === "preloaded";
    const slowPart = isOwn && contestant.isSlow ? SLOW_PART : 1;
    const keys = Math.ceil(side.keys.length * slowPart);
    const count = isShort ? Math.min(WARM_UP_KEYS, keys) : keys;
    const isLong = isOwn && contestant.id.startsWith("hybrid");
    const trialMs = this.#settings.trialMs * (isLong ? HYBRID_WRITE_FACTOR : 1);

    const directory = makeTemp();
    let session: Session | undefined;
    let used: Session | undefined;
    try {
      if (isOwn) session = await open(directory);
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
        open,
        directory,
        seed: pass.seed,
        dataset,
        side,
        count,
        limitMs: trialMs * (isShort ? WARM_UP_PART : 1),
        latencies: pass.latencies,
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
    const session = await OPENERS[entry.contestant.id]!(directory);
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
        work.store === "filled" ? entriesOf(work).map((entry) => nameOf(work, entry)) : []
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

/** Returns the contestants of a work that the runtime has. */
function entriesOf({ entries }: Work): Entry[] {
  return entries.filter(({ contestant }) => OPENERS[contestant.id] !== undefined);
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

function linesOf(
  { rows }: Work,
  entries: readonly Entry[],
  figures: ReadonlyMap<string, readonly Figures[]>,
  latencies: ReadonlyMap<string, readonly number[]>,
): WorkLine[] {
  const date = today();
  return rows.flatMap(({ id: work }, index) =>
    entries.map(({ id: by }) => {
      const found = figures.get(by)!;
      const times = latencies.get(by);
      const stalls = found.flatMap(({ stallMsMax }) => stallMsMax ?? []);
      return {
        work,
        by,
        date,
        rounds: found.map(({ values }) => values[index]!),
        ...(times !== undefined && { latencyUs: latencyUs(times) }),
        ...(stalls.length > 0 && { stallMsMax: Math.max(...stalls) }),
      };
    })
  );
}

function latencyUs(timesMs: readonly number[]): [number, number, number] {
  const { p50, p99, max } = distributionOf(timesMs);
  return [p50 * 1000, p99 * 1000, max * 1000];
}
