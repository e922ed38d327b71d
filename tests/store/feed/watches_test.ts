import { test } from "node:test";
import { assertEquals, assertLess } from "@std/assert";
import { Watches } from "../../../store/feed/watches.ts";

const encoder = new TextEncoder();

test("any number of watchers of one key end in a moment", () => {
  const watches = new Watches();
  const shared = { key: encoder.encode("shared"), hash: 7 };
  const all = Array.from({ length: 50_000 }, () => watches.watchKeys([shared, shared]));
  const start = performance.now();
  for (const watch of all) watch.end();
  for (const watch of all) watch.end();
  // Where each one looked through all others it would take half a minute.
  assertLess(performance.now() - start, 2000);
  assertEquals(watches.isWatching, false);
});

test("a watcher hears of its own keys alone, whichever have the same hash", async () => {
  const watches = new Watches();
  const [a, b] = ["a", "b"].map((key) => ({ key: encoder.encode(key), hash: 7 }));
  const [first, second] = [watches.watchKeys([a!]), watches.watchKeys([b!])];
  const heard: string[] = [];
  const listen = (name: string, changed: Promise<void>) =>
    changed.then(() => void heard.push(name));
  const waits = [listen("a", first.changed()), listen("b", second.changed())];
  watches.note(a!.key, 7);
  watches.wake();
  await waits[0];
  assertEquals(heard, ["a"]);
  first.end();
  watches.note(b!.key, 7);
  watches.wake();
  await waits[1];
  assertEquals(heard, ["a", "b"]);
});
