/** A directory on a disk that can lose its power, rebuilt from the system calls of those who use it. */

import { Buffer } from "node:buffer";
import { existsSync, readFileSync } from "node:fs";
import { type Change, DiskFile } from "./_file.ts";
import { DiskDirectory, type NameChange, type Node } from "./_names.ts";
import type { Call, TraceEvent } from "./_trace.ts";
import { MAPPED, Tree } from "./_tree.ts";

/** Both descriptors of a copy, and the positions, where they are not those of the descriptors. */
const COPY = /^(\d+)<[^>]*>, (NULL|\[(\d+)\]), (\d+)<[^>]*>, (NULL|\[(\d+)\]), /;

interface Descriptor {
  readonly node: Node;
  offset: number;
  readonly isSynchronous: boolean;
  readonly appends: boolean;
}

/** What a call will change when it ends. */
type Begun =
  | { kind: "change"; file: DiskFile; change: Change; descriptor: Descriptor | undefined }
  | { kind: "sync"; file: DiskFile; covered: Change[] }
  | { kind: "names"; covered: NameChange[] };

/** How a disk behaves. */
export interface DiskOptions {
  /** Says of each page that a failed sync covers whether it is lost; all are by default. */
  readonly loses?: (page: number) => boolean;
  /** Syncs of files with such a path, from the root, do nothing: a check of the check. */
  readonly ignores?: RegExp;
}

/** The disk below one directory. */
export class Disk {
  readonly tree: Tree;
  /** What failed syncs were of, and how many changes they covered. */
  readonly failures: string[] = [];
  readonly #options: DiskOptions;
  readonly #descriptors = new Map<number, Descriptor>();
  readonly #begun = new Map<Call, Begun>();
  readonly #unreturned = new Set<Call>();

  /**
   * @param path The real path of the directory, as traces name it.
   * @param base A directory with the content that is on disk at first.
   */
  constructor(path: string, base: string, options: DiskOptions = {}) {
    this.tree = new Tree(path, base);
    this.#options = options;
  }

  /** Follows one event. */
  follow({ call, isEnd }: TraceEvent): void {
    if (isEnd) {
      this.#unreturned.delete(call);
      this.#end(call);
    } else {
      this.#unreturned.add(call);
      this.#begin(call);
    }
  }

  /** The process is dead, and its descriptors are gone. */
  endLife(): void {
    this.#begun.clear();
    this.#unreturned.clear();
    this.#descriptors.clear();
  }

  /** Follows what became of the calls that had not returned when the process died, as the real directory
   * tells.
   *
   * @returns How they ended.
   */
  endCalls(): TraceEvent[] {
    const events: TraceEvent[] = [];
    for (const call of [...this.#unreturned]) {
      call.result = this.#resultOf(call);
      if (call.result === undefined) continue;
      const event = { call, isEnd: true };
      this.follow(event);
      events.push(event);
    }
    return events;
  }

  #begin(call: Call): void {
    switch (call.name) {
      case "write":
      case "writev":
      case "pwrite64":
      case "pwritev":
        return this.#beginWrite(call);
      case "ftruncate":
        return this.#beginChange(call, call.lastNumber, undefined, undefined);
      case "fsync":
      case "fdatasync":
        return this.#beginSync(call);
      case "close":
        // Before it returns, another thread may have been given the number.
        this.#descriptors.delete(call.descriptor);
        return;
      case "mmap": {
        const [, path] = /, \d+<((?:\\x[0-9a-f]{2})*)>/.exec(call.text) ?? [];
        const isWritten = /PROT_WRITE[^,]*, MAP_SHARED/.test(call.text);
        if (!isWritten || path === undefined) return;
        const named = Buffer.from(path.replaceAll("\\x", ""), "hex").toString();
        if (!MAPPED.test(named)) throw new Error(`Cannot follow a memory map of ${named}`);
      }
    }
  }

