/** Tracing: every public operation publishes on the `node:diagnostics_channel` tracing channels named
 * `hybridstore:<operation>`.
 *
 * @module
 */

import * as diagnostics from "node:diagnostics_channel";
import type { EngineName } from "../codec/route.ts";
import type { BytesLike } from "./types.ts";

/** What an operation tells its subscribers. */
export interface TraceContext {
  /** Bytes of the key, where there is one. */
  keyLength?: number;
  /** Bytes of the value that is put. */
  valueLength?: number;
  /** Where the key lives. */
  engine?: EngineName;
}

type Channel = diagnostics.TracingChannel<object, object>;

/** The channels of one operation. */
export class Tracer {
  readonly #channel: Channel;

  constructor(operation: string) {
    this.#channel = diagnostics.tracingChannel(`hybridstore:${operation}`);
  }

  /** Whether anyone listens. Bun leaves the `hasSubscribers` of the tracing channel itself undefined,
   * so its channels are asked; whoever wants to know of an end or an error subscribes to one of these. */
  get isActive(): boolean {
    const { start, end, asyncEnd, error } = this.#channel;
    return start.hasSubscribers || end.hasSubscribers || asyncEnd.hasSubscribers ||
      error.hasSubscribers;
  }

  /** Runs an asynchronous operation and publishes its course. */
  promise<T>(context: TraceContext, operation: () => Promise<T>): Promise<T> {
    return this.#channel.tracePromise(operation, context) as Promise<T>;
  }

  /** Runs a synchronous operation and publishes its course. */
  sync<T>(context: TraceContext, operation: () => T): T {
    return this.#channel.traceSync(operation, context) as T;
  }

  /** Publishes the course of an iteration that begins now, until one of what it returns is called. */
  iteration(): { end: () => void; fail: (error: unknown) => void } {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.promise({}, () => promise).catch(() => {
      // Whoever iterates has met the error.
    });
    return { end: resolve, fail: reject };
  }
}

/** Finds the engine of a key, `undefined` where the key is not valid. */
export type RouteOf = (key: BytesLike) => EngineName | undefined;

/** For what concerns no single key. */
export const NO_ROUTE: RouteOf = () => undefined;

function contextOf(routeOf: RouteOf, key?: BytesLike, value?: BytesLike): TraceContext {
  const engine = key && routeOf(key);
  return {
    ...(key && { keyLength: lengthOf(key) }),
    ...(value && { valueLength: lengthOf(value) }),
    ...(engine && { engine }),
  };
}

function lengthOf(bytes: BytesLike): number {
  return typeof bytes === "string" ? new TextEncoder().encode(bytes).length : bytes.length;
}

/** Runs an asynchronous operation, traced where anyone listens. What it throws becomes a rejection. */
export function traced<T>(
  tracer: Tracer,
  routeOf: RouteOf,
  key: BytesLike | undefined,
  value: BytesLike | undefined,
  operation: () => Promise<T>,
): Promise<T> {
  try {
    if (!tracer.isActive) return operation();
    return tracer.promise(contextOf(routeOf, key, value), operation);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Runs a synchronous operation, traced where anyone listens. */
export function tracedSync<T>(
  tracer: Tracer,
  routeOf: RouteOf,
  key: BytesLike | undefined,
  operation: () => T,
): T {
  if (!tracer.isActive) return operation();
  return tracer.sync(contextOf(routeOf, key), operation);
}

/** Prepares a scan, traced where anyone listens, from its first row to the end of the iteration: one that
 * is never iterated has no course. Where it cannot be prepared, that is published.
 */
export function tracedRows<Row>(
  tracer: Tracer,
  prepare: () => Generator<Row, undefined>,
): Generator<Row, undefined> {
  if (!tracer.isActive) return prepare();
  const rows = prepared(tracer, prepare);
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

/** Prepares an asynchronous scan, traced as {@linkcode tracedRows} does. */
export function tracedRowsAsync<Row>(
  tracer: Tracer,
  prepare: () => AsyncGenerator<Row, undefined>,
): AsyncGenerator<Row, undefined> {
  if (!tracer.isActive) return prepare();
  const rows = prepared(tracer, prepare);
  return (async function* () {
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

function prepared<T>(tracer: Tracer, prepare: () => T): T {
  try {
    return prepare();
  } catch (error) {
    return tracer.sync({}, () => {
      throw error;
    });
  }
}
