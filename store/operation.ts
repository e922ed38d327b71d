/** The public operations: what each is called in messages, and on its tracing channel.
 *
 * @module
 */

import type { EngineName } from "../codec/route.ts";
import { type TraceContext, Tracer } from "./tracing.ts";
import type { BytesLike } from "./types.ts";

/** Where operations are called: on a store, on a snapshot of it, on a directory. */
export interface Surface {
  /** Follows what was asked, in messages: ` in snapshot`; empty for a store. */
  readonly where: string;
  /** Whether the calls are published. */
  readonly isTraced: boolean;
  /** Finds the engine of a key, `undefined` where the key is not valid. */
  routeOf(key: BytesLike): EngineName | undefined;
}

/** For what concerns no single key, and no open store. */
export const ON_DIRECTORY: Surface = { where: "", isTraced: true, routeOf: () => undefined };

/** One public operation. */
export class Operation {
  readonly #what: string;
  readonly #tracer: Tracer;
  readonly #isOfKey: boolean;

  /**
   * @param name The method's name.
   * @param what What was asked, as the beginning of messages: `Cannot get key`.
   * @param isOfKey Whether the bytes that it gets are a key, which one engine has.
   */
  constructor(name: string, what: string, isOfKey: boolean) {
    this.#what = what;
    this.#tracer = new Tracer(name);
    this.#isOfKey = isOfKey;
  }

  /** Runs it asynchronously, traced where anyone listens. What it throws becomes a rejection.
   *
   * @param body Gets what was asked, and what it is asked with: so it need not be made anew for each call.
   */
  promise<S extends Surface, K extends BytesLike | undefined, V extends BytesLike | undefined, T>(
    surface: S,
    key: K,
    value: V,
    body: (what: string, surface: S, key: K, value: V) => Promise<T>,
  ): Promise<T> {
    try {
      const what = this.#what + surface.where;
      if (!this.#isPublished(surface)) return body(what, surface, key, value);
      return this.#tracer.promise(
        this.#contextOf(surface, key, value),
        () => body(what, surface, key, value),
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Runs it synchronously, traced where anyone listens. */
  sync<S extends Surface, K extends BytesLike | undefined, T>(
    surface: S,
    key: K,
    body: (what: string, surface: S, key: K) => T,
  ): T {
    const what = this.#what + surface.where;
    if (!this.#isPublished(surface)) return body(what, surface, key);
    return this.#tracer.sync(this.#contextOf(surface, key), () => body(what, surface, key));
  }

  /** Prepares a scan, traced where anyone listens, from its first row to the end of the iteration: one that
   * is never iterated has no course. Where it cannot be prepared, that is published.
   */
  rows<Row>(
    surface: Surface,
    prepare: (what: string) => Generator<Row, undefined>,
  ): Generator<Row, undefined> {
    const what = this.#what + surface.where;
    if (!this.#isPublished(surface)) return prepare(what);
    const rows = this.#prepared(() => prepare(what));
    const tracer = this.#tracer;
    return (function* () {
      const { end, fail } = tracer.iteration();
      try {
        return yield* rows;
      } catch (error) {
        fail(error);
        throw error;
      } finally {
        end();
      }
    })();
  }

  /** Prepares an asynchronous scan, traced as {@linkcode Operation.rows} does. */
  rowsAsync<Row>(
    surface: Surface,
    prepare: (what: string) => AsyncGenerator<Row, undefined>,
  ): AsyncGenerator<Row, undefined> {
    const what = this.#what + surface.where;
    if (!this.#isPublished(surface)) return prepare(what);
    const rows = this.#prepared(() => prepare(what));
    const tracer = this.#tracer;
    const traced = (async function* () {
      const { end, fail } = tracer.iteration();
      try {
        return yield* rows;
      } catch (error) {
        fail(error);
        throw error;
      } finally {
        end();
      }
    })();
    // While it waits for a row, a generator takes up nothing else, and there may never be one.
    const { return: leave } = traced;
    traced.return = (value) => {
      rows.return(undefined).catch(() => {});
      return leave.call(traced, value);
    };
    return traced;
  }

  #isPublished({ isTraced }: Surface): boolean {
    return isTraced && this.#tracer.isActive;
  }

  #contextOf(surface: Surface, key?: BytesLike, value?: BytesLike): TraceContext {
    const engine = key && this.#isOfKey ? surface.routeOf(key) : undefined;
    return {
      ...(key && { keyLength: lengthOf(key) }),
      ...(value && { valueLength: lengthOf(value) }),
      ...(engine && { engine }),
    };
  }

  #prepared<T>(prepare: () => T): T {
    try {
      return prepare();
    } catch (error) {
      return this.#tracer.sync({}, () => {
        throw error;
      });
    }
  }
}

function lengthOf(bytes: BytesLike): number {
  return typeof bytes === "string" ? new TextEncoder().encode(bytes).length : bytes.length;
}

function operation(name: string, what: string, isOfKey = true): Operation {
  return new Operation(name, what, isOfKey);
}

/** All of them, by name. */
export const OPERATIONS = {
  open: operation("open", "Cannot open store"),
  exists: operation("exists", "Cannot look for store"),
  destroy: operation("destroy", "Cannot destroy store"),
  get: operation("get", "Cannot get key"),
  getSync: operation("getSync", "Cannot get key"),
  has: operation("has", "Cannot look for key"),
  hasSync: operation("hasSync", "Cannot look for key"),
  getMany: operation("getMany", "Cannot get keys"),
  put: operation("put", "Cannot put key"),
  delete: operation("delete", "Cannot delete key"),
  batch: operation("batch", "Cannot commit batch"),
  transact: operation("transact", "Cannot run transaction"),
  transaction: operation("transaction", "Cannot run transaction"),
  fetchAndAddU64: operation("fetchAndAddU64", "Cannot add to counter"),
  compareAndSwapF32: operation("compareAndSwapF32", "Cannot update number"),
  scan: operation("scan", "Cannot scan"),
  scanSync: operation("scanSync", "Cannot scan"),
  scanPages: operation("scanPages", "Cannot scan pages"),
  keys: operation("keys", "Cannot scan keys"),
  scanPrefix: operation("scanPrefix", "Cannot scan prefix", false),
  count: operation("count", "Cannot count keys"),
  deleteRange: operation("deleteRange", "Cannot delete range"),
  changes: operation("changes", "Cannot read changes"),
  watch: operation("watch", "Cannot watch keys"),
  createCursor: operation("createCursor", "Cannot create cursor"),
  deleteCursor: operation("deleteCursor", "Cannot delete cursor"),
  snapshot: operation("snapshot", "Cannot take snapshot"),
  snapshotSync: operation("snapshotSync", "Cannot take snapshot"),
  flush: operation("flush", "Cannot flush"),
  checkpoint: operation("checkpoint", "Cannot checkpoint"),
  backup: operation("backup", "Cannot back up store"),
  restore: operation("restore", "Cannot restore store"),
  repair: operation("repair", "Cannot repair store"),
  verify: operation("verify", "Cannot verify store"),
  stats: operation("stats", "Cannot read statistics"),
  routeOf: operation("routeOf", "Cannot route key"),
  close: operation("close", "Cannot close store"),
};
