/** File access to files in memory, for a journal that nothing has to outlive.
 *
 * @module
 */

import { basename, dirname } from "@std/path";
import type { JournalFile, JournalFileSystem } from "./file_system.ts";

/** The bytes of a file come in pieces of this size, so that none is copied when a file grows. */
const CHUNK_BYTES = 64 * 1024;

/** Returns file access to an empty file system of its own, which lives in memory and goes with it.
 *
 * It fails as the real one does. A file that is removed stays readable where it is open, and its memory is
 * given back when nobody has it open. Syncs have nothing to do.
 */
export function memoryFileSystem(): JournalFileSystem {
  const directories = new Set<string>();
  const files = new Map<string, Content>();
  const isDirectory = (path: string) => directories.has(path) || dirname(path) === path;

  /** Returns why a call does not find what it looks for. */
  const missing = (call: string, path: string) =>
    files.has(dirname(path))
      ? fileFault("ENOTDIR", "not a directory", call, path)
      : fileFault("ENOENT", "no such file or directory", call, path);
  const missingFile = (call: string, path: string) =>
    isDirectory(path)
      ? fileFault("EISDIR", "illegal operation on a directory", call, path)
      : missing(call, path);
  const requireDirectory = (call: string, path: string) => {
    if (files.has(path)) throw fileFault("ENOTDIR", "not a directory", call, path);
    if (!isDirectory(path)) throw missing(call, path);
  };

  const fileSystem: JournalFileSystem = {
    makeDirectory(path) {
      if (isDirectory(path) || files.has(path)) return;
      const parent = dirname(path);
      fileSystem.makeDirectory(parent);
      requireDirectory("mkdir", parent);
      directories.add(path);
    },
    list(path) {
      requireDirectory("scandir", path);
      const isIn = (name: string) => dirname(name) === path && name !== path;
      return [...directories, ...files.keys()].filter(isIn).map((name) => basename(name));
    },
    open(path, access) {
      const content = files.get(path);
      if (content === undefined) throw missingFile("open", path);
      return new MemoryFile(content, access === "write");
    },
    create(path) {
      requireDirectory("open", dirname(path));
      if (files.has(path) || isDirectory(path)) {
        throw fileFault("EEXIST", "file already exists", "open", path);
      }
      const content = new Content();
      files.set(path, content);
      return new MemoryFile(content, true);
    },
    remove(path) {
      if (!files.delete(path)) throw missingFile("unlink", path);
    },
    syncDirectory(path) {
      requireDirectory("open", path);
    },
  };
  return fileSystem;
}

/** What a file holds. */
class Content {
  size = 0;
  /** The bytes, in pieces. One that is missing is zeros, and so are the bytes behind the end of the file. */
  readonly #chunks: (Uint8Array | undefined)[] = [];

  read(target: Uint8Array, position: number): number {
    const length = Math.max(0, Math.min(target.length, this.size - position));
    this.#visit(position, length, (index, start, end, done) => {
      const chunk = this.#chunks[index];
      if (chunk === undefined) target.fill(0, done, done + end - start);
      else target.set(chunk.subarray(start, end), done);
    });
    return length;
  }

  write(bytes: Uint8Array, position: number): void {
    this.#visit(position, bytes.length, (index, start, end, done) => {
      const chunk = this.#chunks[index] ??= new Uint8Array(CHUNK_BYTES);
      chunk.set(bytes.subarray(done, done + end - start), start);
      // At once: there may be no memory for the next piece.
      this.size = Math.max(this.size, position + done + end - start);
    });
  }

  truncate(size: number): void {
    if (size < this.size) {
      this.#chunks.length = Math.min(this.#chunks.length, Math.ceil(size / CHUNK_BYTES));
      // What is cut off must not come back where the file grows again.
      this.#chunks[Math.floor(size / CHUNK_BYTES)]?.fill(0, size % CHUNK_BYTES);
    }
    this.size = size;
  }

  /** Calls `visit` for each piece that a part of the file touches: with its number, where the part begins and
   * ends in it, and how many bytes of the part lie before it. */
  #visit(
    position: number,
    length: number,
    visit: (index: number, start: number, end: number, done: number) => void,
  ): void {
    for (let done = 0; done < length;) {
      const start = (position + done) % CHUNK_BYTES;
      const end = Math.min(CHUNK_BYTES, start + length - done);
      visit(Math.floor((position + done) / CHUNK_BYTES), start, end, done);
      done += end - start;
    }
  }
}

/** One open file. */
class MemoryFile implements JournalFile {
  #content: Content | undefined;
  readonly #isWritable: boolean;

  constructor(content: Content, isWritable: boolean) {
    this.#content = content;
    this.#isWritable = isWritable;
  }

  size(): number {
    return this.#open("fstat").size;
  }

  read(target: Uint8Array, position: number): number {
    return this.#open("read").read(target, position);
  }

  write(bytes: Uint8Array, position: number): number {
    const content = this.#open("write");
    if (!this.#isWritable) throw badDescriptor("write");
    content.write(bytes, position);
    return bytes.length;
  }

  truncate(size: number): void {
    const content = this.#open("ftruncate");
    if (!this.#isWritable) throw fileFault("EINVAL", "invalid argument", "ftruncate");
    content.truncate(size);
  }

  // deno-lint-ignore require-await
  async sync(): Promise<void> {
    this.#open("fdatasync");
  }

  syncNow(): void {
    this.#open("fdatasync");
  }

  close(): void {
    this.#open("close");
    // Callers may keep this object, and the file may be removed.
    this.#content = undefined;
  }

  #open(call: string): Content {
    if (this.#content === undefined) throw badDescriptor(call);
    return this.#content;
  }
}

/** Returns an error as `node:fs` throws it. */
function fileFault(code: string, reason: string, syscall: string, path?: string): Error {
  const message = `${code}: ${reason}, ${syscall}`;
  if (path === undefined) return Object.assign(new Error(message), { code, syscall });
  return Object.assign(new Error(`${message} '${path}'`), { code, syscall, path });
}

function badDescriptor(call: string): Error {
  return fileFault("EBADF", "bad file descriptor", call);
}
