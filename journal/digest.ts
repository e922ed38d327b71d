/** The two digests of the formats, CRC32C and BLAKE3, and what computes them.
 *
 * Both work in every runtime: CRC32C in JavaScript, BLAKE3 in WebAssembly. Two optional native packages are
 * faster with more bytes. If one has no build for the platform, is not installed, or may not be loaded,
 * everything works without it. Both ways give the same digests.
 *
 * Microseconds for a digest, portable / native, the best of three runs of `bench/digests.ts`:
 *
 * | bytes | CRC32C, Bun | Deno | BLAKE3, Bun | Deno |
 * |---:|---:|---:|---:|---:|
 * | 100 | 0.05 / 0.15 | 0.06 / 0.12 | 0.5 / 1.2 | 1.1 / 1.4 |
 * | 256 | 0.14 / 0.16 | 0.15 / 0.13 | 0.7 / 2.9 | 1.2 / 2.9 |
 * | 1,024 | 0.58 / 0.30 | 0.60 / 0.28 | 2.4 / 4.9 | 1.8 / 3.9 |
 * | 2,048 | 1.2 / 0.45 | 1.2 / 0.44 | 11 / 5.2 | 4.6 / 2.7 |
 * | 4,096 | 2.3 / 0.74 | 2.4 / 0.73 | 20 / 6.4 | 6.0 / 2.6 |
 * | 65,536 | 37 / 9.3 | 38 / 9.3 | 274 / 9.8 | 139 / 8.2 |
 * | 262,144 | 151 / 36 | 152 / 36 | 1,130 / 30 | 823 / 30 |
 *
 * @module
 */

import { isPermitted } from "../runtime/permission.ts";
import { createBLAKE3 } from "hash-wasm";
import { compareBytes } from "../codec/bytes.ts";
import { StoreError } from "../codec/error.ts";
import { portableCrc32c } from "./crc32c.ts";

/** Up to this many bytes, calling a native function takes longer than the digest itself. */
const PORTABLE_CRC32C_BYTES_MAX = 256;
/** Up to this many bytes, WebAssembly is as fast. */
const PORTABLE_BLAKE3_BYTES_MAX = 1024;

type Crc32c = (bytes: Uint8Array, initial?: number) => number;
type Blake3 = (bytes: Uint8Array) => Uint8Array;

/** The native functions that could be loaded. Tests take them away. */
export const accelerators: { crc32c: Crc32c | undefined; blake3: Blake3 | undefined } = {
  crc32c: undefined,
  blake3: undefined,
};
let portableBlake3: Blake3 = () => {
  throw new Error("Cannot compute BLAKE3: loadDigests() was not awaited");
};
let loading: Promise<void> | undefined;

/** Returns the CRC32C of bytes, or that of two parts, given that of the first.
 *
 * @param initial The CRC32C of the first part.
 * @param start Where the bytes begin that are meant.
 * @param end Where they end.
 */
export function crc32c(
  bytes: Uint8Array,
  initial?: number,
  start = 0,
  end: number = bytes.length,
): number {
  return accelerators.crc32c !== undefined && end - start > PORTABLE_CRC32C_BYTES_MAX
    ? accelerators.crc32c(bytes.subarray(start, end), initial)
    : portableCrc32c(bytes, initial, start, end);
}

/** Returns the BLAKE3 digest of bytes, 32 bytes. {@linkcode loadDigests} comes first. */
export function blake3(bytes: Uint8Array): Uint8Array {
  return accelerators.blake3 !== undefined && bytes.length > PORTABLE_BLAKE3_BYTES_MAX
    ? accelerators.blake3(bytes)
    : portableBlake3(bytes);
}

/** Loads what {@linkcode blake3} needs, once in a process. Code that opens a journal waits for it; a
 * top-level `await` would keep the package out of CommonJS bundles.
 *
 * @throws {StoreError} `UNSUPPORTED`: the runtime has no WebAssembly.
 */
export function loadDigests(): Promise<void> {
  return loading ??= load();
}

async function load(): Promise<void> {
  try {
    const hasher = await createBLAKE3();
    portableBlake3 = (bytes) => hasher.init().update(bytes).digest("binary");
  } catch (cause) {
    throw new StoreError("UNSUPPORTED", `Cannot compute BLAKE3: ${cause}; allow WebAssembly`, {
      cause,
    });
  }
  if (!mayLoadNatives()) return;
  const [crc, blake] = await importNatives();
  const probe = new TextEncoder().encode("the same digests ".repeat(100));
  if (crc.status === "fulfilled") {
    const native: Crc32c = crc.value.crc32c;
    if (agrees(() => native(probe) === portableCrc32c(probe))) accelerators.crc32c = native;
  }
  if (blake.status === "fulfilled") {
    // Its types ask for a Buffer, but it takes any bytes.
    const native = blake.value.blake3 as unknown as Blake3;
    const agree = () => compareBytes(native(probe), portableBlake3(probe)) === 0;
    if (agrees(agree)) accelerators.blake3 = native;
  }
}

// deno-lint-ignore explicit-module-boundary-types
async function importNatives() {
  const report = process.report as { excludeNetwork?: boolean } | undefined;
  const excludesNetwork = report?.excludeNetwork;
  // One of them asks for a report to find out about the C library, and a report looks up the names of
  // all hosts that the process is connected to, while the event loop waits.
  if (report !== undefined) report.excludeNetwork = true;
  try {
    // Neither bundlers nor Deno would find a specifier that is not a literal.
    return await Promise.allSettled([import("@node-rs/crc32"), import("@napi-rs/blake-hash")]);
  } finally {
    if (report !== undefined) report.excludeNetwork = excludesNetwork ?? false;
  }
}

/** Returns the result of a check, `false` if it throws. */
function agrees(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

/** What the loaders of the native packages use: files, variables, and a report on the system. */
const NATIVE_PERMISSIONS = ["ffi", "read", "env", "sys"] as const;

/** Returns whether Deno lets the native packages be loaded without asking its user for a permission. They
 * are optional, so the user should not be asked.
 */
function mayLoadNatives(): boolean {
  return NATIVE_PERMISSIONS.every((name) => isPermitted({ name }));
}
