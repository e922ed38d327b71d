import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { canonicalJson, loadHash } from "../../examples/wordnet/assertion.ts";
import { encodeText, joinDigests, splitHashes } from "../../examples/wordnet/values.ts";

// The hashes were computed by another implementation of BLAKE3, written from its paper.
const VECTORS = [
  {
    assertion: { subject: "n02086723", predicate: "word", object: "dog" },
    json: '{"object":"dog","predicate":"word","subject":"n02086723"}',
    hash: "95e4427a352a3698ce7c7e0691355f0b1f32fb2193a492e5596900bb59ccbc47",
  },
  {
    assertion: { predicate: "@", object: "n02085998:0000", subject: "n02086723" },
    json: '{"object":"n02085998:0000","predicate":"@","subject":"n02086723"}',
    hash: "50e8a43bc0f0b7db9e09ff064cfa0a24db9d6979f59e929d4c631d2fa770d032",
  },
  {
    assertion: {
      object: 'draw air into, and expel out of, the lungs; "I can breathe better when the air is ' +
        'clean"; "The patient is respiring"',
      subject: "v00001740",
      predicate: "gloss",
    },
    json: '{"object":"draw air into, and expel out of, the lungs; \\"I can breathe better when ' +
      'the air is clean\\"; \\"The patient is respiring\\"","predicate":"gloss",' +
      '"subject":"v00001740"}',
    hash: "e96963bfefe9f08adfd7b0d97789c3163e8960bf64bd160f49fc20f42916794f",
  },
];

test("canonicalJson() sorts the keys and leaves no spaces", () => {
  for (const { assertion, json } of VECTORS) assertEquals(canonicalJson(assertion), json);
});

test("the hash of an assertion is the BLAKE3 digest of its canonical JSON", async () => {
  const hash = await loadHash();
  for (const { json, hash: expected } of VECTORS) {
    assertEquals(hash(encodeText(json)).toHex(), expected);
  }
});

test("digests are kept when others are computed, and go through an index value", async () => {
  const hash = await loadHash();
  const digests = VECTORS.map(({ json }) => hash(encodeText(json)));
  const joined = joinDigests(digests);
  assertEquals(joined.length, 96);
  assertEquals(splitHashes(joined), VECTORS.map(({ hash }) => hash));
  assertEquals(splitHashes(joinDigests([])), []);
});
