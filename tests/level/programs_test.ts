import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { Quadstore } from "quadstore";
import { DataFactory } from "rdf-data-factory";
import { LeveldbPersistence } from "y-leveldb";
import * as Y from "yjs";
import { HybridLevel } from "../../level/mod.ts";
import { HybridStore } from "../../mod.ts";
import { Random } from "../support/random.ts";
import { tempDirectory } from "../support/temp.ts";
import type { Persistence } from "./_crdt.ts";

// Programs that were written for Level, and know nothing of this store.

const options = { timeout: 600_000 };

function openDocuments(location: string | HybridStore, levelOptions = {}): Persistence {
  const Persistence = LeveldbPersistence as unknown as new (
    location: string | HybridStore,
    options: object,
  ) => Persistence;
  return new Persistence(location, { Level: HybridLevel, levelOptions });
}

for (const defaultEngine of ["append", "btree"] as const) {
  test(`y-leveldb keeps documents, ${defaultEngine} side`, options, async () => {
    using directory = tempDirectory();
    const path = join(directory.path, "documents");
    // Waiting for the disk is not what is tested.
    const levelOptions = { defaultEngine, memtableBytes: 64 * 1024, durability: "flush" };
    let documents = openDocuments(path, levelOptions);
    const random = new Random(7);
    const names = ["notes", "plans", "plan", "ünïcode", ""];
    const originals = new Map(names.map((name) => [name, new Y.Doc()]));
    const stored: Promise<unknown>[] = [];
    for (const [name, doc] of originals) {
      doc.on("update", (update: Uint8Array) => stored.push(documents.storeUpdate(name, update)));
    }
    for (let i = 0; i < 300; i++) {
      const doc = originals.get(random.pick(names))!;
      const text = doc.getText("text");
      if (!random.once(5)) {
        text.insert(random.below(text.length + 1), `${i} `.repeat(i % 7));
      } else text.delete(0, Math.min(text.length, 3));
      doc.getMap("map").set(`key ${i % 20}`, i);
      if (i % 50 === 0) await Promise.all(stored);
    }
    await Promise.all(stored);
    await documents.setMeta("notes", "author", { name: "Ada" });
    await documents.flushDocument("plans");
    await documents.destroy();

    documents = openDocuments(path, levelOptions);
    assertEquals((await documents.getAllDocNames()).sort(), names.toSorted());
    for (const [name, doc] of originals) {
      const loaded = await documents.getYDoc(name);
      assertEquals(loaded.getText("text").toString(), doc.getText("text").toString());
      assertEquals(loaded.getMap("map").toJSON(), doc.getMap("map").toJSON());
      assertEquals(await documents.getStateVector(name), Y.encodeStateVector(doc));
    }
    assertGreater(originals.get("notes")!.getText("text").length, 100);
    assertEquals(await documents.getMeta("notes", "author"), { name: "Ada" });

    await documents.clearDocument("plan");
    assertEquals((await documents.getYDoc("plan")).getText("text").toString(), "");
    assertEquals(
      (await documents.getYDoc("plans")).getText("text").toString(),
      originals.get("plans")!.getText("text").toString(),
    );
    assertEquals((await documents.getAllDocNames()).includes("plan"), false);
    await documents.destroy();
  });
}

test("quadstore keeps a graph, beside other data of the store", options, async () => {
  await using store = await HybridStore.openTemp({ memtableBytes: 4096 });
  await store.put("other", "data");
  const factory = new DataFactory();
  const backend = new HybridLevel(store.sub("graph/"));
  const graph = new Quadstore({
    backend,
    dataFactory: factory,
  });
  await graph.open();
  const person = (i: number) => factory.namedNode(`urn:person:${i}`);
  const [name, knows] = [factory.namedNode("urn:name"), factory.namedNode("urn:knows")];
  const quads = Array.from({ length: 300 }, (_, i) => [
    factory.quad(person(i), name, factory.literal(`Person ${i}`)),
    factory.quad(person(i), knows, person((i * 7) % 300)),
    factory.quad(person(i), knows, person((i + 1) % 300)),
  ]).flat();
  await graph.multiPut(quads);

  const known = async () => {
    const { items } = await graph.get({ subject: person(41), predicate: knows });
    return items.map(({ object }) => object.value).sort();
  };
  assertEquals(await known(), ["urn:person:287", "urn:person:42"]);
  const { items: knowing } = await graph.get({ predicate: knows, object: person(42) });
  assertEquals(knowing.map(({ subject }) => subject.value).sort(), [
    "urn:person:41",
    "urn:person:6",
  ]);
  const { items: all } = await graph.get({});
  const lines = quads.map(({ subject, object }) => `${subject.value} ${object.value}`);
  assertEquals(all.length, new Set(lines).size);

  await graph.patch(
    factory.quad(person(41), knows, person(42)),
    factory.quad(person(41), knows, person(100)),
  );
  assertEquals(await known(), ["urn:person:100", "urn:person:287"]);
  await graph.close();
  assertEquals(await store.count({ prefix: "other" }), 1);
  assertGreater(await store.count({ prefix: "graph/" }), 900);
});
