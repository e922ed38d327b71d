/** Entries as lines of JSON, in the form that Deno's tools for KV have.
 *
 * A line is `{ "key": […], "value": …, "versionstamp": "…" }`, and `"expiresAt"`, in milliseconds, where the entry
 * expires. A blob is `{ "type": "KvBlob", "size": … }`, and its bytes follow in lines `{ "chunk": "…" }`.
 *
 * @module
 */

import { wallClock } from "../runtime/clock.ts";
import { describe, requireOptions, requireSignal } from "../store/limits.ts";
import { ALL, entriesOf, setUntil } from "./_entries.ts";
import {
  fromBase64,
  keyFromJson,
  keyToJson,
  toBase64,
  valueFromJson,
  valueToJson,
} from "./_json.ts";
import type { Mutation } from "./mutation.ts";
import { Kv } from "./kv.ts";
import { type Line, linesOf, WrongLine } from "./_lines.ts";
import type { KvKey, KvListSelector } from "./types.ts";
import { referenceOf, stampOf, valueOf } from "./value.ts";

/** Lines are given in pieces of about so many bytes. */
const PIECE_BYTES = 64 * 1024;
const COMMIT_WRITES = 1000;
const COMMIT_BYTES = 4 * 1024 * 1024;
const ENCODER = new TextEncoder();

/** What is exported.
 *
 * @category Kv
 */
export interface KvExportOptions {
  /** Which entries; all by default. */
  selector?: KvListSelector;
}

/** How lines are imported.
 *
 * @category Kv
 */
export interface KvImportOptions {
  /** Told after each commit how many entries are there. */
  onProgress?: (progress: { entries: number }) => void;
  /** Ends the import when it is aborted, which then rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Returns entries as lines of JSON, one an entry, in UTF-8: in the form of `@deno/kv-utils`, which Deno's tools read.
 *
 * It is read as it is asked for: a page of entries shows one moment, and the whole need not. Messages of the queue are
 * left out. What the form cannot say, such as references in circles, is a type of its own, which
 * {@linkcode importNdjson} reads; so every value comes back there as it was. Deno's tools refuse that type, and read
 * -0, invalid dates and keys named `__proto__` as other values.
 *
 * @throws {TypeError} An argument is not valid. The stream fails as `list` does.
 *
 * @example
 * ```ts
 * import { exportNdjson, importNdjson, openKv } from "@hybrid/store/kv";
 * import { assertEquals } from "@std/assert";
 *
 * using kv = await openKv(":memory:");
 * await kv.set(["user", 1], { name: "Ada" });
 * const text = await new Response(exportNdjson(kv)).text(); // or: Bun.write("kv.ndjson", new Response(…))
 * assertEquals(JSON.parse(text).key[0], { type: "string", value: "user" });
 *
 * using copy = await openKv(":memory:");
 * assertEquals(await importNdjson(copy, new Response(text).body!), { entries: 1 });
 * assertEquals((await copy.get(["user", 1])).value, { name: "Ada" });
 * ```
 *
 * @category Kv
 */
export function exportNdjson(
  kv: Kv,
  options: KvExportOptions = {},
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const what = "Cannot export Kv";
  requireKv(what, kv);
  requireOptions(what, options, ["selector"]);
  const lines = exportedLines(kv, options.selector ?? ALL);
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      let text = "";
      while (text.length < PIECE_BYTES) {
        const { done, value } = await lines.next();
        if (!done) {
          text += `${JSON.stringify(value)}\n`;
          continue;
        }
        if (text !== "") controller.enqueue(ENCODER.encode(text));
        return controller.close();
      }
      controller.enqueue(ENCODER.encode(text));
    },
    async cancel() {
      await lines.return(undefined);
    },
  }, { highWaterMark: 0 });
}

async function* exportedLines(kv: Kv, selector: KvListSelector): AsyncGenerator<object> {
  for await (const { key, entry, expiresAt } of entriesOf(Kv.coreOf(kv), selector)) {
    const rest = { versionstamp: stampOf(entry), ...(expiresAt > 0 && { expiresAt }) };
    if (referenceOf(entry) === undefined) {
      yield { key: keyToJson(key), value: valueToJson(valueOf(entry), entry), ...rest };
      continue;
    }
    const { value, size } = await kv.getBlob(key);
    // It may have expired, or been deleted, since it was listed.
    if (value === null) continue;
    yield { key: keyToJson(key), value: { type: "KvBlob", size }, ...rest };
    for await (const chunk of value) yield { chunk: toBase64(chunk) };
  }
}

/** Sets the entries that lines of JSON say, in the form of {@linkcode exportNdjson} and of Deno's tools.
 *
 * Versionstamps are new ones. Entries that have expired meanwhile are left out, and others expire later than theirs by
 * the time until they were written; keys that are there are overwritten.
 * It is not one operation: where a line is wrong, those before it are there, and importing again makes it right.
 *
 * @param source Bytes or text, cut anywhere: a stream of a file, of a response, an async iterable.
 * @returns How many entries were set.
 * @throws {TypeError} An argument is not valid, or a line: the message has its number.
 * @throws As {@linkcode Kv.set} does, and as the source does; the signal's reason.
 *
 * @category Kv
 */
