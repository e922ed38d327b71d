/** A process that works on a store while its system calls are recorded. It takes a {@linkcode Life} as
 * an argument of JSON, and says what it does and hears in marks: see {@linkcode Testimony}.
 */

import * as fs from "node:fs";
import process from "node:process";
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { join } from "@std/path";
import { HybridStore, type Snapshot, StoreError } from "../../mod.ts";
import { consume } from "../crash/_feed_consumer.ts";
import { checkFeed, type OnShown } from "../crash/_feed_views.ts";
import { run } from "../crash/_kill_operations.ts";
import { Random } from "../support/random.ts";
import type { Life } from "./_life.ts";
import { entriesOf, fit, operationOf, touchesBtree, wrote } from "./_load.ts";
import { Testimony } from "./_testimony.ts";
import { MARK } from "./_trace.ts";

/** Nothing that a store is asked takes this long; what does will never end. */
const WAIT_MS_MAX = 30_000;

/** A call that fails once in each thread can fail as often as there are threads. */
const TRIES_MAX = 20;

/** Works on a store. */
class Worker {
  readonly #life: Life;
  readonly #random: Random;
  readonly #testimony: Testimony;
  readonly #pending = new Set<Promise<void>>();
  readonly #snapshots: Snapshot[] = [];
  #store!: HybridStore;
  #hasFailed = false;
  #consumed: Promise<void> | undefined;
  readonly #onShown: OnShown = (...shown) => this.#say(`shown ${shown.join(" ")}`);

  constructor(life: Life) {
    this.#life = life;
    this.#random = new Random(life.seed);
    this.#testimony = new Testimony(0);
    this.#testimony.numbers.push(...life.numbers);
    this.#testimony.promised = life.promised;
    this.#testimony.next = life.next;
  }

  async work(): Promise<void> {
    const { root, makes, copies, next, count, end } = this.#life;
    if (makes === true) fs.mkdirSync(join(root, "store"));
    if (copies === "restore") await this.#restore();
    await this.#open();
    const last = next + count;
    let backup: Promise<void> | undefined;
    while (this.#testimony.next < last) {
      this.#issue(Math.min(last - this.#testimony.next, this.#burst()));
      if (copies === "backup" && backup === undefined && this.#testimony.next > next + count / 3) {
        backup = this.#backUp(join(root, "copy"));
      }
      await this.#pause();
      if (this.#hasFailed) await this.#meetFailure();
    }
    await backup;
    await Promise.all(this.#pending);
    if (end === "close") await this.#close();
  }

  #burst(): number {
    return 1 + this.#random.below(this.#random.once(8) ? 30 : 5);
  }

  async #open(): Promise<void> {
    const { root, options, load } = this.#life;
    const opened = await this.#tryHard(
      "open",
      () => HybridStore.open(join(root, "store"), options),
    );
    this.#store = opened;
    // Operations are compared with views that are up to date.
    const faults = load.isFed === true ? await checkFeed(opened, new Map(), this.#onShown) : [];
    for (const fault of faults) this.#fail(`opened again in the same boot: ${fault}`);
    const { numbers, outcomes, promised } = this.#testimony;
    const { length, fault } = fit(load, numbers, outcomes, await entriesOf(opened));
    if (fault !== undefined) this.#fail(`opened again in the same boot: ${fault}`);
    if (length === undefined) this.#exit();
    if (length < promised) {
      this.#fail(`opened again in the same boot: ${length} operations of ${promised} promised`);
    }
    this.#say(`found ${length}`);
    if (load.isFed === true) this.#feed();
  }

  #feed(): void {
    const consumed = consume(this.#store, { random: this.#random, onShown: this.#onShown });
    this.#consumed = consumed.catch((error) => this.#fail(`consumer: ${error?.stack ?? error}`));
  }