  #end(call: Call): void {
    const begun = this.#begun.get(call);
    this.#begun.delete(call);
    if (begun !== undefined) return this.#endBegun(call, begun);
    if (!call.isDone) return;
    switch (call.name) {
      case "open":
      case "openat":
      case "creat":
        return this.#open(call, pathOf(call));
      case "dup":
      case "dup2":
      case "dup3": {
        const descriptor = this.#descriptors.get(call.descriptor);
        if (descriptor !== undefined) this.#descriptors.set(call.result!, descriptor);
        return;
      }
      case "lseek": {
        const descriptor = this.#descriptors.get(call.descriptor);
        if (descriptor !== undefined) descriptor.offset = call.result!;
        return;
      }
      case "copy_file_range":
        return this.#copy(call);
      case "mkdir":
      case "mkdirat":
        return this.tree.add(pathOf(call), new DiskDirectory());
      case "unlink":
      case "unlinkat":
      case "rmdir":
        return this.tree.remove(pathOf(call));
      case "rename":
      case "renameat":
      case "renameat2":
        return this.tree.rename(pathOf(call), call.strings[1]!.toString());
      case "truncate":
      case "fallocate":
      case "pwritev2":
      case "link":
      case "linkat":
      case "symlink":
      case "symlinkat":
      case "sendfile":
        throw new Error(`Cannot follow ${call.name}: no store makes such a call`);
    }
  }

  #beginWrite(call: Call): void {
    const descriptor = this.#descriptors.get(call.descriptor);
    const isPositioned = call.name.startsWith("p");
    if (descriptor === undefined && !this.tree.has(call.descriptorPath)) return;
    if (descriptor === undefined && !isPositioned) {
      throw new Error(`Cannot follow write to ${call.descriptorPath}: its position is not known`);
    }
    const data = Buffer.concat(call.strings);
    const position = isPositioned
      ? call.lastNumber
      : descriptor!.appends
      ? (descriptor!.node as DiskFile).seen.size
      : descriptor!.offset;
    this.#beginChange(call, position, data, isPositioned ? undefined : descriptor);
  }

  #beginChange(
    call: Call,
    position: number,
    data: Uint8Array | undefined,
    descriptor: Descriptor | undefined,
  ): void {
    const file = this.#nodeOf(call);
    if (!(file instanceof DiskFile)) return;
    const change = file.begin(position, data);
    this.#begun.set(call, { kind: "change", file, change, descriptor });
  }

  #beginSync(call: Call): void {
    const node = this.#nodeOf(call);
    if (node === undefined) return;
    const path = call.descriptorPath;
    if (call.isInjected) {
      // From the moment on that the pages are written in vain, nobody else who syncs writes them.
      const covered = node instanceof DiskFile ? node.covered().length : 0;
      this.failures.push(`${call.name} of ${this.tree.show(path)}, ${covered} changes`);
      if (node instanceof DiskFile) node.forget(this.#options.loses ?? (() => true));
      return;
    }
    if (this.#options.ignores?.test(this.tree.show(path))) return;
    if (node instanceof DiskDirectory) {
      this.#begun.set(call, { kind: "names", covered: this.tree.names.covered(node) });
    } else {
      this.#begun.set(call, { kind: "sync", file: node, covered: node.covered() });
    }
  }

  #endBegun(call: Call, begun: Begun): void {
    if (begun.kind !== "change") {
      if (!call.isDone) return;
      if (begun.kind === "names") this.tree.names.settle(begun.covered);
      else begun.file.settle(begun.covered);
      return;
    }
    const { file, change, descriptor } = begun;
    if (call.isInjected) {
      this.failures.push(`${call.name} to ${this.tree.show(call.descriptorPath)}`);
    }
    file.end(change, call.isDone ? change.data === undefined ? 0 : call.result! : undefined);
    if (!call.isDone) return;
    if (descriptor !== undefined) descriptor.offset = change.position + call.result!;
    // Such a write is on disk when it returns; what was written before it need not be.
    if (this.#descriptors.get(call.descriptor)?.isSynchronous) file.settle([change]);
  }

  #open(call: Call, path: string): void {
    this.#descriptors.delete(call.result!);
    if (!this.tree.has(path)) return;
    let node = this.tree.find(path);
    if (node === undefined) {
      if (!call.text.includes("O_CREAT") && call.name !== "creat") {
        throw new Error(`Cannot follow ${call.name} of ${path}: nothing is known of it`);
      }
      node = new DiskFile();
      this.tree.add(path, node);
    }
    if (node instanceof DiskFile && call.text.includes("O_TRUNC") && node.seen.size > 0) {
      node.end(node.begin(0, undefined), 0);
    }
    this.#descriptors.set(call.result!, {
      node,
      offset: 0,
      isSynchronous: /O_D?SYNC/.test(call.text),
      appends: call.text.includes("O_APPEND"),
    });
  }

  /** Follows a copy within the kernel once it has ended: only then it is known how much was copied. */
  #copy({ text, result }: Call): void {
    const [, from, , fromAt, to, , toAt] = COPY.exec(text) ?? [];
    const source = this.#descriptors.get(Number(from));
    const target = this.#descriptors.get(Number(to));
    if (target === undefined) return;
    const [read, written] = [source?.node, target.node];
    if (source === undefined || !(read instanceof DiskFile) || !(written instanceof DiskFile)) {
      throw new Error("Cannot follow copy: nothing is known of where it comes from");
    }
    const start = fromAt === undefined ? source.offset : Number(fromAt);
    const position = toAt === undefined ? target.offset : Number(toAt);
    const length = result!;
    written.end(written.begin(position, read.seen.slice(start, start + length)), length);
    if (fromAt === undefined) source.offset += length;
    if (toAt === undefined) target.offset += length;
  }

  /** Finds what a descriptor stands for, by itself or by its path. */
  #nodeOf(call: Call): Node | undefined {
    const descriptor = this.#descriptors.get(call.descriptor);
    return descriptor === undefined ? this.tree.find(call.descriptorPath) : descriptor.node;
  }

  /** Returns what a call would have returned; `undefined` where it changes nothing that remains. */
  #resultOf(call: Call): number | undefined {
    const begun = this.#begun.get(call);
    if (begun !== undefined) return begun.kind === "change" ? this.#writtenOf(begun) : undefined;
    const [path, target] = call.strings.map((text) => text.toString());
    switch (call.name) {
      case "open":
      case "openat":
      case "creat": {
        const isNew = this.tree.has(path!) && existsSync(path!) &&
          this.tree.find(path!) === undefined;
        // No process has a descriptor of this number.
        return isNew ? Number.MAX_SAFE_INTEGER : undefined;
      }
      case "mkdir":
      case "mkdirat":
        return existsSync(path!) ? 0 : undefined;
      case "unlink":
      case "unlinkat":
      case "rmdir":
        return existsSync(path!) ? undefined : 0;
      case "rename":
      case "renameat":
      case "renameat2":
        return !existsSync(path!) && existsSync(target!) ? 0 : undefined;
    }
    return undefined;
  }

  /** Returns how much there is of a write that did not return, -1 where there is nothing. */
  #writtenOf({ file, change: { data, position } }: Begun & { kind: "change" }): number {
    const path = this.tree.pathOf(file);
    if (path === undefined) return -1;
    const content = readFileSync(path);
    if (data === undefined) return content.length === position ? 0 : -1;
    const found = content.subarray(position, position + data.length);
    let length = 0;
    while (length < found.length && found[length] === data[length]) length++;
    return length === 0 ? -1 : length;
  }
}

/** Returns the path that a call names, the first one where it names two. */
function pathOf({ strings }: Call): string {
  return strings[0]!.toString();
}
