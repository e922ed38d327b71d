/**
 * Digests of several sizes, portable and native: `bun bench/digests.ts`, `deno run -A bench/digests.ts`.
 * Prints microseconds for a digest, the best of nine rounds.
 *
 * @module
 */

import { createBLAKE3 } from "hash-wasm";
import { portableCrc32c } from "../journal/crc32c.ts";
import { accelerators, loadDigests } from "../journal/digest.ts";

const SIZES = [12, 100, 256, 1024, 2048, 4096, 64 * 1024, 256 * 1024];
const ROUNDS = 9;
const ROUND_BYTES = 4e6;
const CALL_BYTES = 300;

await loadDigests();
const hasher = await createBLAKE3();
const DIGESTS: Record<string, ((bytes: Uint8Array) => unknown) | undefined> = {
  "CRC32C, portable": portableCrc32c,
  "CRC32C, native": accelerators.crc32c,
  "BLAKE3, portable": (bytes) => hasher.init().update(bytes).digest("binary"),
  "BLAKE3, native": accelerators.blake3,
};

console.log(["bytes", ...Object.keys(DIGESTS)].map((name) => name.padStart(18)).join(""));
for (const size of SIZES) {
  const bytes = Uint8Array.from({ length: size }, (_, i) => i * 31);
  const columns = Object.values(DIGESTS).map((digest) => digest ? measure(digest, bytes) : "none");
  console.log([`${size}`, ...columns].map((text) => text.padStart(18)).join(""));
}

function measure(digest: (bytes: Uint8Array) => unknown, bytes: Uint8Array): string {
  const calls = Math.max(10, Math.ceil(ROUND_BYTES / (bytes.length + CALL_BYTES)));
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < calls; i++) digest(bytes);
    best = Math.min(best, (performance.now() - start) / calls * 1000);
  }
  return best.toFixed(2);
}
