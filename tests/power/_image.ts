/** What a power loss may leave of a disk. */

import * as fs from "node:fs";
import { join } from "@std/path";
import type { Random } from "../support/random.ts";
import type { Disk } from "./_disk.ts";
import { apply, Content, DiskFile, PAGE_BYTES } from "./_file.ts";
import type { DiskDirectory, NamesOf, Node } from "./_names.ts";

/** What is lost of what was not synced: single sectors, pages, whole operations, names only, or each
 * file in a way of its own.
 */
export const LOSSES = ["sector", "page", "operation", "name", "mix"] as const;
/** One of {@linkcode LOSSES}. */
export type Loss = typeof LOSSES[number];

const SECTOR_BYTES = 512;
const MIXED = ["sector", "sector", "page", "operation", "prefix", "all", "none"] as const;
type Way = typeof MIXED[number];

/** Writes an image of a disk.
 *
 * @param target A directory that is not there yet.
 */
export function writeImage(disk: Disk, loss: Loss, random: Random, target: string): void {
  const { names, root } = disk.tree;
  const way = loss === "mix"
    ? random.pick(["operation", "prefix", "all", "none"] as const)
    : "operation";
  const survivors = choose(names.pending, way, random);
  const ways = () => loss === "mix" ? random.pick(MIXED) : loss === "name" ? "all" : loss;
  writeDirectory(
    root,
    names.after(survivors),
    target,
    (file) => survivor(file, ways(), random),
  );
}

function writeDirectory(
  directory: DiskDirectory,
  namesOf: NamesOf,
  target: string,
  contentOf: (file: DiskFile) => Uint8Array,
): void {
  fs.mkdirSync(target);
  for (const [name, node] of sorted(namesOf(directory))) {
    const path = join(target, name);
    // Whatever it holds is as before the power loss, and SQLite begins it anew.
    if (name.endsWith("-shm")) continue;
    if (node instanceof DiskFile) fs.writeFileSync(path, contentOf(node));
    else writeDirectory(node, namesOf, path, contentOf);
  }
}

/** The order in which random choices are made does not depend on that of directories. */
function sorted(names: ReadonlyMap<string, Node>): [string, Node][] {
  return [...names].sort(([a], [b]) => a < b ? -1 : 1);
}

/** Returns what is left of a file. */
export function survivor(file: DiskFile, way: Way, random: Random): Uint8Array {
  const { pending, durable } = file;
  if (pending.length === 0 || way === "none") return durable.bytes;
  if (way === "sector" || way === "page") {
    return unitsOf(file, way === "sector" ? SECTOR_BYTES : PAGE_BYTES, random);
  }
  const content = new Content(durable.bytes);
  for (const change of choose(pending, way, random)) apply(content, change);
  return content.bytes;
}

function choose<T>(
  changes: readonly T[],
  way: "operation" | "prefix" | "all" | "none",
  random: Random,
): T[] {
  switch (way) {
    case "operation":
      return changes.filter(() => random.once(2));
    case "prefix":
      return changes.slice(0, random.below(changes.length + 1));
    case "all":
      return [...changes];
    case "none":
      return [];
  }
}

/** Every unit is as one of the changes that touch it has left it, or as it was before, and the length is
 * one of those that the file had.
 */
function unitsOf({ durable, pending }: DiskFile, unitBytes: number, random: Random): Uint8Array {
  const content = new Content(durable.bytes);
  const sizes = [content.size];
  const versions = new Map<number, Uint8Array[]>();
  const touch = (from: number, to: number, keep: (unit: number) => void) => {
    for (let unit = Math.floor(from / unitBytes); unit * unitBytes < to; unit++) keep(unit);
  };
  for (const change of pending) {
    const { data, position } = change;
    const before = content.size;
    const [from, to] = data === undefined
      ? [Math.min(position, before), Math.max(position, before)]
      : [Math.min(position, before), position + data.length];
    const keep = (unit: number) => {
      const version = content.slice(unit * unitBytes, (unit + 1) * unitBytes);
      const known = versions.get(unit);
      if (known === undefined) versions.set(unit, [version]);
      else known.push(version);
    };
    touch(from, to, (unit) => versions.has(unit) || keep(unit));
    apply(content, change);
    // A cut gives up whole pages in one step: where the file still has its length, it has what they held. What
    // is cut off of a page is made zeros, which may reach the disk before the new length does.
    const isCut = data === undefined && position < before;
    const pageEnd = Math.ceil(position / PAGE_BYTES) * PAGE_BYTES;
    touch(from, isCut ? Math.min(to, pageEnd) : to, keep);
    sizes.push(content.size);
  }
  const size = random.pick(sizes);
  const image = new Content(durable.bytes);
  for (const [unit, found] of versions) {
    const start = unit * unitBytes;
    if (start >= size) continue;
    image.write(start, random.pick(found));
  }
  image.resize(size);
  return image.bytes;
}
