/** The engines with files, and contents to put into them. */

import { createHash } from "node:crypto";
import { type Engine, openLmdbEngine, openSqliteEngine, type Write } from "../../backends/mod.ts";
import { numberedKey, pattern, put, rangeOf } from "../conformance/_kit.ts";

export { IDENTITY } from "../conformance/_kit.ts";

/** An engine with files. */
export interface FileEngine {
  readonly open: typeof openLmdbEngine;
  /** The name of its main file. */
  readonly file: string;
}

export const ENGINES: Readonly<Record<string, FileEngine>> = {
  lmdb: { open: openLmdbEngine, file: "data.mdb" },
  sqlite: { open: openSqliteEngine, file: "data.sqlite" },
};

/** Returns writes of keys in order, whose values tell the number and the seed. */
export function numberedWrites(from: number, to: number, seed: number): Write[] {
  const writes: Write[] = [];
  for (let i = from; i < to; i++) writes.push(put(numberedKey(i), pattern(20 + i % 200, i + seed)));
  return writes;
}

/** Returns the position of an engine and a digest of all that it holds. */
export function contentOf(engine: Engine): string {
  const hash = createHash("sha256");
  let keys = 0;
  for (const { key, value } of engine.range(rangeOf(), Infinity)) {
    hash.update(`${key.length} ${value.length} `).update(key).update(value);
    keys++;
  }
  // Reads that go their own ways through the files find the same.
  const backwards = engine.keys(rangeOf({ reverse: true }), Infinity);
  if (backwards.length !== keys) throw new Error(`${backwards.length} keys backwards, not ${keys}`);
  for (const key of backwards) {
    if (engine.get(key) === undefined) throw new Error(`get() misses key ${key}`);
  }
  return `${engine.position} ${keys} ${hash.digest("hex")}`;
}
