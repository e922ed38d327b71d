import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { canonicalJson, loadHash } from "../../examples/wordnet/assertion.ts";
import type { Statement, Subject } from "../../examples/wordnet/parse.ts";
import { decodeJson, encodeText, splitHashes } from "../../examples/wordnet/values.ts";
import {
  assertionCountKey,
  assertionKey,
  cursorKey,
  decodeU64,
  mvKey,
  subjectIndexKey,
  subjectPredicateKey,
} from "../../mod.ts";
import { withIngested } from "./_wordnet.ts";

async function hashesOf(id: string, statements: readonly Statement[]): Promise<string[]> {
  const hash = await loadHash();
  return statements.map(([predicate, object]) =>
    hash(encodeText(canonicalJson({ subject: id, predicate, object }))).toHex()
  );
}

const DOG: Subject = {
  id: "n02086723",
  statements: [
    ["gloss", "a member of the genus Canis"],
    ["word", "dog"],
    ["word", "Canis_familiaris"],
    ["@", "n02085998:0000"],
  ],
};

test("ingest() writes a subject's assertions, indexes and view", async () => {
  const [gloss, dog, canis, hypernym] = await hashesOf(DOG.id, DOG.statements);
  await withIngested([DOG], async ({ store }, end) => {
    for (const [index, hash] of [gloss, dog, canis, hypernym].entries()) {
      const [predicate, object] = DOG.statements[index]!;
      assertEquals(
        decodeJson((await store.get(assertionKey(DOG.id, hash!)))!),
        { object, predicate, subject: DOG.id },
      );
    }
    const index = async (key: Uint8Array) => splitHashes((await store.get(key))!);
    assertEquals(await index(subjectIndexKey(DOG.id)), [gloss, dog, canis, hypernym]);
    assertEquals(await index(subjectPredicateKey(DOG.id, "gloss")), [gloss]);
    assertEquals(await index(subjectPredicateKey(DOG.id, "word")), [dog, canis]);
    assertEquals(await index(subjectPredicateKey(DOG.id, "@")), [hypernym]);
    assertEquals(decodeJson((await store.get(mvKey(DOG.id, "word")))!), [
      "dog",
      "Canis_familiaris",
    ]);
    assertEquals(decodeU64((await store.get(cursorKey()))!), BigInt(end));
    assertEquals(decodeU64((await store.get(assertionCountKey()))!), 4n);
    assertEquals(await store.count(), 4 + 1 + 3 + 1 + 2);
  });
});

test("ingest() makes one assertion of equal statements", async () => {
  const twice: Statement[] = [["word", "dog"], ["+", "a1:0101"], ["+", "a1:0101"]];
  const [word, pointer] = await hashesOf("n1", twice);
  await withIngested([{ id: "n1", statements: twice }], async ({ store }) => {
    assertEquals(splitHashes((await store.get(subjectIndexKey("n1")))!), [word, pointer]);
    assertEquals(splitHashes((await store.get(subjectPredicateKey("n1", "+")))!), [pointer]);
    assertEquals(decodeU64((await store.get(assertionCountKey()))!), 2n);
  });
});

test("ingest() takes the same statement of two subjects for two assertions", async () => {
  const statements: Statement[] = [["word", "dog"]];
  await withIngested([{ id: "n1", statements }, { id: "n2", statements }], async ({ store }) => {
    assertEquals(decodeU64((await store.get(assertionCountKey()))!), 2n);
  });
});