export async function importNdjson(
  kv: Kv,
  source: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array | string>,
  options: KvImportOptions = {},
): Promise<{ entries: number }> {
  const what = "Cannot import into Kv";
  requireKv(what, kv);
  requireOptions(what, options, ["onProgress", "signal"]);
  const { onProgress, signal } = options;
  requireSignal(what, signal);
  if (typeof Object(source)[Symbol.asyncIterator] !== "function") {
    throw new TypeError(
      `${what}: the source is ${describe(source)}, neither a stream nor an async iterable`,
    );
  }
  const lines = linesOf(what, source, signal);
  let entries = 0;
  let sets: Mutation[] = [];
  let length = 0;
  const commit = async () => {
    if (sets.length === 0) return;
    await Kv.coreOf(kv).commit([], sets, undefined);
    entries += sets.length;
    sets = [];
    length = 0;
    onProgress?.({ entries });
  };
  try {
    for await (const line of lines) {
      signal?.throwIfAborted();
      const read = readLine(line);
      if (!isBlob(read)) {
        if (read.set === undefined) continue;
        sets.push(read.set);
        length += line.text.length;
        if (sets.length >= COMMIT_WRITES || length >= COMMIT_BYTES) await commit();
        continue;
      }
      await commit();
      const chunks = chunksOf(line, lines, read.size);
      if (isOver(read.expiresAt)) {
        for await (const _ of chunks);
        continue;
      }
      await Kv.setBlobUntil(kv, read.key, chunks, read.expiresAt, signal);
      entries++;
      onProgress?.({ entries });
    }
  } catch (error) {
    if (!(error instanceof WrongLine)) throw error;
    await commit();
    throw new TypeError(
      `${what}: line ${error.number} is wrong: ${error.message}; the ${entries} entries before it are there`,
      { cause: error.cause },
    );
  }
  await commit();
  return { entries };
}

/** What a line says: an entry to set, which is missing where it has expired, or a blob, whose bytes follow. */
type Read = { readonly set: Mutation | undefined } | BlobLine;

interface BlobLine {
  readonly key: KvKey;
  readonly size: number;
  readonly expiresAt: number;
}

/** @throws {WrongLine} It is not that of an entry. */
function readLine({ number, text }: Line): Read {
  try {
    const line: unknown = JSON.parse(text);
    const { key: keyJson, value: json, expiresAt = 0 } = Object(line) as Record<string, unknown>;
    if (keyJson === undefined || json === undefined) {
      throw new TypeError("it has no key, or no value");
    }
    if (!Number.isSafeInteger(expiresAt) || (expiresAt as number) < 0) {
      throw new TypeError("its expiresAt is not an integer from 0 on");
    }
    const key = keyFromJson(keyJson);
    const until = expiresAt as number;
    // What is wrong is refused before any of it is read.
    const { type, size } = Object(json) as Record<string, unknown>;
    if (type === "KvBlob") {
      if (!Number.isSafeInteger(size) || (size as number) < 0) {
        throw new TypeError("its blob has no size");
      }
      setUntil(key, undefined, until);
      return { key, size: size as number, expiresAt: until };
    }
    const set = setUntil(key, valueFromJson(json), until);
    return { set: isOver(until) ? undefined : set };
  } catch (cause) {
    throw new WrongLine(number, cause);
  }
}

function isBlob(read: Read): read is BlobLine {
  return "size" in read;
}

function isOver(expiresAt: number): boolean {
  return expiresAt > 0 && expiresAt <= wallClock.now();
}

/** Yields the bytes of a blob, which the lines behind its own have.
 *
 * @throws {WrongLine} They have not.
 */
async function* chunksOf(
  first: Line,
  lines: AsyncGenerator<Line>,
  size: number,
): AsyncGenerator<Uint8Array> {
  let { number } = first;
  for (let left = size; left > 0;) {
    const { done, value: line } = await lines.next();
    if (done) {
      throw new WrongLine(number, new TypeError(`its blob lacks ${left} of ${size} bytes`));
    }
    number = line.number;
    const bytes = chunkOf(line, left);
    left -= bytes.length;
    yield bytes;
  }
}

/** @throws {WrongLine} It is none, or too long. */
function chunkOf({ number, text }: Line, left: number): Uint8Array {
  try {
    const { chunk } = Object(JSON.parse(text));
    if (typeof chunk !== "string") throw new TypeError("it is not a chunk of the blob before it");
    const bytes = fromBase64(chunk);
    if (bytes.length > 0 && bytes.length <= left) return bytes;
    throw new TypeError("its chunk has a wrong length");
  } catch (cause) {
    throw new WrongLine(number, cause);
  }
}

function requireKv(what: string, kv: unknown): void {
  if (kv instanceof Kv) return;
  throw new TypeError(
    `${what}: it is ${describe(kv)}, not a Kv of this package; copyKv() takes others`,
  );
}
