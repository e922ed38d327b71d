/** A job queue: jobs survive a crash, and each is done at least once.
 *
 *     bun examples/job_queue.ts
 *
 * A worker takes a job for a while. If it dies, the job is free again when that is over.
 *
 * @module
 */

import { decodeU64, HybridStore, toJson, toText, type Transaction } from "@hybrid/store";

/** A job that a worker has taken. */
export interface Taken<Job> {
  readonly id: string;
  readonly job: Job;
  /** How many times it was taken, this time included. */
  readonly attempt: number;
}

interface Waiting<Job> {
  readonly job: Job;
  readonly attempts: number;
}

const READY = "ready/";
const TAKEN = "taken/";
const LAST_ID = "last id";

/** Jobs in a store, first in, first out. */
export class JobQueue<Job> {
  readonly #store: HybridStore;
  readonly #leaseMs: number;
  readonly #now: () => number;

  /**
   * @param leaseMs For how long a worker has a job.
   * @param now Tells the time, in milliseconds since 1970.
   */
  constructor(store: HybridStore, leaseMs: number, now: () => number = Date.now) {
    this.#store = store;
    this.#leaseMs = leaseMs;
    this.#now = now;
  }

  /** Adds a job. It is on disk when this resolves with its id. */
  add(job: Job): Promise<string> {
    return this.#store.transact((tx) => {
      const id = sortable(Number(tx.fetchAndAddU64(LAST_ID, 1n)));
      tx.put(READY + id, JSON.stringify({ job, attempts: 0 }));
      return id;
    });
  }

  /** Takes the oldest job that is free, `undefined` where none is. */
  take(): Promise<Taken<Job> | undefined> {
    return this.#store.transact((tx) => {
      this.#freeExpired(tx);
      const [next] = tx.scan({ prefix: READY, limit: 1 });
      if (next === undefined) return undefined;
      const id = toText(next.key).slice(READY.length);
      const { job, attempts } = toJson<Waiting<Job>>(next.value);
      tx.delete(next.key);
      tx.put(this.#takenKey(id), JSON.stringify({ job, attempts: attempts + 1 }));
      tx.put(`lease/${id}`, this.#takenKey(id));
      return { id, job, attempt: attempts + 1 };
    });
  }

  /** Notes that a job is done, and returns whether the worker still had it. */
  finish(id: string): Promise<boolean> {
    return this.#store.transact((tx) => {
      const key = tx.get(`lease/${id}`);
      if (key === undefined) return false;
      tx.delete(key);
      tx.delete(`lease/${id}`);
      return true;
    });
  }

  /** How many jobs were ever added. */
  async added(): Promise<number> {
    const last = await this.#store.get(LAST_ID);
    return last === undefined ? 0 : Number(decodeU64(last));
  }

  #freeExpired(tx: Transaction): void {
    for (const { key, value } of tx.scan({ gte: TAKEN, lt: TAKEN + sortable(this.#now()) })) {
      const id = toText(key).split("/")[2]!;
      tx.delete(key);
      tx.delete(`lease/${id}`);
      tx.put(READY + id, value);
    }
  }

  #takenKey(id: string): string {
    return `${TAKEN}${sortable(this.#now() + this.#leaseMs)}/${id}`;
  }
}

/** Numbers sort as text when they have as many digits. */
function sortable(number: number): string {
  return String(number).padStart(15, "0");
}

if (import.meta.main) {
  await using store = await HybridStore.openTemp();
  const queue = new JobQueue<{ to: string }>(store, 60_000);
  await queue.add({ to: "ada@example.com" });
  for (let taken = await queue.take(); taken !== undefined; taken = await queue.take()) {
    console.log(`sends to ${taken.job.to}`);
    await queue.finish(taken.id);
  }
}
