import { test } from "node:test";
import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { atHalf, fillPatiently } from "../../examples/wordnet/failover.ts";
import { fillStore, type JobParts } from "../../examples/wordnet/fill.ts";
import { requireSame } from "../../examples/wordnet/compare.ts";
import { JobError } from "../../examples/wordnet/job_error.ts";
import { HybridStore, type OrderedStore, StoreError, type StoreErrorCode } from "../../mod.ts";
import { tempDirectory } from "../support/temp.ts";
import { silentProgress } from "./_wordnet.ts";

const signal = new AbortController().signal;

function partsOf(store: OrderedStore, journalDirectory: string): JobParts {
  return { store, journalDirectory, limit: 2000, progress: silentProgress(), signal };
}

/** Returns a store of which every other write fails: by turns before and behind it takes place.
 *
 * @param count Is told of each failure, before or behind.
 */
function failing(
  store: HybridStore,
  code: StoreErrorCode,
  count: (isBehind: boolean) => void = () => {},
): OrderedStore {
  let writes = 0;
  const write = async <T>(work: () => Promise<T>): Promise<T> => {
    const turn = writes++ % 4;
    if (turn !== 1 && turn !== 3) return await work();
    if (turn === 3) await work();
    count(turn === 3);
    throw new StoreError(code, "Cannot write: the server is away");
  };
  return new Proxy<OrderedStore>(store, {
    get(_, name) {
      if (name === "transaction") {
        return (body: Parameters<OrderedStore["transaction"]>[0]) =>
          write(() => store.transaction(body));
      }
      if (name === "batch") {
        return () => {
          const batch = store.batch();
          const commit = batch.commit.bind(batch);
          return Object.assign(batch, { commit: () => write(() => commit()) });
        };
      }
      const value = Reflect.get(store, name, store);
      return typeof value === "function" ? value.bind(store) : value;
    },
  });
}

/** Goes on for as long as it takes. */
async function fillInTheEnd(parts: JobParts, onFailure: () => void): Promise<void> {
  for (;;) {
    try {
      await fillPatiently(parts, onFailure);
      return;
    } catch (error) {
      if (!(error instanceof StoreError && error.code === "UNKNOWN_RESULT")) throw error;
    }
  }
}

test("a job whose writes fail, before they take place or behind, ends with the same store", {
  timeout: 600_000,
}, async () => {
  using temp = tempDirectory();
  await using undisturbed = await HybridStore.openMemory();
  await fillStore(partsOf(undisturbed, `${temp.path}/undisturbed`));

  await using store = await HybridStore.openMemory();
  const failures = { before: 0, behind: 0 };
  const disturbed = failing(store, "UNKNOWN_RESULT", (isBehind) => {
    failures[isBehind ? "behind" : "before"]++;
  });
  await fillInTheEnd(partsOf(disturbed, `${temp.path}/disturbed`), () => {});
  assertGreater(failures.before, 20);
  assertGreater(failures.behind, 20);

  const keys = await undisturbed.count();
  const options = { keys, progress: silentProgress(), signal };
  assertEquals(await requireSame(store, undisturbed, options), keys);
});

test("fillPatiently() gives up after ten attempts, and at once where it is no server's fault", async () => {
  using temp = tempDirectory();
  for (
    const [code, attempts] of [["UNREACHABLE", 10], ["UNKNOWN_RESULT", 10], ["IO", 1]] as const
  ) {
    await using store = await HybridStore.openMemory();
    let failures = 0;
    const away = new Proxy<OrderedStore>(store, {
      get: () => () => Promise.reject(new StoreError(code, "Cannot read")),
    });
    const error = await assertRejects(
      () => fillPatiently(partsOf(away, `${temp.path}/${code}`), () => failures++),
      StoreError,
    );
    assertEquals([error.code, failures], [code, attempts - 1]);
  }
});

test("atHalf() calls once, when half of its phase is done, and not while it is told so", async () => {
  const calls: number[] = [];
  const updates: number[] = [];
  const progress = atHalf(
    { ...silentProgress(), update: (done) => updates.push(done) },
    "ingest",
    (percent) => calls.push(percent),
  );
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  progress.begin("journal", 10, "subjects");
  progress.update(10);
  progress.begin("ingest", 100, "statements");
  progress.update(49);
  await turn();
  assertEquals(calls, []);
  progress.update(60);
  assertEquals(calls, []);
  await turn();
  assertEquals(calls, [60]);
  progress.update(80);
  await turn();
  assertEquals(calls, [60]);
  assertEquals(updates, [10, 49, 60, 80]);
});

test("requireSame() finds a value, a key and an end that differ", async () => {
  const options = { keys: 2, progress: silentProgress(), signal };
  const storeOf = async (entries: Record<string, string>) => {
    const store = await HybridStore.openMemory();
    for (const [key, value] of Object.entries(entries)) await store.put(key, value);
    return store;
  };
  await using store = await storeOf({ a: "1", b: "2" });
  await using same = await storeOf({ a: "1", b: "2" });
  assertEquals(await requireSame(store, same, options), 2);
  for (const entries of [{ a: "1", b: "3" }, { a: "1", c: "2" }, { a: "1" }, {}]) {
    await using other = await storeOf(entries);
    await assertRejects(() => requireSame(store, other, options), JobError, "differ");
    await assertRejects(() => requireSame(other, store, options), JobError, "differ");
  }
});
