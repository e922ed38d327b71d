/** A journal's file access in memory that can lose its power. What was not synced is then on disk or
 * not, block by block and name by name, as chance has it.
 *
 * A write-back that fails is reported as Linux does: once for each file that is open at the time. Its
 * blocks count as written from then on, are read as before, and are not on disk unless written again. */

import { basename, dirname } from "@std/path";
import type { JournalFile, JournalFileSystem } from "../../journal/mod.ts";
import { type LosingFile, systemError } from "./_faulty_file_system.ts";

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

/** The bytes of a file. */
class Inode {
  /** What a read sees. */
  bytes: Uint8Array;
  /** What the disk may hold: the first is there, the last one is what a sync would bring there. */
  #images: Uint8Array[];
  /** Blocks that count as written and are not on disk. */
  readonly #lost = new Set<number>();
  /** How often a write-back has failed. */
  failures = 0;
  /** Whether a sync is under way. */
  isSyncing = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#images = [bytes];
  }

  /** The latest image. */
  get image(): Uint8Array {
    return this.#images.at(-1)!;
  }

  /** Writes into the file, or gives it another length. */
  change(length: number, bytes?: Uint8Array, position = 0): void {
    const changed = new Uint8Array(length);
    changed.set(this.bytes.subarray(0, length));
    if (bytes !== undefined) changed.set(bytes, position);
    const end = position + (bytes?.length ?? 0);
    for (const block of this.#lost) {
      const at = block * BLOCK_BYTES;
      const isWritten = at < end && position < at + BLOCK_BYTES;
      if (isWritten || at >= length) this.#lost.delete(block);
    }
    this.bytes = changed;
    this.#images.push(this.#imageNow());
  }

  /** What a sync would bring to the disk now. */
  #imageNow(): Uint8Array {
    const image = this.bytes.slice();
    const onDisk = this.#images[0]!;
    for (const block of this.#lost) {
      const at = block * BLOCK_BYTES;
      image.fill(0, at, at + BLOCK_BYTES);
      image.set(onDisk.subarray(at, Math.min(at + BLOCK_BYTES, image.length)), at);
    }
    return image;
  }

  /** Notes that an image is on disk. Another sync may have been faster, or lost it. */
  settle(image: Uint8Array): void {
    this.#images.splice(0, Math.max(0, this.#images.indexOf(image)));
  }

  /** Fails to write what is not on disk; chance says which blocks of it are lost. */
  fail(isLost: () => boolean): void {
    const onDisk = this.#images[0]!;
    for (let at = 0; at < this.bytes.length; at += BLOCK_BYTES) {
      const block = (bytes: Uint8Array) => bytes.subarray(at, at + BLOCK_BYTES).join();
      if (block(onDisk) !== block(this.bytes) && isLost()) this.#lost.add(at / BLOCK_BYTES);
    }
    this.#images = [this.#imageNow()];
    this.failures++;
  }

  /** Returns what is left when the power goes. */
  survivor(random: (limit: number) => number): Inode {
    const pick = () => this.#images[random(this.#images.length)]!;
    const lengths = this.#images.map((image) => image.length);
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
  /** Called when a sync has begun. */
  onSync: (path: string) => void = () => {};
  /** Returns whether a block is lost by a write-back that fails. */
  isLost: () => boolean = () => true;
  /** The names of files of which two syncs have overlapped. */
  overlaps: string[] = [];
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

  /** Fails to write back what a file has unsynced. Every open file hears of it when its sync ends. */
  failWriteBack(path: string): void {
    this.#names.get(path)?.fail(this.isLost);
  }

  /** Returns the file system as it is found after the process has died: as it was. */
  loseProcess(): VolatileFileSystem {
    const after = new VolatileFileSystem();
    after.overlaps = this.overlaps;
    after.#names = new Map(this.#names);
    after.#durableNames = new Map(this.#durableNames);
    return after;
  }

  /** Returns the file system as it is found after the power was lost. */
  losePower(random: (limit: number) => number): VolatileFileSystem {
    const after = new VolatileFileSystem();
    after.overlaps = this.overlaps;
    for (const path of new Set([...this.#names.keys(), ...this.#durableNames.keys()])) {
      const names = random(2) === 0 ? this.#names : this.#durableNames;
      const survivor = names.get(path)?.survivor(random);
      if (survivor !== undefined) after.#names.set(path, survivor);
    }
    after.#durableNames = new Map(after.#names);
    return after;
  }

  #fileOf(path: string, inode: Inode): LosingFile {
    // The strict reading: a file that is opened later hears nothing.
    let failuresHeard = inode.failures;
    const begin = () => {
      this.before();
      if (inode.isSyncing) this.overlaps.push(basename(path));
      inode.isSyncing = true;
      this.onSync(path);
    };
    const end = (image: Uint8Array) => {
      inode.isSyncing = false;
      if (failuresHeard !== inode.failures) {
        failuresHeard = inode.failures;
        throw systemError("EIO");
      }
      inode.settle(image);
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
        const length = Math.max(inode.bytes.length, position + taken);
        inode.change(length, bytes.subarray(0, taken), position);
        return taken;
      },
      truncate: (size) => {
        this.before();
        inode.change(size);
      },
      sync: async () => {
        begin();
        // What is written meanwhile is not covered.
        const { image } = inode;
        await new Promise((resolve) => setImmediate(resolve));
        end(image);
        this.before();
      },
      syncNow: () => {
        begin();
        end(inode.image);
      },
      failSync: () => {
        inode.fail(this.isLost);
        failuresHeard = inode.failures;
      },
      close: () => {},
    };
  }
}
