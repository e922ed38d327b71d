/**
 * Writes a small store of the present format into `tests/fixtures/v<format>`, as a process that is killed
 * leaves it: part of it in the engines, part in the journal alone. It is run once for each format, by the
 * last code that writes it; from then on `tests/store/directory/formats_test.ts` opens what it wrote.
 *
 *     bun scripts/make_fixture.ts
 *
 * @module
 */

import * as fs from "node:fs";
import { join } from "node:path";
import {
  assertionKey,
  HybridStore,
  MAX_KEY_BYTES,
  mvKey,
  type Route,
  type StoreOptions,
  voteCountKey,
} from "../mod.ts";
import { STORE_FORMAT } from "../store/directory/manifest.ts";
import { ROOT } from "./_run.ts";

const target = join(ROOT, "tests", "fixtures", `v${STORE_FORMAT}`);
if (fs.existsSync(target)) {
  throw new Error(`${target} is there already: a fixture is never changed`);
}

/** Bytes that are neither all the same nor text. */
const pattern = (length: number, seed: number) =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7 + (i >> 3)) & 255);

async function fill(store: HybridStore): Promise<void> {
  for (let i = 0; i < 40; i++) {
    const batch = store.batch();
    batch.put(assertionKey("Tesla", `h${i}`), pattern(i * 3, i));
    batch.put(mvKey("Tesla", `p${i}`), pattern(i * 5, i + 1));
    await batch.commit();
  }
  await store.put(assertionKey("Tesla", "large"), pattern(20_000, 3));
  await store.put(mvKey("Tesla", "large"), pattern(20_000, 4));
  await store.put("a key of text", "a value of text, ü and 𝄞");
  await store.put(pattern(MAX_KEY_BYTES, 5), "the longest key");
  await store.put(mvKey("Tesla", "empty"), "");
  await store.fetchAndAddU64(voteCountKey("Tesla", "h1"), 2n ** 63n + 5n);
  await store.compareAndSwapF32(mvKey("Tesla", "f32"), () => 0.1);
  // Noted by the engines, …
  await store.createCursor("behind");
  await store.createCursor("removed");
  await store.put("log/1", "after the cursor");
  await store.checkpoint();
}

/** Writes that only the journal has: over what the engines have, and next to it. */
async function change(store: HybridStore): Promise<void> {
  await store.fetchAndAddU64(voteCountKey("Tesla", "h1"), 7n);
  await store.batch().delete(assertionKey("Tesla", "h3")).delete(mvKey("Tesla", "p3"))
    .put(assertionKey("Tesla", "h4"), "changed").put(mvKey("Tesla", "new"), "new").commit();
  await store.transact((tx) => tx.deleteRange({ prefix: mvKey("Tesla", "p1") }));
  // … and changed in the journal alone.
  await store.batch().put("log/2", "with a cursor").advance("removed", store.position).commit();
  await store.deleteCursor("removed");
  await store.createCursor("ahead");
  await store.put("log/3", "after both cursors");
  await store.flush();
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const ROUTES: Route[] = [
  { tag: "MV:", engine: "append" },
  { tag: "SP:", engine: "btree" },
  { prefix: new TextEncoder().encode("log/"), engine: "btree" },
  { prefix: Uint8Array.of(0, 0xff), engine: "append" },
];
const STORES: [name: string, options: StoreOptions][] = [
  ["default", {}],
  ["routes", { routes: ROUTES, defaultEngine: "append" }],
];
for (const [name, options] of STORES) {
  // The reserve of a segment is as large as the segment.
  const store = await HybridStore.openTemp({ ...options, segmentBytes: 64 * 1024 });
  await fill(store);
  await change(store);
  const entries = await Array.fromAsync(
    store.scan(),
    ({ key, value }) => [store.routeOf(key), hex(key), hex(value)],
  );
  fs.mkdirSync(target, { recursive: true });
  fs.cpSync(store.path, join(target, name), { recursive: true });
  fs.writeFileSync(
    join(target, `${name}.json`),
    `[\n${entries.map((entry) => JSON.stringify(entry)).join(",\n")}\n]\n`,
  );
  const changes = await Array.fromAsync(store.changes({ cursor: "behind", live: false }));
  fs.writeFileSync(
    join(target, `${name}.cursors.json`),
    `${
      JSON.stringify(
        {
          cursors: Object.fromEntries(
            store.cursors().map(({ name, position }) => [name, `${position}`]),
          ),
          changes: changes.map(({ position, writes }) => [
            `${position}`,
            ...writes.map(({ key, value }) => [hex(key), value && hex(value)]),
          ]),
        },
        undefined,
        2,
      )
    }\n`,
  );
  await store.close();
}
