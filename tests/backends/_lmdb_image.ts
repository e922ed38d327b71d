/** LMDB data files to check: engines that write them, and images of them that can be damaged. */

import * as fs from "node:fs";
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import {
  checkLmdbPages,
  type LmdbCheckOptions,
  type LmdbFault,
} from "../../backends/lmdb_check.ts";
import { type Engine, openLmdbEngine } from "../../backends/mod.ts";
import { IDENTITY, pattern, put, remove } from "../conformance/_kit.ts";
import { tempDirectory } from "../support/temp.ts";

/** What new files have; `lmdb_page_size_test.ts` makes sure of it. */
export const PAGE_BYTES = 8192;
export const HEADER_BYTES = 24;
/** Where a meta page has the record of a tree. */
const RECORDS = { free: 48, main: 96 };

/** A tree of the file. */
export type TreeName = "free" | "main" | "entries";

/** Runs `body` with a new engine and the path of its data file. */
export async function withEngine(
  body: (engine: Engine, path: string) => Promise<void>,
): Promise<void> {
  using temp = tempDirectory();
  const engine = await openLmdbEngine(temp.path, { identity: IDENTITY, create: true });
  try {
    await body(engine, join(temp.path, "data.mdb"));
  } finally {
    await engine.close();
  }
}

/** Returns a key of a length whose number is at its end. */
export function longKey(number: number, length: number): Uint8Array {
  const key = new Uint8Array(length).fill(0x61);
  new DataView(key.buffer).setUint32(length - 4, number);
  return key;
}

/** A healthy data file in memory, taken apart without the code under test. */
export class Image {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = new Uint8Array(bytes);
    this.view = new DataView(this.bytes.buffer);
  }

  /** The meta page of the last transaction. */
  get meta(): number {
    return this.number(152) > this.number(PAGE_BYTES + 152) ? 0 : 1;
  }

  number(at: number): number {
    return Number(this.view.getBigUint64(at, true));
  }

  setNumber(at: number, value: number): void {
    this.view.setBigInt64(at, BigInt(value), true);
  }

  flip(at: number, bit: number): void {
    this.bytes[at]! ^= 1 << bit;
  }

  /** Returns where the record of a tree is. */
  record(name: TreeName): number {
    if (name !== "entries") return this.meta * PAGE_BYTES + RECORDS[name];
    const [node] = this.nodes(this.number(this.record("main") + 40));
    return this.valueAt(node!);
  }

  isLeaf(page: number): boolean {
    return this.view.getUint16(page * PAGE_BYTES + 18, true) === 2;
  }

  /** Whether the value of a leaf node is on overflow pages. */
  isOnOverflow(node: number): boolean {
    return this.view.getUint16(node + 4, true) === 1;
  }

  /** Returns where the nodes of a page begin, in the order of their keys. */
  nodes(page: number): number[] {
    const start = page * PAGE_BYTES + HEADER_BYTES;
    return Array.from({ length: this.view.getUint16(start - 4, true) / 2 }, (_, i) => {
      return start + this.view.getUint16(start + 2 * i, true);
    });
  }

  valueAt(node: number): number {
    return node + 8 + this.view.getUint16(node + 6, true);
  }

  /** Returns the page that a node of a branch page points to. */
  child(node: number): number {
    return this.view.getUint32(node, true);
  }

  /** Returns all pages of a tree but the overflow ones, parents first. */
  pages(name: TreeName): number[] {
    const pages = [this.number(this.record(name) + 40)];
    for (const page of pages) {
      if (!this.isLeaf(page)) pages.push(...this.nodes(page).map((node) => this.child(node)));
    }
    return pages;
  }

  /** Returns all pages of all trees but the overflow ones. */
  allPages(): number[] {
    return [...this.pages("free"), ...this.pages("main"), ...this.pages("entries")];
  }

  /** Returns the pages that hold the entries. */
  leaves(): number[] {
    return this.pages("entries").filter((page) => this.isLeaf(page));
  }

  /** Returns the node of a leaf page whose value is on overflow pages. */
  overflowNode(): { page: number; node: number; first: number } {
    for (const page of this.leaves()) {
      const node = this.nodes(page).find((node) => this.isOnOverflow(node));
      if (node !== undefined) return { page, node, first: this.number(this.valueAt(node)) };
    }
    throw new Error("no value is on overflow pages");
  }

  /** Returns a leaf page of the free list, a node there with room for two numbers at least, where its
   * list of numbers begins, and one of them that is a page. */
  freeList(): { page: number; node: number; list: number; free: number } {
    for (const page of this.pages("free").filter((page) => this.isLeaf(page))) {
      for (const node of this.nodes(page).filter((node) => !this.isOnOverflow(node))) {
        const list = this.valueAt(node);
        const numbers = Array.from({ length: this.number(list) }, (_, i) => {
          return Number(this.view.getBigInt64(list + 8 + 8 * i, true));
        });
        const free = numbers.find((number) => number > 0);
        if (numbers.length >= 2 && free !== undefined) return { page, node, list, free };
      }
    }
    throw new Error("the free list has no value of two numbers");
  }
}

let small: Promise<Uint8Array> | undefined;

/** Returns a healthy file with every kind of page: three levels, large values, a free list. */
async function createSmall(): Promise<Uint8Array> {
  let bytes = new Uint8Array(0);
  await withEngine(async (engine, path) => {
    const write = (i: number, seed: number) => {
      return put(longKey(i, 190), pattern(i % 40 === 0 ? 8000 + i : 40 + i % 60, i + seed));
    };
    await engine.apply(Array.from({ length: 1200 }, (_, i) => write(i, 0)), 1n);
    for (let commit = 2; commit < 12; commit++) {
      const numbers = Array.from({ length: 100 }, (_, i) => i * 11 + commit);
      const writes = numbers.map((i) => i % 3 === 0 ? remove(longKey(i, 190)) : write(i, commit));
      await engine.apply(writes, BigInt(commit));
    }
    assertEquals((await checkLmdbPages(path)).faults, []);
    bytes = new Uint8Array(fs.readFileSync(path));
  });
  const image = new Image(bytes);
  const root = image.pages("entries")[0]!;
  assert(!image.isLeaf(image.child(image.nodes(root)[0]!)), "the file has too few levels");
  return bytes;
}

/** Returns what the check finds in a file after `damage` was done to it. */
export type Find = (
  damage: (image: Image) => Uint8Array | void,
  options?: LmdbCheckOptions,
) => Promise<LmdbFault[]>;

/** Runs `body` with a small file, and with a way to damage copies of it and to check those. */
export async function withSmall(body: (image: Image, find: Find) => Promise<void>): Promise<void> {
  using temp = tempDirectory();
  const path = join(temp.path, "data.mdb");
  const healthy = await (small ??= createSmall());
  await body(new Image(healthy), async (damage, options) => {
    const image = new Image(healthy);
    fs.writeFileSync(path, damage(image) ?? image.bytes);
    return (await checkLmdbPages(path, options)).faults;
  });
}

/** Checks that a fault of a page is among others. */
export function assertFound(
  faults: LmdbFault[],
  page: number,
  reason: RegExp,
  what: unknown = "",
): void {
  const isFound = faults.some((fault) => fault.page === BigInt(page) && reason.test(fault.reason));
  const found = faults.map((fault) => `page ${fault.page} ${fault.reason}`).join("\n");
  assert(isFound, `${what}: page ${page} ${reason} is not among\n${found}`);
}
