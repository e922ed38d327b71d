/** Keeping the chunks of blobs: writing them before there is an entry, reading them, and removing them when no
 * entry has them any more.
 *
 * A blob without an entry has a note, which is written before its first chunk, and together with what takes its
 * entry away. What has a note is removed in the background, but for what is being written or read: that is known
 * to the process alone, since a store is open in one process at a time.
 *
 * @module
 */

import { bytesBehind } from "../codec/bytes.ts";
import { abortable } from "../runtime/abortable.ts";
import { nextTurn } from "../runtime/turn.ts";
import { describe } from "../store/limits.ts";
import type { LiveStore } from "../store/live_store.ts";
import type { BytesLike } from "../store/types.ts";
import {
  type BlobReference,
  CHUNK_BYTES,
  chunkKey,
  chunksEnd,
  decodeChunk,
  encodeChunk,
} from "./blob.ts";
import { BLOB_FLAG_KEY, u64From, UNUSED, UNUSED_KEY_BYTES, unusedKey } from "./layout.ts";
import { referenceOf } from "./value.ts";

/** How many chunks are written, or removed, at a time. */
const STEP_CHUNKS = 16;

/** What the bytes of a blob come from. */
export type KvBlobSource =
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | Blob
  | ArrayBuffer
  | Uint8Array;

/** Where a commit of any kind reads what it takes away, and notes it. */
interface Change {
  put(key: BytesLike, value: BytesLike): void;
}

/** The chunks of a store, or of a part of it. */
export class Blobs {
  readonly #store: LiveStore;
  /** Those that are being written, and how many read the others. */
  readonly #used = new Map<bigint, number>();
  /** Whether there has ever been one: else nothing has to look for them. */
  #areThere: boolean;
  #isCollecting = false;
  #isAsked = false;
  #isStopped = false;

  constructor(store: LiveStore) {
    this.#store = store;
    this.#areThere = store.getSync(BLOB_FLAG_KEY) !== undefined;
    if (this.#areThere) this.collect();
  }

  /** Whether what is overwritten or deleted can be a blob. */
  get areThere(): boolean {
    return this.#areThere;
  }

  /** Notes in a commit that it takes an entry away.
   *
   * @param entry Its bytes, expired or not; `undefined` where there is none.
   */
  drop(change: Change, entry: Uint8Array | undefined): void {
    const id = entry && referenceOf(entry)?.id;
    if (id === undefined) return;
    change.put(unusedKey(id), "");
    this.collect();
  }

  /** Writes the chunks of a blob that has no entry yet. The caller writes that, together with the deletion of
   * `unusedKey(id)`, and then calls {@linkcode Blobs.release}, whether it could or not.
   *
   * @param closing Ends it.
   * @throws {TypeError} The source is none, or gives something else than bytes.
   * @throws {StoreError} As writes do.
   * @throws What the source throws; the signal's reason.
   */
  async write(id: bigint, source: KvBlobSource, closing: AbortSignal): Promise<BlobReference> {
    const chunks = inChunks(bytesOf(source), closing);
    this.#used.set(id, 1);
    this.#areThere = true;
    // On disk before the entry is, because that is behind it in the journal.
    const unsynced = { durable: false };
    await this.#store.batch().put(BLOB_FLAG_KEY, "").put(unusedKey(id), "").commit(unsynced);
    let [size, index] = [0, 0];
    let batch = this.#store.batch();
    for await (const bytes of chunks) {
      const key = chunkKey(id, index++);
      batch.put(key, encodeChunk(key, bytes));
      size += bytes.length;
      if (batch.size < STEP_CHUNKS) continue;
      closing.throwIfAborted();
      await batch.commit(unsynced);
      batch = this.#store.batch();
    }
    closing.throwIfAborted();
    await batch.commit(unsynced);
    return { id, size, chunkBytes: CHUNK_BYTES };
  }

  /** Returns the bytes of a blob, as a stream that reads them when it is asked. They stay until it has ended.
   *
   * @param closing Ends it with an error.
   */
  read({ id, size, chunkBytes }: BlobReference, closing: AbortSignal): ReadableStream<Uint8Array> {
    this.#used.set(id, (this.#used.get(id) ?? 0) + 1);
    let at = 0;
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      closing.removeEventListener("abort", end);
      this.release(id);
    };
    closing.addEventListener("abort", end);
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        try {
          closing.throwIfAborted();
          if (at < size) {
            const key = chunkKey(id, at / chunkBytes);
            const value = await this.#store.get(key);
            const bytes = decodeChunk(key, value, Math.min(chunkBytes, size - at));
            at += bytes.length;
            controller.enqueue(bytes);
          }
          if (at < size) return;
          end();
          controller.close();
        } catch (error) {
          end();
          controller.error(error);
        }
      },
      cancel: end,
    }, { highWaterMark: 0 });
  }

  /** Ends a use that {@linkcode Blobs.write} or {@linkcode Blobs.read} has begun. */
  release(id: bigint): void {
    const uses = this.#used.get(id)! - 1;
    if (uses > 0) this.#used.set(id, uses);
    else this.#used.delete(id);
    this.collect();
  }

  /** Removes in the background what no entry has. */
  collect(): void {
    this.#isAsked = true;
    if (this.#isCollecting || this.#isStopped) return;
    this.#isCollecting = true;
    // What has no space now finds some when it is asked again, or when the store is opened again.
    this.#collect().catch(() => {});
  }

  /** Ends it. */
  stop(): void {
    this.#isStopped = true;
  }

  async #collect(): Promise<void> {
    try {
      while (this.#isAsked && !this.#isStopped) {
        // A commit that has asked for it is acknowledged first.
        await nextTurn();
        this.#isAsked = false;
        for await (const key of this.#store.keys({ prefix: new Uint8Array([UNUSED]) })) {
          // What others have put there does not keep it from the rest.
          if (key.length !== UNUSED_KEY_BYTES) continue;
          const id = u64From(key, 1);
          let at: Uint8Array | undefined = chunkKey(id, 0);
          while (!this.#isStopped) {
            at = await this.#removeSome(id, at);
            if (at === undefined) break;
            await nextTurn();
          }
        }
      }
    } finally {
      // In one step with the look whether it is asked again.
      this.#isCollecting = false;
    }
  }

  /** Removes chunks of a blob, and its note with the last ones.
   *
   * @param from The first one, but for those that are gone: they would be passed over each time.
   * @returns Where there may be more.
   */
  async #removeSome(id: bigint, from: Uint8Array): Promise<Uint8Array | undefined> {
    return await this.#store.transact((tx) => {
      // Looked at in one step with the removal: since the note was found, the blob may have got its entry.
      if (this.#used.has(id) || !tx.has(unusedKey(id))) return undefined;
      const keys = [...tx.keys({ gte: from, lt: chunksEnd(id), limit: STEP_CHUNKS })];
      for (const key of keys) tx.delete(key);
      if (keys.length === STEP_CHUNKS) return bytesBehind(keys.at(-1)!);
      tx.delete(unusedKey(id));
      return undefined;
      // Nothing depends on when this is on disk.
    }, { durable: false });
  }
}

