/** What goes wrong between a store and its database, in the words of the store.
 *
 * @module
 */

import { StoreError, type StoreErrorCode } from "../codec/error.ts";
import { pauseUpTo } from "../runtime/abortable.ts";

/** That a connection was lost, or could not be made.
 *
 * What was sent may have taken place.
 */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  /** Whether something was sent that may have taken place. */
  readonly wasSent: boolean;
  /** What names the connection, where that is known. */
  readonly backend: readonly unknown[] | undefined;

  constructor(wasSent: boolean, message: string, backend?: readonly unknown[]) {
    super(message);
    this.wasSent = wasSent;
    this.backend = backend;
  }
}

/** That the database has refused a statement, and undone what it was a part of. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  /** SQLSTATE: five letters and digits. */
  readonly state: string;

  constructor(state: string, message: string) {
    super(message);
    this.state = state;
  }

  /** Whether the same may well succeed when it is tried again: it was in the way of others. */
  get isConflict(): boolean {
    return this.state === "40001" || this.state === "40P01" || this.state === "55P03";
  }
}

/** A writer whose row is not there any more: nothing has taken place. */
export const WRITER_LOST = "22012";

/** Codes of a connection that ends, or cannot be made, and of a statement of which the server itself does not know
 * whether it has taken place (CockroachDB: 40003). A message that the server does not take (08P01) is refused. */
const LOST = /^(08(?!P01)|57P0[0-5]|53300|40003)/;

/** Returns what the driver has thrown, as one of the two.
 *
 * @param wasSent Whether the statement may have been sent.
 */
export function failureOf(
  error: unknown,
  wasSent: boolean,
  backend?: readonly unknown[],
): ConnectionLost | Refusal {
  if (error instanceof ConnectionLost || error instanceof Refusal) return error;
  const { code, message, severity } = Object(error) as Partial<Record<string, unknown>>;
  const text = typeof message === "string" ? message : String(error);
  // The server's own errors have a severity; `EPIPE` has five letters as well.
  if (typeof code === "string" && typeof severity === "string" && !LOST.test(code)) {
    return new Refusal(code, text);
  }
  return new ConnectionLost(wasSent, text, backend);
}

const BY_STATE: readonly (readonly [RegExp, StoreErrorCode, string])[] = [
  [/^28/, "UNREACHABLE", "the server does not let this role in; look at user and password"],
  [/^3D000/, "UNREACHABLE", "there is no such database; create it, or name another one"],
  [
    /^42501/,
    "SCHEMA",
    "the role lacks a right on the tables; grant SELECT, INSERT, UPDATE, DELETE",
  ],
  [
    /^(42|3F)/,
    "SCHEMA",
    "the tables are not those of a store; call RemoteStore.setup(), or name another table",
  ],
  [/^25006/, "READ_ONLY", "the server only reads; connect to the primary"],
  [/^(53100|53200|53400)/, "NO_SPACE", "the server has no room left"],
  [/^(40001|40P01|55P03)/, "CONFLICT", "it was in the way of others; run it again later"],
  [/^0A000/, "UNSUPPORTED", "the server does not know how to do it"],
  [
    /^(08P01|54000)/,
    "UNSUPPORTED",
    "the server does not take as much at once; write shorter values or smaller batches",
  ],
  [/^57014/, "UNREACHABLE", "the server has cancelled it, for the time it took"],
];

/** Returns what a caller gets for a refusal.
 *
 * @param what What was asked, as the message's beginning: `Cannot put key`.
 */
export function refusalError(what: string, refusal: Refusal): StoreError {
  const known = BY_STATE.find(([state]) => state.test(refusal.state));
  const [, code, advice] = known ?? [undefined, "IO" as const, "look at the cause"];
  return new StoreError(code, `${what}: ${advice} (${refusal.state}: ${refusal.message})`, {
    cause: refusal,
  });
}

/** Returns what a caller gets where the server cannot be reached, and nothing has changed. */
export function unreachable(what: string, where: string, cause: ConnectionLost): StoreError {
  return new StoreError(
    "UNREACHABLE",
    `${what}: there is no connection to ${where}; look whether it runs, then try again ` +
      `(${cause.message})`,
    { cause },
  );
}

/** Returns what a caller gets where it is not known whether a write has taken place. */
export function unknownResult(what: string, where: string, cause: Error): StoreError {
  return new StoreError(
    "UNKNOWN_RESULT",
    `${what}: the connection to ${where} was lost, and whether the write took place could not be ` +
      `asked; read what is there, and write again if it is missing (${cause.message})`,
    { cause },
  );
}

const RETRIES_MAX = 1000;
const PAUSE_MS_MAX = 64;

/** Does something again as long as it is in the way of others.
 *
 * @throws {Refusal} Another one, or the last of very many. What `work` throws.
 */
export async function retrying<T>(work: () => Promise<T>): Promise<T> {
  for (let retry = 1;; retry++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refusal && error.isConflict) || retry > RETRIES_MAX) throw error;
    }
    await pauseUpTo(Math.min(2 ** retry, PAUSE_MS_MAX));
  }
}
