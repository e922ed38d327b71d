/** The files and directories below a root, by the paths that traces name, and the real ones that they
 * stand for.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "@std/path";
import { DiskFile } from "./_file.ts";
import { DiskDirectory, Names, type Node } from "./_names.ts";

/** Files that are written through memory maps, and begun anew by the first to open them: LMDB's table
 * of readers and SQLite's index of its log.
 */
export const MAPPED = /(^|\/)lock\.mdb$|-shm$/;

/** A root, and all below it. */
export class Tree {
  readonly root: DiskDirectory;
  readonly names = new Names();
  readonly #path: string;

  /**
   * @param path The real path of the root.
   * @param base A directory that holds what is on disk at first.
   */
  constructor(path: string, base: string) {
    this.#path = path;
    this.root = load(base);
  }

  /** Returns whether a path is the root or below it. */
  has(path: string): boolean {
    return path === this.#path || path.startsWith(`${this.#path}/`);
  }

  /** Returns a path without the root. */
  show(path: string): string {
    return path.slice(this.#path.length + 1);
  }

  /** Returns what a path stands for now. */
  find(path: string): Node | undefined {
    return this.has(path) ? this.#walk(this.#partsOf(path)) : undefined;
  }

  /** Adds a node. */
  add(path: string, node: Node): void {
    const place = this.#place(path);
    if (place !== undefined) this.names.change([...place, node]);
  }

  /** Removes what a path stands for. */
  remove(path: string): void {
    const place = this.#place(path);
    if (place !== undefined) this.names.change([...place, undefined]);
  }

  /** Gives a node another path. */
  rename(from: string, to: string): void {
    const [source, target] = [this.#place(from), this.#place(to)];
    if (source === undefined || target === undefined) {
      throw new Error(
        `Cannot follow rename of ${from} to ${to}: one of them is outside of the root`,
      );
    }
    const node = source[0].seen.get(source[1]);
    this.names.change([...source, undefined], [...target, node]);
  }

  /** Returns the real path of a file, `undefined` where it has none any more. */
  pathOf(
    file: DiskFile,
    directory: DiskDirectory = this.root,
    path = this.#path,
  ): string | undefined {
    for (const [name, node] of directory.seen) {
      const child = `${path}/${name}`;
      if (node === file) return child;
      const found = node instanceof DiskDirectory ? this.pathOf(file, node, child) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Fails where the real directory is not as it was followed. */
  compare(directory: DiskDirectory = this.root, path = this.#path): void {
    const names = readdirSync(path).sort();
    const known = [...directory.seen.keys()].sort();
    if (names.join() !== known.join()) {
      throw new Error(`Followed ${path} wrongly: it holds ${names}, not ${known}`);
    }
    for (const [name, node] of directory.seen) {
      const child = `${path}/${name}`;
      if (node instanceof DiskDirectory) this.compare(node, child);
      else if (!MAPPED.test(name) && !readFileSync(child).equals(node.seen.bytes)) {
        throw new Error(`Followed ${child} wrongly: its content is another`);
      }
    }
  }

  #place(path: string): [DiskDirectory, string] | undefined {
    if (!this.has(path)) return undefined;
    const parts = this.#partsOf(path);
    const name = parts.pop();
    const directory = this.#walk(parts);
    if (name !== undefined && directory instanceof DiskDirectory) return [directory, name];
    throw new Error(`Cannot follow change of ${path}: nothing is known of its directory`);
  }

  #walk(parts: readonly string[]): Node | undefined {
    let node: Node | undefined = this.root;
    for (const part of parts) {
      if (!(node instanceof DiskDirectory)) return undefined;
      node = node.seen.get(part);
    }
    return node;
  }

  #partsOf(path: string): string[] {
    return this.show(path).split("/").filter((part) => part !== "");
  }
}

function load(path: string): DiskDirectory {
  const directory = new DiskDirectory();
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    const node = entry.isDirectory() ? load(child) : new DiskFile(readFileSync(child));
    directory.seen.set(entry.name, node);
    directory.durable.set(entry.name, node);
  }
  return directory;
}
