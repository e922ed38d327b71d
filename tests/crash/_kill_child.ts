/** A process that works on a store until it is killed. It takes a `Life` as one line of JSON, and prints
 * lines, each with one write call, so that what was said before a kill arrives in order:
 *
 *     o               is about to open the store
 *     r               has opened it
 *     i <number>      is about to issue all operations up to this one
 *     a <number> <outcome>   the store has acknowledged this one
 *     v <cursor> <position> <digest>   the change feed has shown this, which is not acted on yet
 *     c <cursor> <position>            the store has acknowledged the move of a cursor
 *     s               is about to kill itself at the step it was asked to
 *     e <text>        something failed that must not fail
 */

import * as fs from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { HybridStore, type Snapshot } from "../../mod.ts";
import { Random } from "../support/random.ts";
import { consume } from "./_feed_consumer.ts";
import { checkFeed, createCursors } from "./_feed_views.ts";
import type { Life } from "./_kill_life.ts";
import { operationAt, run } from "./_kill_operations.ts";
import { openWithSteps } from "./_kill_steps.ts";

const PENDING_MAX = 400;
/** Where a process is to die at a step, it passes all of them soon: closing and opening too. */
const PAUSES_PER_REOPEN = 12;
/** Nobody waits this long for a child to be killed. */
const LIFE_MS_MAX = 60_000;

function say(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  let written = 0;
  while (written < bytes.length) {
    try {
      written += fs.writeSync(1, bytes, written);
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") process.exit(1);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function fail(error: unknown): never {
  say(`e ${String((error as Error)?.stack ?? error).replaceAll("\n", " | ")}`);
  process.exit(1);
}

/** Works on a store: bursts of operations, and now and then what the store does besides. */
class Worker {
  readonly #life: Life;
  readonly #random: Random;
  readonly #pending = new Set<Promise<void>>();
  readonly #snapshots: Snapshot[] = [];
  #store!: HybridStore;
  #next: number;
  #pauses = 0;
  #consumed: Promise<void> | undefined;

  constructor(life: Life) {
    this.#life = life;
    this.#random = new Random(life.seed + life.from);
    this.#next = life.from;
  }

  async work(): Promise<never> {
    await this.#open();
    for (;;) {
      this.#issue(1 + this.#random.below(this.#random.once(8) ? 120 : 12));
      await this.#pause();
    }
  }

  async #open(): Promise<void> {
    const { directory, options, step } = this.#life;
    say("o");
    this.#store = step === undefined
      ? await HybridStore.open(directory, options)
      : await openWithSteps(directory, options, step, () => say("s"));
    if (this.#life.isFed === true) await this.#feed();
    say("r");
  }

  async #feed(): Promise<void> {
    // Before the first write, of which the views would lack the change.
    await createCursors(this.#store);
    this.#consumed = consume(this.#store, {
      random: this.#random,
      onShown: (cursor, position, digest) => say(`v ${cursor} ${position} ${digest}`),
      onMoved: (cursor, position) => say(`c ${cursor} ${position}`),
    });
    this.#consumed.catch(fail);
  }

  /** Copies the store, for whose cursors the journal has to be kept in the copy too. */
  async #backUp(): Promise<void> {
    const copy = `${this.#life.directory}-backup`;
    fs.rmSync(copy, { recursive: true, force: true });
    await this.#store.backup(copy);
    const store = await HybridStore.open(copy);
    try {
      const faults = await checkFeed(store, new Map());
      if (faults.length > 0) fail(`in a backup ${faults.join()}`);
    } finally {
      await store.close();
    }
  }

  #issue(count: number): void {
    say(`i ${this.#next + count - 1}`);
    for (const end = this.#next + count; this.#next < end; this.#next++) {
      const n = this.#next;
      const acknowledged = run(this.#store, operationAt(this.#life.seed, n))
        .then((outcome) => say(`a ${n} ${outcome}`), fail)
        .finally(() => this.#pending.delete(acknowledged));
      this.#pending.add(acknowledged);
    }
  }

  async #pause(): Promise<void> {
    if (this.#pending.size > PENDING_MAX) await Promise.all(this.#pending);
    const isReopenDue = this.#life.step !== undefined && ++this.#pauses % PAUSES_PER_REOPEN === 0;
    if (isReopenDue) return await this.#reopen();
    const random = this.#random;
    switch (random.below(24)) {
      case 0:
        return await this.#store.checkpoint();
      case 1:
        return await this.#store.flush();
      case 2:
        return await delay(random.below(4));
      case 3:
        this.#snapshots.push(await this.#store.snapshot());
        if (this.#snapshots.length > 3) await this.#snapshots.shift()![Symbol.asyncDispose]();
        return;
      case 4:
        this.#store.checkpoint().catch(fail);
        return;
      case 5:
        return random.once(6) ? await this.#reopen() : undefined;
      case 6:
        return this.#consumed && random.once(4) ? await this.#backUp() : undefined;
      default:
        if (random.once(2)) await Promise.all(this.#pending);
        else await nextTurn();
    }
  }

  async #reopen(): Promise<void> {
    this.#snapshots.length = 0;
    // Whoever waits hears of it before the store is closed.
    await this.#store.close();
    await Promise.all(this.#pending);
    await this.#consumed;
    await this.#open();
  }
}

setTimeout(() => fail("nobody killed this process"), LIFE_MS_MAX);
const input = createInterface({ input: process.stdin });
// Whoever started this process is gone.
input.on("close", () => process.exit(1));
input.once("line", (line) => new Worker(JSON.parse(line)).work().catch(fail));
