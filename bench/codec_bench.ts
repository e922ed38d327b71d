/** What a key and a value cost before any store sees them.
 *
 * @module
 */

import {
  assertionKey,
  decodeU64,
  encodeU64,
  extractTag,
  mvKey,
  parseKey,
  Router,
  tagScanPrefix,
  voteKey,
} from "../codec/mod.ts";

const SUBJECT = "subject00042";
const SUFFIX = "0000000000123456";
const VOTER = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";

const text = new TextEncoder();
const key = assertionKey(SUBJECT, SUFFIX);
const btreeKey = mvKey(SUBJECT, SUFFIX);
const router = new Router();
const count = encodeU64(123_456n);

Deno.bench("assertionKey", { group: "build a key", baseline: true }, () => {
  assertionKey(SUBJECT, SUFFIX);
});
Deno.bench("TextEncoder, without checks", { group: "build a key" }, () => {
  text.encode(`${SUBJECT}\0H:${SUFFIX}`);
});
Deno.bench("voteKey", { group: "build a key" }, () => {
  voteKey(SUBJECT, SUFFIX, VOTER);
});
Deno.bench("tagScanPrefix", { group: "build a key" }, () => {
  tagScanPrefix("H", SUBJECT);
});

Deno.bench("parseKey", { group: "take a key apart", baseline: true }, () => {
  parseKey(key);
});
Deno.bench("extractTag", { group: "take a key apart" }, () => {
  extractTag(key);
});

Deno.bench("append side", { group: "route a key", baseline: true }, () => {
  router.routeOf(key);
});
Deno.bench("B-tree side", { group: "route a key" }, () => {
  router.routeOf(btreeKey);
});

Deno.bench("encodeU64", { group: "values", baseline: true }, () => {
  encodeU64(123_456n);
});
Deno.bench("decodeU64", { group: "values" }, () => {
  decodeU64(count);
});
