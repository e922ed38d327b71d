/** The writes of a store, in the order of their calls. Those that are called while others are on their way go
 * together, in one statement.
 *
 * @module
 */

import { StoreError } from "../codec/error.ts";
import type { KeyRange } from "../store/range.ts";
import type { Statement } from "./statement.ts";
import type { Tables, WriteNumber } from "./tables.ts";
import {
  type BatchPart,
  type Change,
  ChangeTask,
  Group,
  type KeyWrite,
  nameOf,
  Pause,
  RangeTask,
  type Task,
  writesOf,
} from "./write_tasks.ts";
import type { Writer } from "./writer.ts";

/** The writes of a store that have not ended, and the reads that they wait for. */
export class WriteQueue {
  readonly #writer: Writer;
  readonly #tables: Tables;
  /** In their order; the first one is on its way. */
  readonly #tasks: Task[] = [];
  readonly #reading = new Map<string, Promise<unknown>>();
  #isRunning = false;

  constructor(writer: Writer, tables: Tables) {
    this.#writer = writer;
    this.#tables = tables;
  }

  /** Writes keys, each of them once: all of them or none. */
  write(what: string, writes: readonly KeyWrite[]): Promise<void> {
    return new Promise((resolve, reject) => {
      let bytes = 0;
      for (const { key, value } of writes) bytes += key.length + (value?.length ?? 0);
      let last = this.#tasks.at(-1);
      if (!(last instanceof Group) || last.isClosed || !last.hasRoom(writes.length, bytes)) {
        last = new Group(this.#tables);
        this.#tasks.push(last);
      }
      const names = writes.map(({ key }) => nameOf(key));
      (last as Group).add({ what, resolve, reject }, writes, names, bytes);
      for (const name of names) this.#waitFor(last, name);
      this.#start();
    });
  }

  /** Writes a batch that removes ranges: all of it or nothing. */
  async writeBatch(what: string, parts: readonly BatchPart[]): Promise<void> {
    await this.#removeRanges(
      what,
      (number) =>
        parts.flatMap((part) =>
          "range" in part
            ? [this.#tables.deleteRange(part.range, Infinity, number)]
            : writesOf(this.#tables, part.writes, number)
        ),
    );
  }

  /** Deletes keys of a range, and returns how many there were. */
  async deleteRange(what: string, range: KeyRange, limit: number): Promise<number> {
    const count = await this.#removeRanges(
      what,
      (number) => [this.#tables.deleteRange(range, limit, number)],
    );
    if (count !== "done") return count;
    throw new StoreError(
      "UNKNOWN_RESULT",
      `${what}: the range is deleted, but the connection was lost before the answer how many keys ` +
        "it had",
    );
  }

  /** Changes the value of a key by what it is. */
  change(what: string, key: Uint8Array, change: Change): Promise<void> {
    return new Promise((resolve, reject) => {
      let last = this.#tasks.at(-1);
      if (!(last instanceof ChangeTask) || last.isClosed) {
        last = new ChangeTask(this.#tables);
        this.#tasks.push(last);
      }
      const name = nameOf(key);
      (last as ChangeTask).add({ what, resolve, reject }, key, name, change);
      this.#waitFor(last, name);
      this.#start();
    });
  }

  /** Reads keys after all earlier writes of them, and before all later ones. */
  async read<T>(keys: readonly Uint8Array[], read: () => Promise<T>): Promise<T> {
    const names = keys.map(nameOf);
    let last: Task | undefined;
    for (const task of this.#tasks) if (names.some((name) => task.touches(name))) last = task;
    // What joined it from here on would be read as well.
    if (last !== undefined) last.isClosed = true;
    const reading = last === undefined ? read() : last.ended.promise.then(read);
    for (const name of names) this.#reading.set(name, reading);
    try {
      return await reading;
    } finally {
      for (const name of names) {
        if (this.#reading.get(name) === reading) this.#reading.delete(name);
      }
    }
  }

  /** Does something after all earlier writes and before all later ones. */
  async between<T>(work: () => Promise<T>): Promise<T> {
    const task = new Pause(work);
    this.#tasks.push(task);
    this.#start();
    return await task.done as T;
  }

  /** Waits for all earlier writes, whether they succeed or not. */
  async settle(): Promise<void> {
    const last = this.#tasks.at(-1);
    if (last === undefined) return;
    last.isClosed = true;
    await last.ended.promise;
  }

  #removeRanges(
    what: string,
    statements: (number: WriteNumber) => readonly Statement[],
  ): Promise<number | "done"> {
    const task = new RangeTask(what, statements, this.#tables);
    for (const reading of this.#reading.values()) task.before.add(reading);
    this.#tasks.push(task);
    this.#start();
    return task.done;
  }

  #waitFor(task: Task, name: string): void {
    const reading = this.#reading.get(name);
    if (reading !== undefined) task.before.add(reading);
  }

  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    // What is called in the same turn goes together.
    await undefined;
    for (let task = this.#tasks[0]; task !== undefined; task = this.#tasks[0]) {
      if (task.before.size > 0) await Promise.allSettled(task.before);
      task.isClosed = true;
      await task.run(this.#writer);
      this.#tasks.shift();
      // Those that have waited for it read before the next one begins.
      task.ended.resolve();
      await undefined;
    }
    this.#isRunning = false;
  }
}
