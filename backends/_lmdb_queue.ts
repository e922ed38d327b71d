/** How writes get into the library's queue without a view of each key and value.
 *
 * @module
 */

type Bytes = Uint8Array;

/** The key of the write that is being queued: the library has copied it when its call returns. */
class QueuedKey {
  chunk: Bytes = new Uint8Array(0);
  start = 0;
  length = 0;
}

const KEY = new QueuedKey();

/** Returns a key for the library, valid until the next one is asked for. */
export function queuedKey(chunk: Bytes, start: number, length: number): Bytes {
  KEY.chunk = chunk;
  KEY.start = start;
  KEY.length = length;
  // It goes through the library to `writeLmdbKey` alone.
  return KEY as unknown as Bytes;
}

/** Writes a key into the library's buffer, and returns where it ends there. */
export function writeLmdbKey(key: Bytes | QueuedKey, target: Bytes, start: number): number {
  if (!(key instanceof QueuedKey)) {
    target.set(key, start);
    return start + key.length;
  }
  const { chunk, length } = key;
  if (start + length > target.length) throw new RangeError("the key does not fit");
  // A call costs more than the bytes of most keys.
  for (let i = 0; i < length; i++) target[start + i] = chunk[key.start + i]!;
  return start + length;
}

/** Where a value is, as the library's encoders say it: it reads `address` and takes the bytes from `start` to
 * `end`, on its own thread. It keeps the object, and with it the buffer, until it has read them.
 */
interface ValuePlace {
  readonly buffer: ArrayBufferLike;
  /** Set by the library. */
  address: number | undefined;
  start: number;
  end: number;
  readonly length: number;
}

/** The values of one apply: a place for each chunk, which moves from value to value. The library has
 * read where it is when its call returns.
 */
export class QueuedValues {
  readonly #places = new Map<Bytes, ValuePlace>();
  #chunk: Bytes | undefined;
  #place: ValuePlace | undefined;

  /** Returns a value for the library, valid until the next one is asked for. */
  value(chunk: Bytes, start: number, length: number): Bytes {
    if (chunk !== this.#chunk) {
      this.#chunk = chunk;
      this.#place = this.#placeOf(chunk);
    }
    const place = this.#place!;
    place.start = chunk.byteOffset + start;
    place.end = place.start + length;
    return place as unknown as Bytes;
  }

  #placeOf(chunk: Bytes): ValuePlace {
    let place = this.#places.get(chunk);
    if (place === undefined) {
      place = { buffer: chunk.buffer, address: undefined, start: 0, end: 0, length: 0 };
      this.#places.set(chunk, place);
    }
    return place;
  }
}
