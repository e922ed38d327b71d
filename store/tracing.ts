/** Tracing: every public operation publishes on the `node:diagnostics_channel` tracing channels named
 * `hybridstore:<operation>`.
 *
 * @module
 */

import * as diagnostics from "node:diagnostics_channel";
import type { EngineName } from "../codec/route.ts";

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
   * so its channels are asked: those who want ends or errors subscribe to one of these. */
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
      // The caller that iterates gets the error.
    });
    return { end: resolve, fail: reject };
  }
}
