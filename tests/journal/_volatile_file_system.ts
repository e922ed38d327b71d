/** A journal's file access in memory that can lose its power. What was not synced is then on disk or
 * not, block by block and name by name, as chance has it. */

import { basename, dirname } from "@std/path";
import type { JournalFile, JournalFileSystem } from "../../journal/mod.ts";
import { systemError } from "./_faulty_file_system.ts";

/** What a disk writes as a whole or not at all. Disks do so with 512 bytes; fewer are harder. */
const BLOCK_BYTES = 32;

/** Returns numbers from 0 to below `limit`, the same ones for the same seed. */
export function randomOf(seed: number): (limit: number) => number {
  let state = seed | 0;
  return (limit) => {
    state = state + 0x6d2b79f5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return Math.floor(((t ^ t >>> 14) >>> 0) / 2 ** 32 * limit);
  };
}

/** The bytes of a file: the first version is on disk, the last one is what a read sees. */
class Inode {
  versions: Uint8Array[];

  constructor(bytes: Uint8Array) {
    this.versions = [bytes];
  }

  get bytes(): Uint8Array {
    return this.versions.at(-1)!;
  }

  /** Returns what is left when the power goes. */
  survivor(random: (limit: number) => number): Inode {
    const pick = () => this.versions[random(this.versions.length)]!;
    const lengths = this.versions.map((version) => version.length);
    const shortest = Math.min(...lengths);
    const between = shortest + random(Math.max(...lengths) - shortest + 1);
    const survivor = new Uint8Array(random(2) === 0 ? between : pick().length);
    for (let at = 0; at < survivor.length; at += BLOCK_BYTES) {
      survivor.set(pick().subarray(at, Math.min(at + BLOCK_BYTES, survivor.length)), at);
    }
    return new Inode(survivor);
  }
}

export class VolatileFileSystem implements JournalFileSystem {
  /** Called before each operation, which fails where this throws. */
  before: () => void = () => {};
  /** Returns how many bytes a write to a segment takes; fewer than all fails it as a full disk does. */
  space: (wanted: number) => number = (wanted) => wanted;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();

  makeDirectory(): void {
    this.before();
  }

  list(path: string): string[] {
    this.before();
    return [...this.#names.keys()].filter((name) => dirname(name) === path).map((n) => basename(n));
  }

  open(path: string): JournalFile {
    this.before();
    const inode = this.#names.get(path);
    if (inode === undefined) throw systemError("ENOENT");
    return this.#fileOf(path, inode);
  }

  create(path: string): JournalFile {
    this.before();
    if (this.#names.has(path)) throw systemError("EEXIST");
    const inode = new Inode(new Uint8Array(0));
    this.#names.set(path, inode);
    return this.#fileOf(path, inode);
  }

  remove(path: string): void {
    this.before();
    if (!this.#names.delete(path)) throw systemError("ENOENT");
  }

  syncDirectory(): void {
    this.before();
    this.#durableNames = new Map(this.#names);
  }

  /** Returns the file system as it is found after the process has died: as it was. */
  loseProcess(): VolatileFileSystem {
    const after = new VolatileFileSystem();
    after.#names = new Map(this.#names);
    after.#durableNames = new Map(this.#durableNames);
    return after;
  }

  /** Returns the file system as it is found after the power was lost. */
  losePower(random: (limit: number) => number): VolatileFileSystem {
    const after = new VolatileFileSystem();
    for (const path of new Set([...this.#names.keys(), ...this.#durableNames.keys()])) {
      const names = random(2) === 0 ? this.#names : this.#durableNames;
      const survivor = names.get(path)?.survivor(random);
      if (survivor !== undefined) after.#names.set(path, survivor);
    }
    after.#durableNames = new Map(after.#names);
    return after;
  }

  #fileOf(path: string, inode: Inode): JournalFile {
    const change = (length: number, bytes?: Uint8Array, position?: number) => {
      const changed = new Uint8Array(length);
      changed.set(inode.bytes.subarray(0, length));
      if (bytes !== undefined) changed.set(bytes, position);
      inode.versions.push(changed);
    };
    return {
      size: () => {
        this.before();
        return inode.bytes.length;
      },
      read: (target, position) => {
        this.before();
        const bytes = inode.bytes.subarray(position, position + target.length);
        target.set(bytes);
        return bytes.length;
      },
      write: (bytes, position) => {
        this.before();
        const taken = path.endsWith(".seg") ? this.space(bytes.length) : bytes.length;
        if (taken === 0) throw systemError("ENOSPC");
        const end = position + taken;
        change(Math.max(inode.bytes.length, end), bytes.subarray(0, taken), position);
        return taken;
      },
      truncate: (size) => {
        this.before();
        change(size);
      },
      sync: async () => {
        this.before();
        const covered = inode.bytes;
        await new Promise((resolve) => setImmediate(resolve));
        this.before();
        // What was written meanwhile is not covered, and another sync may have been faster.
        inode.versions.splice(0, Math.max(0, inode.versions.indexOf(covered)));
      },
      syncNow: () => {
        this.before();
        inode.versions.splice(0, inode.versions.length - 1);
      },
      close: () => {},
    };
  }
}
