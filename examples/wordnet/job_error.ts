import { StoreError } from "@hybrid/store";
import process from "node:process";

/** Says why the job cannot run, in one line that the user can do something about. */
export class JobError extends Error {
  override readonly name = "JobError";
}

/** Says what has ended a program, and sets its exit code.
 *
 * @param stop Aborted by Ctrl-C.
 * @param stopped What is said then.
 */
export function reportEnd(error: unknown, stop: AbortSignal, stopped: string): void {
  const isStopped = stop.aborted && error === stop.reason;
  process.exitCode = isStopped ? 130 : 1;
  if (isStopped) console.error(stopped);
  else if (error instanceof StoreError || error instanceof JobError) console.error(error.message);
  else console.error(error);
}
