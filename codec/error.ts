/** The error of the store, and its codes.
 *
 * @module
 */

/** The reasons a {@linkcode StoreError} can carry. Every code keeps its meaning across versions.
 *
 * | code | when it happens | what to do |
 * |---|---|---|
 * | `CLOSED` | The store, snapshot, batch, transaction, journal or reader was used after it was closed or had ended. | Keep it open for as long as it is used. |
 * | `LOCKED` | Another process, named by its id, or this process has the directory open. | Close the store there, or work with that instance. |
 * | `CORRUPT` | Bytes on disk are not what was written: the message names the file, and the offset where it is known. | Close the store and call `HybridStore.repair()` on its directory, or restore a backup; for a journal on its own, `salvage` keeps what precedes the damage. |
 * | `INVALID_VALUE` | A stored value does not have the form that the operation needs, such as a counter that is not 8 bytes. | Use the operation on the keys it belongs to. |
 * | `ROUTES_CHANGED` | The routes given to `open` differ from those that the store was created with. | Open with the stored routes, or copy the entries into a new store. |
 * | `POISONED` | An earlier sync failed, or a failed write could not be undone, so it is not known what is on disk; or the directory is no longer the store's own: it was moved, replaced, or opened by another process. Reads continue and writes are refused. | Close, look at the disk, and open again. |
 * | `NO_SPACE` | The disk or the quota is full; the write left nothing behind. | Free some space and write again; there is no need to reopen. |
 * | `IO` | A file operation failed for another reason, kept in `cause`. | Look at `cause`. |
 * | `NOT_EMPTY` | A path that has to be absent or an empty directory is a file, or holds something that a store must not replace. | Name another directory. |
 * | `NOT_FOUND` | There is no store or backup where one has to be. | Look at the path that the message names. |
 * | `CURSOR_LOST` | The changes that a reader of the feed would get next are no longer in the journal: it was further behind than `feedBytesMax`, or the journal was repaired. | Take a snapshot, start again from what it shows, and go on with the changes after its `position`. |
 * | `READ_ONLY` | The store was opened with `readOnly`. | Open it without that option to write. |
 * | `CONFLICT` | Something that a transaction read was written by others before it could commit, in each of its attempts; `key` names it. Nothing of it is written. | Run it again later, with less in it, or with more attempts. |
 * | `TOO_MANY_SNAPSHOTS` | Snapshots, backups and verifications hold as many moments of the engines as there can be. | Dispose of snapshots that you no longer need, then take the next one. |
 * | `UNREACHABLE` | A remote store has no connection to its database, is not let in, or no connection was free in time. Nothing has changed. | Look whether the server runs and who may connect; try again. |
 * | `UNKNOWN_RESULT` | The connection was lost while a remote store wrote, and it could not be asked whether the write took place. | Read what is there, and write again if it is missing. |
 * | `SCHEMA` | The database has no tables of a remote store, others under their names, or the role may not use them. | Call `RemoteStore.setup()`, name another table, or grant the rights that the message names. |
 * | `UNSUPPORTED` | The runtime, the platform or a format version is not one that this version handles. | Use a version that the message names. |
 *
 * @category HybridStore
 */
export type StoreErrorCode =
  | "CLOSED"
  | "LOCKED"
  | "CORRUPT"
  | "INVALID_VALUE"
  | "ROUTES_CHANGED"
  | "POISONED"
  | "NO_SPACE"
  | "IO"
  | "NOT_EMPTY"
  | "NOT_FOUND"
  | "CURSOR_LOST"
  | "READ_ONLY"
  | "CONFLICT"
  | "TOO_MANY_SNAPSHOTS"
  | "UNREACHABLE"
  | "UNKNOWN_RESULT"
  | "SCHEMA"
  | "UNSUPPORTED";

/** Reports a failure that is neither a wrong argument (`TypeError`) nor a broken limit
 * (`RangeError`). Branch on `code`; the message says what was asked and why it was refused, and may
 * change between versions.
 *
 * @category HybridStore
 * @example Branching on the code
 * ```ts
 * import { StoreError } from "@hybrid/store/codec";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new StoreError("CLOSED", "Cannot get key: the store is closed");
 * assertEquals(error.code, "CLOSED");
 * ```
 */
export class StoreError extends Error {
  /** The class name, for logs and for checks across module copies. */
  override readonly name = "StoreError";
  /** With `CONFLICT`: the key that was in the way, where it is known. */
  readonly key?: Uint8Array;

  /** Creates an error.
   *
   * @param code The stable reason.
   * @param message What was asked, a colon, and why not.
   * @param options The `cause`, where another error led to this one; the `key` of a conflict.
   */
  constructor(
    readonly code: StoreErrorCode,
    message: string,
    options?: ErrorOptions & { readonly key?: Uint8Array },
  ) {
    super(message, options);
    if (options?.key !== undefined) this.key = options.key;
  }
}
