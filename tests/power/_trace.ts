/** Reads what strace recorded: the system calls of a process and its threads, in the order in which
 * they began and ended.
 */

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";

/** What is recorded: every call that changes files, names or descriptors, and those that a disk cannot
 * be rebuilt after, to know that they were not made.
 */
export const RECORDED_CALLS = [
  ..."open openat creat close dup dup2 dup3 lseek mmap".split(" "),
  ..."write writev pwrite64 pwritev pwritev2 ftruncate truncate fallocate".split(" "),
  ..."fsync fdatasync mkdir mkdirat rmdir unlink unlinkat".split(" "),
  ..."rename renameat renameat2 link linkat symlink symlinkat copy_file_range sendfile".split(" "),
];

/** Lines that a process writes to its standard error to be found in its trace begin so. */
export const MARK = "MARK ";

const SECOND_PATH = /<((?:\\x[0-9a-f]{2})*)>/;
const LINE = /^(\d+) +(.*)$/s;
const WHOLE = /^(\w+)\((.*)\) += (-?\d+|\?)(.*)$/s;
const UNFINISHED = /^(\w+)\((.*?),? *<unfinished \.\.\.>\)?(?: += \?)?$/s;
const RESUMED = /^<\.\.\. (\w+) resumed>.*?\) += (-?\d+|\?)(.*)$/s;

/** One system call. */
export class Call {
  readonly thread: string;
  readonly name: string;
  /** The arguments as strace prints them. */
  readonly text: string;
  /** `undefined` where the process died first. */
  result: number | undefined;
  /** Whether strace let it fail without making it. */
  isInjected = false;

  constructor(thread: string, name: string, text: string) {
    this.thread = thread;
    this.name = name;
    this.text = text;
  }

  /** Whether it ended, and did what it was asked. */
  get isDone(): boolean {
    return this.result !== undefined && this.result >= 0;
  }

  /** The descriptor that is the first argument, and the path that it stood for. */
  get descriptor(): number {
    return Number.parseInt(this.text);
  }

  /** The path of the first argument's descriptor, as the kernel told it when the call began. */
  get descriptorPath(): string {
    return decode(SECOND_PATH.exec(this.text)?.[1] ?? "").toString();
  }

  /** The arguments that are strings, or the bytes that are written. */
  get strings(): Buffer[] {
    const found: Buffer[] = [];
    // Every quote is an end of a string: what is within them is in hexadecimal.
    for (let start = this.text.indexOf('"'); start >= 0; start = this.text.indexOf('"', start)) {
      const end = this.text.indexOf('"', start + 1);
      if (this.text.startsWith("...", end + 1)) {
        throw new Error(`Cannot follow ${this.name}: its trace was cut short`);
      }
      found.push(decode(this.text.slice(start + 1, end)));
      start = end + 1;
    }
    return found;
  }

  /** The last argument, a number. */
  get lastNumber(): number {
    return Number(this.text.slice(this.text.lastIndexOf(",") + 1));
  }
}

/** The beginning or the end of a call. */
export interface TraceEvent {
  readonly call: Call;
  readonly isEnd: boolean;
}

/** Returns the events of a trace that concern a directory or are marks.
 *
 * @param path The file that strace wrote.
 * @param root The real path of the directory.
 */
export function readTrace(path: string, root: string): TraceEvent[] {
  return parseTrace(readFileSync(path), root);
}

/** Returns the events of a trace as {@linkcode readTrace} does. */
export function parseTrace(trace: Buffer, root: string): TraceEvent[] {
  const needles = [encode(root), `write(2<`];
  const events: TraceEvent[] = [];
  const unfinished = new Map<string, Call>();
  for (const line of lines(trace)) {
    const [, thread, rest] = LINE.exec(line) ?? [];
    if (thread === undefined || rest === undefined) continue;
    if (rest.startsWith("<...")) {
      const call = unfinished.get(thread);
      const [, , result, tail] = RESUMED.exec(rest) ?? [];
      unfinished.delete(thread);
      // A call whose thread died in it has not ended, though it may have been made.
      if (call !== undefined && result !== undefined && result !== "?") {
        events.push(end(call, result, tail!));
      }
      continue;
    }
    if (!needles.some((needle) => rest.includes(needle))) continue;
    const [, name, text, result, tail] = WHOLE.exec(rest) ?? UNFINISHED.exec(rest) ?? [];
    if (name === undefined) throw new Error(`Cannot read trace: ${rest.slice(0, 200)}`);
    const call = new Call(thread, name, text!);
    if (!RECORDED_CALLS.includes(name)) continue;
    events.push({ call, isEnd: false });
    if (result === undefined) unfinished.set(thread, call);
    else if (result !== "?") events.push(end(call, result, tail!));
  }
  return events;
}

function end(call: Call, result: string, tail: string): TraceEvent {
  call.result = Number(result);
  call.isInjected = tail.includes("(INJECTED)");
  return { call, isEnd: true };
}

/** Returns the text of a mark, `undefined` where a call is not one. */
export function markOf({ name, text, strings }: Call): string | undefined {
  if (name !== "write" || !text.startsWith("2<")) return undefined;
  const written = strings[0]?.toString() ?? "";
  return written.startsWith(MARK) ? written.slice(MARK.length).trimEnd() : undefined;
}

function* lines(content: Buffer): Iterable<string> {
  for (let start = 0; start < content.length;) {
    const newline = content.indexOf(10, start);
    const end = newline === -1 ? content.length : newline;
    yield content.toString("latin1", start, end);
    start = end + 1;
  }
}

function encode(text: string): string {
  return Array.from(Buffer.from(text), (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(
    "",
  );
}

function decode(hex: string): Buffer {
  return Buffer.from(hex.replaceAll("\\x", ""), "hex");
}
