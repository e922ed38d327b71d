import { test } from "node:test";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { Bank } from "../../examples/bank.ts";
import { balanceOf, deposit, updateBalances } from "../../examples/event_log.ts";
import { JobQueue } from "../../examples/job_queue.ts";
import { createHandler, openCounter } from "../../examples/page_counter.ts";
import { SearchIndex } from "../../examples/search_index.ts";
import { SessionStore } from "../../examples/session_store.ts";
import { HybridStore, Journal } from "../../mod.ts";
import { crashImage } from "../support/crash_image.ts";
import { tempDirectory } from "../support/temp.ts";

test("the page counter counts over HTTP, also when it is started again", async () => {
  using temp = tempDirectory();
  const ask = async (handler: (request: Request) => Promise<Response>, path: string) =>
    await (await handler(new Request(`http://localhost${path}`))).text();
  {
    await using store = await openCounter(temp.path);
    const handler = createHandler(store);
    assertEquals(await ask(handler, "/"), "/ was viewed 1 times\n");
    await Promise.all(Array.from({ length: 20 }, () => ask(handler, "/news?page=2")));
    assertEquals(store.routeOf("/news\0VIEWS:"), "append");
  }
  await using store = await openCounter(temp.path);
  const handler = createHandler(store);
  assertStringIncludes(await ask(handler, "/"), "2 times");
  assertEquals(JSON.parse(await ask(handler, "/_top")), [
    { path: "/news", views: 20 },
    { path: "/", views: 2 },
  ]);
});

test("transfers that wait for an approval lose no cent, however many there are at once", async () => {
  await using store = await HybridStore.openTemp();
  let asked = 0;
  const bank = new Bank(store, async (from) => {
    asked++;
    await new Promise((resolve) => setTimeout(resolve, asked % 3));
    return from !== "eve";
  });
  const names = ["ada", "bob", "eve"];
  for (const name of names) await bank.open(name, 1000);
  const transfers = Array.from(
    { length: 30 },
    (_, i) => bank.transfer(names[i % 3]!, names[(i + 1) % 3]!, 10 + i),
  );
  const approved = await Promise.all(transfers);
  assertEquals(approved.map((isDone) => isDone), transfers.map((_, i) => i % 3 !== 2));
  assertEquals(await bank.total(), 3000);
  // Eve gave nothing, and got what Bob gave.
  const given = (from: number) =>
    Array.from({ length: 10 }, (_, n) => 10 + 3 * n + from).reduce((sum, cents) => sum + cents);
  assertEquals(await bank.balance("ada"), 1000 - given(0));
  assertEquals(await bank.balance("bob"), 1000 + given(0) - given(1));
  assertEquals(await bank.balance("eve"), 1000 + given(1));
  await assertRejects(() => bank.transfer("ada", "bob", 5000), RangeError, "ada lacks");
  assertEquals(await bank.total(), 3000);
});

test("sessions end, are prolonged, and are swept away", async () => {
  await using store = await HybridStore.openTemp();
  let now = 1000;
  const sessions = new SessionStore(store, () => now);
  const [short, long] = [await sessions.begin("ada", 100), await sessions.begin("bob", 1000)];
  assertEquals(await sessions.get(short), { user: "ada", ends: 1100 });
  assertEquals(await sessions.sweep(), 0);
  now = 1100;
  assertEquals(await sessions.get(short), undefined);
  assertEquals(await sessions.prolong(short, 100), false);
  assertEquals(await sessions.prolong(long, 5000), true);
  assertEquals(await sessions.prolong("unknown", 100), false);
  now = 2500;
  assertEquals(await sessions.sweep(), 1);
  assertEquals(await sessions.get(long), { user: "bob", ends: 6100 });
  now = 7000;
  assertEquals(await sessions.sweep(), 1);
  assertEquals(await store.count(), 0);
});

test("jobs are done in order, and those of a worker that died are done again", async () => {
  await using store = await HybridStore.openTemp();
  let now = 1000;
  const queue = new JobQueue<number>(store, 100, () => now);
  assertEquals(await queue.take(), undefined);
  await Promise.all([1, 2, 3].map((job) => queue.add(job)));
  const first = (await queue.take())!;
  const second = (await queue.take())!;
  assertEquals([first.job, first.attempt, second.job], [1, 1, 2]);
  assertEquals(await queue.finish(second.id), true);
  assertEquals(await queue.finish(second.id), false);
  now = 1101;
  const again = (await queue.take())!;
  assertEquals([again.job, again.attempt], [1, 2]);
  // The worker that had it first is too late only once somebody has finished it.
  assertEquals(await queue.finish(again.id), true);
  assertEquals(await queue.finish(first.id), false);
  assertEquals((await queue.take())!.job, 3);
  assertEquals([await queue.take(), await queue.added()], [undefined, 3]);
});

test("each event counts once, whatever a crash leaves of the view", async () => {
  using temp = tempDirectory();
  await using journal = await Journal.open(join(temp.path, "journal"));
  await using store = await HybridStore.open(join(temp.path, "store"));
  for (let i = 1; i <= 10; i++) await deposit(journal, { account: "ada", cents: i });
  assertEquals(await updateBalances(journal, store), 10);
  for (let i = 1; i <= 5; i++) await deposit(journal, { account: "bob", cents: 100 });
  await using image = await HybridStore.open(await crashImage(store, join(temp.path, "image")));
  for (const view of [store, image]) {
    assertEquals(await updateBalances(journal, view), 5);
    assertEquals(await updateBalances(journal, view), 0);
    assertEquals([await balanceOf(view, "ada"), await balanceOf(view, "bob")], [55, 500]);
  }
});

test("the search index follows its documents, goes on after a crash, and starts again", async () => {
  using temp = tempDirectory();
  const options = { memtableBytes: 2000, segmentBytes: 4000, feedBytesMax: 80_000 };
  const path = join(temp.path, "store");
  {
    await using store = await HybridStore.open(path, options);
    const documents = store.sub("document/");
    await documents.put("old", "There before the index");
    const index = await SearchIndex.open(store);
    assertEquals(await index.find("before"), ["old"]);
    await documents.put("haiku", "The old pond; a frog jumps in");
    await documents.put("proverb", "The frog in the well");
    assertEquals(await index.find("frog"), []);
    await index.catchUp();
    assertEquals(await index.find("Frog"), ["haiku", "proverb"]);
    await store.batch().put("document/haiku", "silence").delete("document/old").commit();
    await using image = await HybridStore.open(await crashImage(store, join(temp.path, "image")));
    for (const view of [store, image]) {
      const index = await SearchIndex.open(view);
      await index.catchUp();
      assertEquals(await index.find("frog"), ["proverb"]);
      assertEquals(await index.find("silence"), ["haiku"]);
      assertEquals(await index.find("before"), []);
      assertEquals(await view.count({ prefix: "index/entry/" }), 5);
    }
    // Nobody follows for too long.
    for (let i = 0; i < 600; i++) await documents.put(`${i}`, `document ${i}`.padEnd(150, "."));
    await store.checkpoint();
    assertEquals(store.cursors()[0]!.isLost, true);
  }
  await using store = await HybridStore.open(path, options);
  const index = await SearchIndex.open(store);
  assertEquals(store.cursors()[0]!.isLost, false);
  assertEquals((await index.find("document")).length, 600);
  assertEquals(await index.find("599"), ["599"]);
  const following = index.follow();
  await store.put("document/last", "gone");
  for await (const [words] of store.watch(["index/words/last"])) if (words) break;
  assertEquals(await index.find("gone"), ["last"]);
  await store.close();
  await following;
});
