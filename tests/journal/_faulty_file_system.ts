/** A journal's file access over real files that fails, shortens and delays on request, and knows which
 * files are open. Its syncs do nothing to the disk: no test takes the power away, and they take time.
 */

import { mkdirSync } from "node:fs";
import { basename } from "@std/path";
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

const realFiles: JournalFileSystem = {
  ...nodeFileSystem,
  makeDirectory: (path) => mkdirSync(path, { recursive: true }),
};

export class FaultyFileSystem implements JournalFileSystem {
  /** Called before each operation, which fails where this throws. */
  before: (operation: Operation) => void = () => {};
  /** Returns how many bytes the file takes in one write at most. */
  writeLimit: (operation: Operation) => number = () => Infinity;
  /** Called before a sync in the background, which waits for it. */
  beforeSync: () => Promise<void> = () => Promise.resolve();
  /** The operations so far. */
  readonly operations: Operation[] = [];
  /** The names of the files that are open. */
  readonly openNames: string[] = [];
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
    this.start("syncDirectory", path);
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
  readonly #file: JournalFile;

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
    this.#owner.start("sync", this.#path);
    await this.#owner.beforeSync();
  }

  syncNow(): void {
    this.#owner.start("syncNow", this.#path);
  }

  close(): void {
    // As in the kernel, a close that fails has closed all the same.
    const { openNames } = this.#owner;
    openNames.splice(openNames.indexOf(basename(this.#path)), 1);
    this.#file.close();
    this.#owner.start("close", this.#path);
  }
}