  async #restore(): Promise<void> {
    const { root } = this.#life;
    this.#say("restore");
    await this.#tryHard("restore", async () => {
      await HybridStore.restore(join(root, "copy"), join(root, "store"));
      return true;
    });
    this.#say("copied");
  }

  async #backUp(target: string): Promise<void> {
    this.#say(`backup ${this.#testimony.next}`);
    const answer = await this.#attempt("backup", this.#store.backup(target));
    this.#say(answer === undefined ? "given up" : "copied");
  }

  #issue(count: number): void {
    const { next } = this.#testimony;
    this.#say(`issue ${next} ${next + count}`);
    for (let n = next; n < next + count; n++) {
      const answered = this.#call(n).finally(() => this.#pending.delete(answered));
      this.#pending.add(answered);
    }
  }

  async #call(n: number): Promise<void> {
    const store = this.#store;
    const operation = operationOf(this.#life.load, n);
    try {
      const outcome = await this.#limit(`operation ${n}`, run(store, operation));
      this.#say(`answer ${n} ${outcome}`);
      const { durability = "hybrid" } = this.#life.options;
      const isDurable = durability === "always"
        ? wrote(operation, outcome)
        : durability === "hybrid" && touchesBtree(store, operation, outcome);
      if (isDurable) this.#say(`durable ${n}`);
    } catch (error) {
      this.#hasFailed = true;
      // What is in the journal after a failed sync is unknown; otherwise there is nothing of it.
      const isUnknown = codeOf(error) === "POISONED" || codeOf(error) === "CLOSED";
      this.#say(isUnknown ? `unknown ${n}` : `refused ${n} ${codeOf(error)}`);
    }
  }

  async #pause(): Promise<void> {
    const random = this.#random;
    const { reopens } = this.#life;
    if (reopens > 0 && random.once(reopens)) return await this.#reopen();
    switch (random.below(16)) {
      case 0:
        return await this.#promise("checkpoint", this.#store.checkpoint());
      case 1:
        return await this.#promise("flush", this.#store.flush());
      case 2:
        return await delay(random.below(5));
      case 3: {
        const snapshot = await this.#attempt("snapshot", this.#store.snapshot());
        if (snapshot !== undefined) this.#snapshots.push(snapshot);
        if (this.#snapshots.length > 2) await this.#snapshots.shift()![Symbol.asyncDispose]();
        return;
      }
      default:
        if (random.once(4)) await nextTurn();
        else await Promise.all(this.#pending);
    }
  }

  async #promise(what: string, answer: Promise<void>): Promise<void> {
    const { next } = this.#testimony;
    const isKept = await this.#attempt(what, answer.then(() => true));
    if (isKept !== undefined) this.#say(`flushed ${next}`);
  }

  async #meetFailure(): Promise<void> {
    const { onFailure } = this.#life;
    await Promise.all(this.#pending);
    if (onFailure === "exit") this.#exit();
    if (onFailure === "reopen") await this.#reopen();
    this.#hasFailed = false;
  }

  async #reopen(): Promise<void> {
    await this.#close();
    await this.#open();
  }

  async #close(): Promise<void> {
    this.#snapshots.length = 0;
    await this.#promise("close", this.#store.close());
    await Promise.all(this.#pending);
    await this.#consumed;
  }

  /** Returns what a call resolves to, which may have to be made again after a failure. */
  async #tryHard<T>(what: string, call: () => Promise<T>): Promise<T> {
    const { onFailure } = this.#life;
    const times = onFailure === "exit" ? 1 : TRIES_MAX;
    for (let time = 0; time < times; time++) {
      const result = await this.#attempt(what, call());
      if (result !== undefined) return result;
    }
    if (onFailure !== "exit") this.#fail(`${what} fails again and again`);
    this.#exit();
  }

  /** Returns what a promise resolves to, `undefined` where the store fails. */
  async #attempt<T>(what: string, answer: Promise<T>): Promise<T | undefined> {
    try {
      return await this.#limit(what, answer);
    } catch (error) {
      this.#hasFailed = true;
      this.#say(`failed ${what}: ${codeOf(error)} ${(error as Error).message}`);
      if (!(error instanceof StoreError)) this.#fail(`${what}: ${(error as Error).stack}`);
      return undefined;
    }
  }

  async #limit<T>(what: string, answer: Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.#fail(`${what} never ended`);
      this.#exit();
    }, WAIT_MS_MAX);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  #fail(text: string): void {
    this.#say(`fault ${text.replaceAll("\n", " | ")}`);
  }

  #exit(): never {
    process.exit(0);
  }

  /** One write call, so that the trace tells when it was said. */
  #say(mark: string): void {
    fs.writeSync(2, `${MARK}${mark}\n`);
    this.#testimony.hear(mark);
  }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? error);
}

await new Worker(JSON.parse(process.argv[2]!)).work();
process.exit(0);
