/** Entries as lines of JSON, in the form that Deno's tools for KV have.
 *
 * A line is `{ "key": […], "value": …, "versionstamp": "…" }`, and `"expiresAt"`, in milliseconds, where the entry
 * expires. A blob is `{ "type": "KvBlob", "size": … }`, and its bytes follow in lines `{ "chunk": "…" }`.
 *
 * @module
 */

import { wallClock } from "../runtime/clock.ts";
import { describe, requireOptions, requireSignal } from "../store/limits.ts";
import { ALL, entriesOf } from "./_entries.ts";
import {
  fromBase64,
  keyFromJson,
  keyToJson,
  toBase64,
  valueFromJson,
  valueToJson,
} from "./_json.ts";
import { Kv } from "./kv.ts";
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
  const lines = linesOf(kv, options.selector ?? ALL);
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

async function* linesOf(kv: Kv, selector: KvListSelector): AsyncGenerator<object> {
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
  const lines = numberedLines(source);
  let entries = 0;
  let operation = kv.atomic();
  let [writes, length] = [0, 0];
  const commit = async () => {
    if (writes === 0) return;
    await operation.commit();
    entries += writes;
    operation = kv.atomic();
    writes = length = 0;
    onProgress?.({ entries });
  };
  let at = 0;
  try {
    for await (const { number, text } of lines) {
      signal?.throwIfAborted();
      at = number;
      const { key, json, expireIn } = parseLine(text);
      if (isBlob(json)) {
        await commit();
        const stream = chunksOf(lines, json.size, (number) => at = number);
        await kv.setBlob(key, stream, { ...expireIn, ...(signal && { signal }) });
        entries++;
        continue;
      }
      const value = valueFromJson(json);
      if (expireIn.expireIn !== undefined && expireIn.expireIn <= 0) continue;
      operation.set(key, value, expireIn);
      writes++;
      length += text.length;
      if (writes >= COMMIT_WRITES || length >= COMMIT_BYTES) await commit();
    }
  } catch (error) {
    if (
      signal?.aborted ||
      !(error instanceof TypeError || error instanceof SyntaxError || error instanceof RangeError)
    ) {
      throw error;
    }
    await commit();
    throw new TypeError(
      `${what}: line ${at} is wrong: ${error.message}; the ${entries} entries before it are there`,
      { cause: error },
    );
  }
  await commit();
  return { entries };
}

/** A line, and which one it is, from 1 on. */
interface Line {
  readonly number: number;
  readonly text: string;
}

/** Yields lines that are not empty. */
async function* numberedLines(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<Line> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let number = 1;
  let rest: string[] = [];
  for await (const piece of source) {
    const parts = (typeof piece === "string" ? piece : decoder.decode(piece, { stream: true }))
      .split("\n");
    for (const part of parts.slice(0, -1)) {
      const text = [...rest, part].join("");
      rest = [];
      if (text.trim() !== "") yield { number, text };
      number++;
    }
    rest.push(parts.at(-1)!);
  }
  const text = [...rest, decoder.decode()].join("");
  if (text.trim() !== "") yield { number, text };
}

function parseLine(
  text: string,
): { key: KvKey; json: unknown; expireIn: { expireIn?: number } } {
  const line: unknown = JSON.parse(text);
  const { key, value, expiresAt } = Object(line) as Partial<Record<string, unknown>>;
  if (key === undefined || value === undefined) throw new TypeError("it has no key, or no value");
  if (expiresAt === undefined) return { key: keyFromJson(key), json: value, expireIn: {} };
  if (!Number.isSafeInteger(expiresAt)) throw new TypeError("its expiresAt is not an integer");
  const expireIn = Math.max((expiresAt as number) - wallClock.now(), 0);
  return { key: keyFromJson(key), json: value, expireIn: { expireIn } };
}

function isBlob(json: unknown): json is { size: number } {
  const { type, size } = Object(json);
  if (type !== "KvBlob") return false;
  if (!Number.isSafeInteger(size) || size < 0) throw new TypeError("its blob has no size");
  return true;
}

/** Yields the bytes of a blob, which the next lines have. */
async function* chunksOf(
  lines: AsyncGenerator<Line>,
  size: number,
  onLine: (number: number) => void,
): AsyncGenerator<Uint8Array> {
  for (let left = size; left > 0;) {
    const { done, value: line } = await lines.next();
    if (done) throw new TypeError(`its blob lacks ${left} of ${size} bytes`);
    onLine(line.number);
    const { chunk } = Object(JSON.parse(line.text));
    if (typeof chunk !== "string") throw new TypeError("it is not a chunk of the blob before it");
    const bytes = fromBase64(chunk);
    left -= bytes.length;
    if (bytes.length === 0 || left < 0) throw new TypeError("its chunk has a wrong length");
    yield bytes;
  }
}

function requireKv(what: string, kv: unknown): void {
  if (kv instanceof Kv) return;
  throw new TypeError(
    `${what}: it is ${describe(kv)}, not a Kv of this package; copyKv() takes others`,
  );
}
