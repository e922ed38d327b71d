/** A journal's file access that fails, shortens and delays on request, and knows which files are open
 * and whether two syncs of one file overlap. Over real files its syncs do nothing to the disk: no
 * test takes their power away, and they take time.
 */

import { mkdirSync } from "node:fs";
import { basename } from "@std/path";
import { syncDirectory } from "../../journal/file_system.ts";
import { type JournalFile, type JournalFileSystem, nodeFileSystem } from "../../journal/mod.ts";

/** One call of the file access. */
export interface Operation {
  kind: keyof JournalFile | keyof JournalFileSystem;
  /** The last part of the path. */
  name: string;
  /** What a read or a write asks for. */
  bytes: number;
}

/** Returns an error as a file operation throws it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/** Returns a hook for `beforeSync` that holds the syncs of segments alone. */
export function forSegments(hook: () => Promise<void>): (operation: Operation) => Promise<void> {
  return ({ name }) => name.endsWith(".seg") ? hook() : Promise.resolve();
}

/** A file that can lose what was not synced. */
export interface LosingFile extends JournalFile {
  /** Loses what a sync would have to write, as a failed one does. */
  failSync?(): void;
}

function unsynced(file: JournalFile): JournalFile {
  return Object.assign(file, { sync: () => Promise.resolve(), syncNow: () => {} });
}

const realFiles: JournalFileSystem = {
  ...nodeFileSystem,
  makeDirectory: (path) => mkdirSync(path, { recursive: true }),
  open: (path, access) => unsynced(nodeFileSystem.open(path, access)),
  create: (path) => unsynced(nodeFileSystem.create(path)),
  syncDirectory: () => {},
  syncDirectoryAsync: () => Promise.resolve(),
};

export class FaultyFileSystem implements JournalFileSystem {
  /** Called before each operation, which fails where this throws. */
  before: (operation: Operation) => void = () => {};
  /** Returns how many bytes the file takes in one write at most. */
  writeLimit: (operation: Operation) => number = () => Infinity;
  /** Called before a sync in the background, which waits for it. */
  beforeSync: (operation: Operation) => Promise<void> = () => Promise.resolve();
  /** The operations so far. */
  readonly operations: Operation[] = [];
  /** The names of the files that are open. */
  readonly openNames: string[] = [];
  /** The names of what was synced while a sync of the same was under way. */
  readonly overlaps: string[] = [];
  readonly #syncing = new Set<string>();
  readonly #files: JournalFileSystem;

  /** @param files What takes the operations that do not fail; the real files by default. */
  constructor(files: JournalFileSystem = realFiles) {
    this.#files = files;
  }

  makeDirectory(path: string): void {
    this.start("makeDirectory", path);
    this.#files.makeDirectory(path);
  }

  list(path: string): string[] {
    this.start("list", path);
    return this.#files.list(path);
  }

  open(path: string, access: "read" | "write"): JournalFile {
    this.start("open", path);
    return new FaultyFile(this, path, this.#files.open(path, access));
  }

  create(path: string): JournalFile {
    this.start("create", path);
    return new FaultyFile(this, path, this.#files.create(path));
  }

  remove(path: string): void {
    this.start("remove", path);
    this.#files.remove(path);
  }

  syncDirectory(path: string): void {
    this.syncing(path, () => {
      this.start("syncDirectory", path);
      this.#files.syncDirectory(path);
    });
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    await this.syncing(path, async () => {
      await this.beforeSync(this.start("syncDirectoryAsync", path));
      await syncDirectory(this.#files, path);
    });
  }

  /** Runs a sync, and notes where another one of the same is under way. */
  syncing<T>(path: string, sync: () => T): T {
    if (this.#syncing.has(path)) this.overlaps.push(basename(path));
    this.#syncing.add(path);
    const end = () => void this.#syncing.delete(path);
    let result: T | undefined;
    try {
      result = sync();
    } finally {
      if (!(result instanceof Promise)) end();
    }
    return result instanceof Promise ? result.finally(end) as T : result;
  }

  /** Notes an operation and fails where it is to fail. */
  start(kind: Operation["kind"], path: string, bytes = 0): Operation {
    const operation = { kind, name: basename(path), bytes };
    this.operations.push(operation);
    this.before(operation);
    return operation;
  }

  /** Counts the operations of a kind so far, on segment files alone where asked. */
  count(kind: Operation["kind"], suffix = ""): number {
    return this.operations.filter((op) => op.kind === kind && op.name.endsWith(suffix)).length;
  }
}

class FaultyFile implements JournalFile {
  readonly #owner: FaultyFileSystem;
  readonly #path: string;
  readonly #file: LosingFile;

  constructor(owner: FaultyFileSystem, path: string, file: JournalFile) {
    this.#owner = owner;
    this.#path = path;
    this.#file = file;
    owner.openNames.push(basename(path));
  }

  size(): number {
    this.#owner.start("size", this.#path);
    return this.#file.size();
  }

  read(target: Uint8Array, position: number): number {
    this.#owner.start("read", this.#path, target.length);
    return this.#file.read(target, position);
  }

  write(bytes: Uint8Array, position: number): number {
    const operation = this.#owner.start("write", this.#path, bytes.length);
    const limit = this.#owner.writeLimit(operation);
    return limit === 0 ? 0 : this.#file.write(bytes.subarray(0, limit), position);
  }

  truncate(size: number): void {
    this.#owner.start("truncate", this.#path);
    this.#file.truncate(size);
  }

  async sync(): Promise<void> {
    await this.#owner.syncing(this.#path, async () => {
      try {
        await this.#owner.beforeSync(this.#owner.start("sync", this.#path));
      } catch (error) {
        this.#file.failSync?.();
        throw error;
      }
      await this.#file.sync();
    });
  }

  syncNow(): void {
    this.#owner.syncing(this.#path, () => {
      try {
        this.#owner.start("syncNow", this.#path);
      } catch (error) {
        this.#file.failSync?.();
        throw error;
      }
      this.#file.syncNow();
    });
  }

  close(): void {
    // As in the kernel, a close that fails has closed all the same.
    const { openNames } = this.#owner;
    openNames.splice(openNames.indexOf(basename(this.#path)), 1);
    this.#file.close();
    this.#owner.start("close", this.#path);
  }
}
