/** Lines of text out of pieces of bytes or of text that are cut anywhere.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { abortable } from "../runtime/abortable.ts";
import { describe } from "../store/limits.ts";

const NEWLINE = 10;
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What lines are read from: a stream of a file, of a response, or an async iterable. */
export type LineSource = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array | string>;

/** That a line is wrong, and why. What fails otherwise is no fault of the lines. */
export class WrongLine extends Error {
  readonly number: number;

  constructor(number: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.number = number;
  }
}

/** What an iterator and the reader of a stream have in common. */
interface Pieces {
  next(): Promise<{ done?: boolean; value?: Uint8Array | string | undefined }>;
  return?(): Promise<unknown>;
}

/** Yields what a source gives, until the signal is aborted, also where it gives nothing. */
async function* piecesOf(
  what: string,
  source: LineSource,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array | string> {
  const reader = source instanceof ReadableStream ? source.getReader() : undefined;
  const iterator: Pieces = reader === undefined
    ? (source as AsyncIterable<Uint8Array | string>)[Symbol.asyncIterator]()
    : { next: () => reader.read(), return: () => reader.cancel() };
  let isAtEnd = false;
  try {
    for (;;) {
      const { done, value } = await abortable(iterator.next(), signal);
      isAtEnd = done === true;
      if (isAtEnd) return;
      if (typeof value !== "string" && !(value instanceof Uint8Array)) {
        throw new TypeError(`${what}: the source gave ${describe(value)}, neither bytes nor text`);
      }
      yield value;
    }
  } finally {
    // Not waited for: it may be what has not answered.
    if (!isAtEnd) void Promise.resolve(iterator.return?.()).catch(() => {});
    reader?.releaseLock();
  }
}

/** A line, and which one it is, from 1 on. */
export interface Line {
  readonly number: number;
  readonly text: string;
}

/** Yields the lines of a source that are not empty. Where they are left, the source is ended.
 *
 * @throws {WrongLine} Its bytes are not UTF-8.
 * @throws {TypeError} The source gives something else than bytes and text.
 * @throws What the source throws; the signal's reason.
 */
export async function* linesOf(
  what: string,
  source: LineSource,
  signal: AbortSignal | undefined,
): AsyncGenerator<Line> {
  let number = 1;
  // A line is put together before it is decoded, so that the number of a wrong one is known.
  let rest: (Uint8Array | string)[] = [];
  for await (const piece of piecesOf(what, source, signal)) {
    let start = 0;
    for (;;) {
      const end = typeof piece === "string"
        ? piece.indexOf("\n", start)
        : piece.indexOf(NEWLINE, start);
      if (end < 0) break;
      const part = typeof piece === "string" ? piece.slice(start, end) : piece.subarray(start, end);
      const text = lineOf(number, [...rest, part]);
      rest = [];
      if (text.trim() !== "") yield { number, text };
      number++;
      start = end + 1;
    }
    // A copy: the source may use its bytes again.
    if (start === piece.length) continue;
    rest.push(
      typeof piece === "string" ? piece.slice(start) : new Uint8Array(piece.subarray(start)),
    );
  }
  const text = lineOf(number, rest);
  if (text.trim() !== "") yield { number, text };
}

function lineOf(number: number, parts: readonly (Uint8Array | string)[]): string {
  const bytes: Uint8Array[] = [];
  let text = "";
  const decode = () => {
    if (bytes.length > 0) {
      text += DECODER.decode(bytes.length === 1 ? bytes[0] : Buffer.concat(bytes));
    }
    bytes.length = 0;
  };
  try {
    for (const part of parts) {
      if (typeof part !== "string") {
        bytes.push(part);
        continue;
      }
      decode();
      text += part;
    }
    decode();
  } catch (cause) {
    throw new WrongLine(number, cause);
  }
  // Some programs put it in front of a file.
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
