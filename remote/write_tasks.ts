/** What waits in the queue of writes: what is sent together, and how.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { KeyRange } from "../store/range.ts";
import type { RemoteClient } from "./connection.ts";
import { Refusal, refusalError, retrying, WRITER_LOST } from "./failure.ts";
import type { Statement } from "./statement.ts";
import type { Tables, WriteNumber } from "./tables.ts";
import { inTransaction, type Writer } from "./writer.ts";

/** Most bytes that are sent together, if there is more than one write. */
const TOGETHER_BYTES_MAX = 4 * 1024 * 1024;
/** Most keys that are sent together. */
const TOGETHER_KEYS_MAX = 4096;
/** Most bytes of keys and values in a message, if there is more than one write in it: CockroachDB takes messages of
 * 16 MiB by default (`sql.conn.max_read_buffer_message_size`). */
const MESSAGE_BYTES_MAX = 8 * 1024 * 1024;

/** A key, and what it is set to; `undefined` where it is removed. */
export interface KeyWrite {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** A part of a batch, in order: writes of keys, each of them once, or the removal of a range. */
export type BatchPart = { readonly writes: readonly KeyWrite[] } | { readonly range: KeyRange };

/** Computes the value of a key from the one that is there, or throws what its caller gets. */
export type Change = (stored: Uint8Array | undefined) => Uint8Array | undefined;

/** Something that is waited for. */
export interface Waiter {
  readonly what: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What is written together, after everything before it. */
export interface Task {
  /** Whether it writes a key. */
  touches(key: string): boolean;
  /** What has to be read before it. */
  readonly before: Set<Promise<unknown>>;
  /** Whether nothing may join it. */
  isClosed: boolean;
  readonly ended: PromiseWithResolvers<void>;
  run(writer: Writer): Promise<void>;
}

/** The name of a key in a map. */
export function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

/** Writes of single keys, and batches without ranges. */
export class Group implements Task {
  readonly before = new Set<Promise<unknown>>();
  readonly ended = Promise.withResolvers<void>();
  isClosed = false;
  readonly #tables: Tables;
  readonly #units: { waiter: Waiter; writes: readonly KeyWrite[] }[] = [];
  readonly #keys = new Map<string, KeyWrite>();
  #bytes = 0;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  touches(key: string): boolean {
    return this.#keys.has(key);
  }

  hasRoom(keys: number, bytes: number): boolean {
    return this.#bytes + bytes <= TOGETHER_BYTES_MAX && this.#keys.size + keys <= TOGETHER_KEYS_MAX;
  }

  add(
    waiter: Waiter,
    writes: readonly KeyWrite[],
    names: readonly string[],
    bytes: number,
  ): void {
    this.#units.push({ waiter, writes });
    for (const [i, write] of writes.entries()) this.#keys.set(names[i]!, write);
    this.#bytes += bytes;
  }

