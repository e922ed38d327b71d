/** Three questions, answered from the store alone.
 *
 * @module
 */

import {
  decodeF32,
  decodeU64,
  type OrderedStore,
  parseKey,
  subjectScanPrefix,
} from "@hybrid/store";
import type { Assertion } from "./assertion.ts";
import type { EngineOf, Voted } from "./census.ts";
import { Claims, targetOf } from "./claims.ts";
import { formatCount, formatTable, truncate } from "./format.ts";
import { decodeJson, splitHashes } from "./values.ts";

/** The animal. Subjects are named by where WordNet 3.1 has them in its file. */
const DOG = "n02086723";

const GLOSS_WIDTH = 70;

/** What the answers are made from, and for. */
export interface QuestionOptions {
  /** The most voted assertions. */
  readonly top: readonly Voted[];
  readonly engineOf: EngineOf;
  /** Columns of the terminal. */
  readonly width: number;
}

/** Returns the answers, as lines to print. */
export async function answerQuestions(
  store: OrderedStore,
  { top, engineOf, width }: QuestionOptions,
): Promise<string[]> {
  const claims = new Claims(store);
  const isRead = (await claims.words(DOG)).length > 0;
  return [
    ...isRead
      ? [
        ...await describe(store, engineOf, DOG, width),
        ...await climb(claims, DOG, width),
      ]
      : ["", `1, 2. ${DOG} (dog) is not among the subjects that were read.`],
    ...await rank(claims, top, width),
  ];
}

/** All that is known about a subject. Its keys lie side by side, so that one scan finds them, whichever
 * engine holds them. */
async function describe(
  store: OrderedStore,
  engineOf: EngineOf,
  subject: string,
  width: number,
): Promise<string[]> {
  const claims = new Claims(store);
  const entries = await store.scanPrefix(subjectScanPrefix(subject));
  const parts = Map.groupBy(
    entries.map(({ key, value }) => ({ ...parseKey(key), engine: engineOf(key), value })),
    ({ tag }) => tag,
  );
  const part = (tag: string) => parts.get(tag) ?? [];
  const engineOfPart = (tag: string) => part(tag)[0]?.engine ?? "";

  const assertions = new Map(
    part("H:").map(({ suffix, value }) => [suffix, decodeJson<Assertion>(value)]),
  );
  // Hashes have no order of their own; the index keeps WordNet's.
  const ordered = part("S:").flatMap(({ value }) => splitHashes(value))
    .map((hash) => assertions.get(hash)!);

  const rows: string[][] = [];
  for (const [predicate, some] of Map.groupBy(ordered, ({ predicate }) => predicate)) {
    const names = await Promise.all(some.map((assertion) => nameOf(claims, assertion)));
    rows.push([engineOfPart("H:"), "H:", `${some.length}`, predicate, names.join(", ")]);
  }
  for (const { engine, tag, suffix, value } of [...part("VC:"), ...part("VW:")]) {
    const { predicate, object } = assertions.get(suffix)!;
    const votes = tag === "VC:" ? decodeU64(value) : decodeF32(value);
    rows.push([engine, tag, "1", predicate, `${object}: ${votes}`]);
  }
  rows.push([engineOfPart("S:"), "S:", "1", "", `${ordered.length} hashes`]);
  const sizes = part("SP:").map(({ suffix, value }) => `${splitHashes(value).length} of ${suffix}`);
  rows.push([engineOfPart("SP:"), "SP:", `${sizes.length}`, "", sizes.join(", ")]);
  for (const { engine, tag, suffix, value } of part("MV:")) {
    rows.push([engine, tag, "1", suffix, decodeJson<string[]>(value).join(", ")]);
  }
  return [
    "",
    `1. All that is known about ${subject}: ${entries.length} keys, one scan`,
    ...formatTable([["engine", "tag", "keys", "", ""], ...rows], "llrll", width),
  ];
}

/** Names the target of a pointer by its first word; the object of anything else is a text. */
async function nameOf(claims: Claims, { predicate, object }: Assertion): Promise<string> {
  if (predicate === "gloss" || predicate === "word") return object;
  return (await claims.words(targetOf(object)))[0] ?? object;
}

/** The chain of hypernyms, up to what has none. Some subjects have several: the first leads on. */
async function climb(claims: Claims, from: string, width: number): Promise<string[]> {
  const rows: string[][] = [];
  for (let subject: string | undefined = from; subject !== undefined;) {
    rows.push([subject, (await claims.words(subject)).join(", ")]);
    const [hypernym]: string[] = await claims.objects(subject, "@");
    subject = hypernym && targetOf(hypernym);
  }
  return [
    "",
    `2. Its hypernyms, up to the root: ${rows.length - 1} steps`,
    ...formatTable(rows, "ll", width),
  ];
}

/** The most voted senses. */
async function rank(claims: Claims, top: readonly Voted[], width: number): Promise<string[]> {
  const assertions = await claims.assertions(top);
  const glosses = await Promise.all(top.map(({ subject }) => claims.objects(subject, "gloss")));
  const rows = top.map(({ subject, count, weight }, index) => [
    `${index + 1}`,
    assertions[index]!.object,
    formatCount(count),
    formatCount(weight),
    subject,
    truncate(glosses[index]![0] ?? "", GLOSS_WIDTH),
  ]);
  const head = ["", "word", "votes", "weight", "subject", "gloss"];
  return [
    "",
    `3. The ${top.length} most voted senses`,
    ...formatTable([head, ...rows], "rlrrll", width),
  ];
}
