/** Calls of the C library that no runtime offers itself, through the foreign function interface of Bun and
 * Deno. Node has none. There, on Windows, and where Deno's permission is missing, there is no C library,
 * and callers work without it.
 *
 * @module
 */

import { isPermitted } from "./permission.ts";

/** The functions of the C library that are used here. */
export interface Libc {
  /** Applies or removes an advisory lock on an open file; 0 where that succeeded. */
  flock(descriptor: number, operation: number): number;
  /** Reads or sets a property of a descriptor; -1 where that failed. */
  fcntl(descriptor: number, command: number, value: number): number;
  /** Returns why the last call failed. */
  errno(): number;
}

interface BunFfi {
  dlopen(name: string, symbols: Record<string, { args: string[]; returns: string }>): {
    symbols: Record<string, (...args: number[]) => number>;
  };
  read: { i32(pointer: number): number };
}

interface DenoFfi {
  dlopen(name: string, symbols: Record<string, { parameters: string[]; result: string }>): {
    symbols: Record<string, (...args: number[]) => unknown>;
  };
  UnsafePointerView: new (pointer: unknown) => { getInt32(): number };
}

/** The names that the library has, and where it keeps the error of the last call. */
const PLATFORMS: Record<string, { names: string[]; errno: string }> = {
  linux: {
    names: [
      "libc.so.6",
      `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`,
    ],
    errno: "__errno_location",
  },
  darwin: { names: ["libSystem.B.dylib"], errno: "__error" },
};

const CALLS = { flock: 2, fcntl: 3 };

let loaded: { libc: Libc | undefined } | undefined;
/** Kept alive, because the functions would be gone with them. */
const libraries: unknown[] = [];

/** Returns the C library, `undefined` where it cannot be called. Never asks for a permission. */
export function loadLibc(): Libc | undefined {
  loaded ??= { libc: findLibc() };
  return loaded.libc;
}

function findLibc(): Libc | undefined {
  const { names, errno } = PLATFORMS[process.platform] ?? { names: [], errno: "" };
  for (const name of names) {
    try {
      const libc = "bun" in process.versions ? openInBun(name, errno) : openInDeno(name, errno);
      if (libc !== undefined) return libc;
    } catch {
      // The library has another name here, or the runtime cannot call it.
    }
  }
  return undefined;
}

function openInBun(name: string, errno: string): Libc | undefined {
  // Looked up at run time, so that bundlers and other runtimes do not fail on the name.
  const ffi = process.getBuiltinModule?.("bun:ffi" as "fs") as unknown as BunFfi | undefined;
  if (ffi === undefined) return undefined;
  const calls = Object.entries(CALLS).map(([call, count]) =>
    [call, { args: Array<string>(count).fill("i32"), returns: "i32" }] as const
  );
  const library = ffi.dlopen(name, {
    ...Object.fromEntries(calls),
    [errno]: { args: [], returns: "ptr" },
  });
  libraries.push(library);
  const { symbols } = library;
  return {
    ...symbols as unknown as Pick<Libc, "flock" | "fcntl">,
    errno: () => ffi.read.i32(symbols[errno]!()),
  };
}

function openInDeno(name: string, errno: string): Libc | undefined {
  const { Deno } = globalThis as { Deno?: DenoFfi };
  if (Deno === undefined || !isPermitted({ name: "ffi", path: name })) return undefined;
  const calls = Object.entries(CALLS).map(([call, count]) =>
    [call, { parameters: Array<string>(count).fill("i32"), result: "i32" }] as const
  );
  const library = Deno.dlopen(name, {
    ...Object.fromEntries(calls),
    [errno]: { parameters: [], result: "pointer" },
  });
  libraries.push(library);
  const { symbols } = library;
  return {
    ...symbols as unknown as Pick<Libc, "flock" | "fcntl">,
    errno: () => new Deno.UnsafePointerView(symbols[errno]!()).getInt32(),
  };
}
