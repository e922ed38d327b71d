/** Three questions, answered from the store alone.
 *
 * @module
 */

import { decodeF32, decodeU64, type HybridStore, parseKey, subjectScanPrefix } from "@hybrid/store";
import type { Assertion } from "./assertion.ts";
import type { Voted } from "./census.ts";
import { Claims, targetOf } from "./claims.ts";
import { formatCount, formatTable, truncate } from "./format.ts";
import { decodeJson, splitHashes } from "./values.ts";

/** The animal. Subjects are named by where WordNet 3.1 has them in its file. */
const DOG = "n02086723";

const GLOSS_WIDTH = 70;

/** Prints the answers.
 *
 * @param top The most voted assertions.
 * @param width Columns of the terminal.
 */
export async function answerQuestions(
  store: HybridStore,
  top: readonly Voted[],
  width: number,
): Promise<void> {
  const claims = new Claims(store);
  if (claims.words(DOG).length === 0) {
    console.log(`\n1, 2. ${DOG} (dog) is not among the subjects that were read.`);
  } else {
    await describe(store, claims, DOG, width);
    climb(claims, DOG, width);
  }
  rank(claims, top, width);
}

/** All that is known about a subject. Its keys lie side by side, so that one scan finds them, whichever
 * engine holds them. */
async function describe(
  store: HybridStore,
  claims: Claims,
  subject: string,
  width: number,
): Promise<void> {
  const entries = await store.scanPrefix(subjectScanPrefix(subject));
  const parts = Map.groupBy(
    entries.map(({ key, value }) => ({ ...parseKey(key), engine: store.routeOf(key), value })),
    ({ tag }) => tag,
  );
  const part = (tag: string) => parts.get(tag) ?? [];
  const engineOf = (tag: string) => part(tag)[0]?.engine ?? "";

  const assertions = new Map(
    part("H:").map(({ suffix, value }) => [suffix, decodeJson<Assertion>(value)]),
  );
  // Hashes have no order of their own; the index keeps WordNet's.
  const ordered = part("S:").flatMap(({ value }) => splitHashes(value))
    .map((hash) => assertions.get(hash)!);

  const rows: string[][] = [];
  for (const [predicate, some] of Map.groupBy(ordered, ({ predicate }) => predicate)) {
    const names = some.map((assertion) => nameOf(claims, assertion)).join(", ");
    rows.push([engineOf("H:"), "H:", `${some.length}`, predicate, names]);
  }
  for (const { engine, tag, suffix, value } of [...part("VC:"), ...part("VW:")]) {
    const { predicate, object } = assertions.get(suffix)!;
    const votes = tag === "VC:" ? decodeU64(value) : decodeF32(value);
    rows.push([engine, tag, "1", predicate, `${object}: ${votes}`]);
  }
  rows.push([engineOf("S:"), "S:", "1", "", `${ordered.length} hashes`]);
  const sizes = part("SP:").map(({ suffix, value }) => `${splitHashes(value).length} of ${suffix}`);
  rows.push([engineOf("SP:"), "SP:", `${sizes.length}`, "", sizes.join(", ")]);
  for (const { engine, tag, suffix, value } of part("MV:")) {
    rows.push([engine, tag, "1", suffix, decodeJson<string[]>(value).join(", ")]);
  }
  console.log(`\n1. All that is known about ${subject}: ${entries.length} keys, one scan`);
  console.log(formatTable([["engine", "tag", "keys", "", ""], ...rows], "llrll", width).join("\n"));
}

/** Names the target of a pointer by its first word; the object of anything else is a text. */
function nameOf(claims: Claims, { predicate, object }: Assertion): string {
  if (predicate === "gloss" || predicate === "word") return object;
  return claims.words(targetOf(object))[0] ?? object;
}

/** The chain of hypernyms, up to what has none. Some subjects have several: the first leads on. */
function climb(claims: Claims, from: string, width: number): void {
  const rows: string[][] = [];
  for (let subject: string | undefined = from; subject !== undefined;) {
    rows.push([subject, claims.words(subject).join(", ")]);
    const [hypernym]: string[] = claims.objects(subject, "@");
    subject = hypernym && targetOf(hypernym);
  }
  console.log(`\n2. Its hypernyms, up to the root: ${rows.length - 1} steps`);
  console.log(formatTable(rows, "ll", width).join("\n"));
}

/** The most voted senses. */
function rank(claims: Claims, top: readonly Voted[], width: number): void {
  const rows = top.map(({ subject, hash, count, weight }, index) => [
    `${index + 1}`,
    claims.assertion(subject, hash).object,
    formatCount(count),
    formatCount(weight),
    subject,
    truncate(claims.objects(subject, "gloss")[0] ?? "", GLOSS_WIDTH),
  ]);
  console.log(`\n3. The ${top.length} most voted senses`);
  const head = ["", "word", "votes", "weight", "subject", "gloss"];
  console.log(formatTable([head, ...rows], "rlrrll", width).join("\n"));
}