/** @throws {TypeError} It is no source of bytes. */
function bytesOf(source: KvBlobSource): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  if (source instanceof Uint8Array) return [source];
  if (source instanceof ArrayBuffer) return [new Uint8Array(source)];
  if (source instanceof Blob) return source.stream();
  const iterable = Object(source) as object;
  if (Symbol.asyncIterator in iterable || Symbol.iterator in iterable) {
    return iterable as AsyncIterable<Uint8Array>;
  }
  throw new TypeError(
    `Cannot set blob: its source is ${
      describe(source)
    }, neither a stream, a Blob, an async iterable ` +
      "nor bytes",
  );
}

/** Yields bytes in chunks of one size, but for the last one.
 *
 * @throws {TypeError} Something else is among them.
 */
async function* inChunks(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  closing: AbortSignal,
): AsyncIterableIterator<Uint8Array> {
  const parts = Symbol.asyncIterator in source
    ? source[Symbol.asyncIterator]()
    : source[Symbol.iterator]();
  const chunk = new Uint8Array(CHUNK_BYTES);
  let length = 0;
  let isOver = false;
  try {
    for (;;) {
      // A source may never give anything.
      const { done, value } = await abortable(Promise.resolve(parts.next()), closing);
      if (done) break;
      if (!(value instanceof Uint8Array)) {
        throw new TypeError(`Cannot set blob: its source gave ${describe(value)}, not bytes`);
      }
      for (let at = 0; at < value.length;) {
        const part = value.subarray(at, at + CHUNK_BYTES - length);
        chunk.set(part, length);
        length += part.length;
        at += part.length;
        if (length < CHUNK_BYTES) continue;
        // Whoever takes it copies it.
        yield chunk;
        length = 0;
      }
    }
    isOver = true;
    if (length > 0) yield chunk.subarray(0, length);
  } finally {
    // Not waited for: it may be what has not answered.
    if (!isOver) void Promise.resolve(parts.return?.()).catch(() => {});
  }
}
