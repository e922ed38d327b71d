/** A store at work on a disk whose syncs are slow. Between two marks, nothing may sync on this thread. */

import * as fs from "node:fs";
import process from "node:process";
import { HybridStore } from "../../mod.ts";
import { MARK } from "./_trace.ts";

function mark(name: string): void {
  fs.writeSync(2, `${MARK}${name}\n`);
}

const encoder = new TextEncoder();
const store = await HybridStore.open(process.argv[2]!, {
  memtableBytes: 100_000,
  segmentBytes: 100_000,
});

async function work(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 200; i++) {
      const key = encoder.encode(i % 2 === 0 ? `\0H:${round} ${i}` : `${round} ${i}`);
      writes.push(store.put(key, new Uint8Array(2000).fill(round)));
    }
    const snapshot = await store.snapshot();
    await Promise.all(writes);
    await snapshot[Symbol.asyncDispose]();
    await store.flush();
    // On a fast disk so little would be synced on the spot.
    await store.put(encoder.encode("little"), Uint8Array.of(round));
  }
}

// The journal learns how slow the disk is.
await work(2);
mark("begin");
await work(8);
await store.checkpoint();
mark("end");
// Whatever the runtime closes at the end of a process, it closes on this thread.
process.kill(process.pid, "SIGKILL");
