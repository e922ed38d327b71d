/** The process's open files, and breaking one of them: what a disk that fails looks like to those who hold
 * the file open, without a disk that fails. */

import * as fs from "node:fs";
import process from "node:process";

/** A descriptor of an open file, and the flags that it was opened with. */
export interface Descriptor {
  readonly number: number;
  readonly flags: number;
}

/** Whether the process can break its descriptors here. */
export const canBreakDescriptors: boolean = process.platform === "linux" &&
  ("bun" in process.versions || "deno" in process.versions);

/** Returns the descriptors that the process holds of a file, in the order of their numbers. */
export function descriptorsOf(path: string): Descriptor[] {
  const real = fs.realpathSync(path);
  const found: Descriptor[] = [];
  for (const name of fs.readdirSync("/proc/self/fd")) {
    let target: string;
    try {
      target = fs.readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      // The one that the listing itself took.
      continue;
    }
    if (target !== real) continue;
    const info = fs.readFileSync(`/proc/self/fdinfo/${name}`, "utf8");
    found.push({ number: Number(name), flags: parseInt(/flags:\s*(\d+)/.exec(info)![1]!, 8) });
  }
  return found.sort((a, b) => a.number - b.number);
}

/** Lets every write, sync and cut of a descriptor fail: it becomes one of a file that is only read.
 *
 * @returns Makes it whole again.
 */
export async function breakDescriptor(descriptor: number): Promise<() => void> {
  const dup2 = await loadDup2();
  const kept = fs.openSync(`/proc/self/fd/${descriptor}`, "r+");
  // A sync of a device like this one fails, and so does a write, for it is open for reading alone.
  const broken = fs.openSync("/dev/null", "r");
  if (dup2(broken, descriptor) !== descriptor) throw new Error(`Cannot break ${descriptor}`);
  fs.closeSync(broken);
  return () => {
    dup2(kept, descriptor);
    fs.closeSync(kept);
  };
}

type Dup2 = (from: number, to: number) => number;

async function loadDup2(): Promise<Dup2> {
  const names = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.so"];
  for (const name of names) {
    try {
      return "bun" in process.versions ? await loadInBun(name) : loadInDeno(name);
    } catch {
      // Another C library, under another name.
    }
  }
  throw new Error(`Cannot load dup2: none of ${names.join(", ")} is here`);
}

async function loadInBun(name: string): Promise<Dup2> {
  // Not for Deno's eyes, which looks for the module when it checks types.
  const specifier = "bun:ffi";
  const { dlopen } = await import(specifier);
  return dlopen(name, { dup2: { args: ["i32", "i32"], returns: "i32" } }).symbols.dup2;
}

interface DenoFfi {
  dlopen(
    name: string,
    symbols: Record<string, { parameters: string[]; result: string }>,
  ): { symbols: Record<string, Dup2> };
}

function loadInDeno(name: string): Dup2 {
  const { Deno } = globalThis as unknown as { Deno: DenoFfi };
  return Deno.dlopen(name, { dup2: { parameters: ["i32", "i32"], result: "i32" } }).symbols.dup2!;
}