  async run(writer: Writer): Promise<void> {
    const { what } = this.#units[0]!.waiter;
    try {
      await this.#send(writer, what, [...this.#keys.values()]);
      for (const { waiter } of this.#units) waiter.resolve();
    } catch (error) {
      if (error instanceof Refusal && this.#units.length > 1) return await this.#runEach(writer);
      for (const { waiter } of this.#units) waiter.reject(errorOf(waiter.what, error));
    }
  }

  /** Writes one after the other, so that one that is refused does not take others with it. */
  async #runEach(writer: Writer): Promise<void> {
    for (const { waiter, writes } of this.#units) {
      try {
        await this.#send(writer, waiter.what, writes);
        waiter.resolve();
      } catch (error) {
        waiter.reject(errorOf(waiter.what, error));
      }
    }
  }

  async #send(writer: Writer, what: string, writes: readonly KeyWrite[]): Promise<void> {
    // All that write several keys lock them in the same order.
    const sorted = writes.length === 1
      ? writes
      : [...writes].sort((a, b) => Buffer.compare(a.key, b.key));
    await retrying(() =>
      writer.write(what, async (connection, number) => {
        await sendWrites(connection, this.#tables, sorted, number);
      })
    );
  }
}

async function sendWrites(
  connection: RemoteClient,
  tables: Tables,
  writes: readonly KeyWrite[],
  number: WriteNumber,
): Promise<void> {
  if (!tables.hasLoneWrites || writes.some(({ value }) => value === undefined)) {
    await inTransaction(connection, [
      ...writesOf(tables, writes, number),
      ...tables.number(number),
    ]);
    return;
  }
  const [{ key, value }] = writes as [KeyWrite];
  const statement = writes.length === 1
    ? tables.putAlone(key, value!, number)
    : tables.putManyAlone(
      writes.map(({ key }) => key),
      writes.map(({ value }) => value!),
      number,
    );
  const [result] = await connection.run([statement]);
  if (result!.rowCount === 0) throw writerLost();
}

/** Returns the statements of some writes of keys, each of which is there once. */
export function writesOf(
  tables: Tables,
  writes: readonly KeyWrite[],
  number: WriteNumber,
): Statement[] {
  const puts = writes.filter(({ value }) => value !== undefined);
  const deletes = writes.filter(({ value }) => value === undefined);
  return [
    ...inMessages(puts).map((some) =>
      tables.put(some.map(({ key }) => key), some.map(({ value }) => value!), number)
    ),
    ...inMessages(deletes).map((some) => tables.delete(some.map(({ key }) => key), number)),
  ];
}

/** Divides writes into those that are sent in one message. */
function inMessages(writes: readonly KeyWrite[]): KeyWrite[][] {
  const messages: KeyWrite[][] = [];
  let bytes = Infinity;
  for (const write of writes) {
    const length = write.key.length + (write.value?.length ?? 0);
    if (bytes + length > MESSAGE_BYTES_MAX) {
      messages.push([]);
      bytes = 0;
    }
    messages.at(-1)!.push(write);
    bytes += length;
  }
  return messages;
}

/** Statements that remove ranges, in one transaction, which nothing goes together with. */
export class RangeTask implements Task {
  readonly before = new Set<Promise<unknown>>();
  readonly ended = Promise.withResolvers<void>();
  readonly isClosed = true;
  readonly #what: string;
  readonly #statements: (number: WriteNumber) => readonly Statement[];
  readonly #tables: Tables;
  readonly #done = Promise.withResolvers<number | "done">();

  constructor(
    what: string,
    statements: (number: WriteNumber) => readonly Statement[],
    tables: Tables,
  ) {
    this.#what = what;
    this.#statements = statements;
    this.#tables = tables;
  }

  /** Resolves to how many rows the first statement was about; `"done"` where the answer was lost. */
  get done(): Promise<number | "done"> {
    return this.#done.promise;
  }

  touches(): boolean {
    return true;
  }

  async run(writer: Writer): Promise<void> {
    try {
      const count = await retrying(() =>
        writer.write(this.#what, async (connection, number) => {
          const [result] = await inTransaction(
            connection,
            [...this.#statements(number), ...this.#tables.number(number)],
          );
          return result!.rowCount ?? 0;
        })
      );
      this.#done.resolve(count);
    } catch (error) {
      this.#done.reject(errorOf(this.#what, error));
    }
  }
}

/** Something else, that no write may pass. */
export class Pause implements Task {
  readonly before = new Set<Promise<unknown>>();
  readonly ended = Promise.withResolvers<void>();
  readonly isClosed = true;
  readonly #work: () => Promise<unknown>;
  readonly #done = Promise.withResolvers<unknown>();

  constructor(work: () => Promise<unknown>) {
    this.#work = work;
  }

  get done(): Promise<unknown> {
    return this.#done.promise;
  }

  touches(): boolean {
    return false;
  }

  async run(): Promise<void> {
    try {
      this.#done.resolve(await this.#work());
    } catch (error) {
      this.#done.reject(error);
    }
  }
}

/** Changes of values by what they are: read and written in one transaction. */
export class ChangeTask implements Task {
  readonly before = new Set<Promise<unknown>>();
  readonly ended = Promise.withResolvers<void>();
  isClosed = false;
  readonly #tables: Tables;
  readonly #changes: { waiter: Waiter; key: Uint8Array; name: string; change: Change }[] = [];
  readonly #keys = new Map<string, Uint8Array>();
  /** What each change has thrown; `undefined` where it has not. */
  #failures: unknown[] = [];

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  touches(key: string): boolean {
    return this.#keys.has(key);
  }

  add(waiter: Waiter, key: Uint8Array, name: string, change: Change): void {
    this.#changes.push({ waiter, key, name, change });
    this.#keys.set(name, key);
  }

  async run(writer: Writer): Promise<void> {
    const { what } = this.#changes[0]!.waiter;
    const keys = [...this.#keys.values()].sort(Buffer.compare);
    try {
      await retrying(() =>
        writer.write(what, async (connection, number) => {
          try {
            await this.#change(connection, keys, number);
          } catch (error) {
            // What was refused before the commit was sent has left the transaction open.
            if (error instanceof Refusal) {
              await connection.run([{ text: "ROLLBACK" }]).catch(() => {});
            }
            throw error;
          }
        })
      );
    } catch (error) {
      for (const { waiter } of this.#changes) waiter.reject(errorOf(waiter.what, error));
      return;
    }
    for (const [i, { waiter }] of this.#changes.entries()) {
      if (this.#failures[i] === undefined) waiter.resolve();
      else waiter.reject(this.#failures[i]);
    }
  }

  /** Reads the keys and writes what becomes of them, in a transaction. */
  async #change(
    connection: RemoteClient,
    keys: readonly Uint8Array[],
    number: WriteNumber,
  ): Promise<void> {
    const [, found] = await connection.run([
      { text: "BEGIN ISOLATION LEVEL SERIALIZABLE" },
      this.#tables.lockMany(keys),
    ]);
    const values = new Map<string, Uint8Array | undefined>();
    for (const [key, value] of found!.rows as [Uint8Array, Uint8Array][]) {
      values.set(nameOf(key), value);
    }
    const failures: unknown[] = [];
    const changed = new Map<string, KeyWrite>();
    for (const { key, name, change } of this.#changes) {
      try {
        const value = change(values.get(name));
        failures.push(undefined);
        if (value === undefined) continue;
        values.set(name, value);
        changed.set(name, { key, value });
      } catch (error) {
        failures.push(error ?? new Error("nothing was thrown"));
      }
    }
    // Before the commit, whose answer may be lost.
    this.#failures = failures;
    const writes = [...changed.values()].sort((a, b) => Buffer.compare(a.key, b.key));
    await connection.run(
      writes.length === 0 ? [{ text: "ROLLBACK" }] : [
        ...writesOf(this.#tables, writes, number),
        ...this.#tables.number(number),
        { text: "COMMIT" },
      ],
    );
  }
}

function errorOf(what: string, error: unknown): unknown {
  return error instanceof Refusal ? refusalError(what, error) : error;
}

/** What a statement reports whose writer had no row. */
function writerLost(): Refusal {
  return new Refusal(WRITER_LOST, "the writer has no row");
}
