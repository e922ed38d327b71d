import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { canonicalJson } from "../../examples/wordnet/assertion.ts";
import { Claims } from "../../examples/wordnet/claims.ts";
import { encodeText } from "../../examples/wordnet/values.ts";
import { countVotes } from "../../examples/wordnet/votes.ts";
import { withIngested } from "./_wordnet.ts";

/** Two subjects of WordNet with the words that they have there. */
const PARIS = "n08952341";
const ADEQUATE = "a00051593";
const WORDS = {
  [PARIS]: ["Paris", "City_of_Light", "French_capital", "capital_of_France"],
  [ADEQUATE]: ["adequate_to(p)", "capable", "equal_to(p)", "up_to(p)"],
};
const SUBJECTS = Object.entries(WORDS).map(([id, words]) => ({
  id,
  statements: words.map((word) => ["word", word] as const),
}));

/** What `index.sense` says: occurrences, and divided by which sense of the word it is. */
const VOTES = [
  { subject: PARIS, word: "Paris", count: 20, weight: 20 },
  { subject: PARIS, word: "City_of_Light", count: 0, weight: 0 },
  { subject: ADEQUATE, word: "adequate_to(p)", count: 4, weight: 4 },
  { subject: ADEQUATE, word: "capable", count: 2, weight: 0.5 },
  { subject: ADEQUATE, word: "equal_to(p)", count: 1, weight: 1 },
  { subject: ADEQUATE, word: "up_to(p)", count: 2, weight: 1 },
];

test("countVotes() finds the word of a sense, however it is spelled, and counts once", async () => {
  await withIngested(SUBJECTS, async (job) => {
    const claims = new Claims(job.store);
    const names = VOTES.map(({ subject, word }) => {
      const json = canonicalJson({ object: word, predicate: "word", subject });
      return { subject, hash: job.hash(encodeText(json)).toHex() };
    });
    const expected = VOTES.map(({ count, weight }) => ({ count, weight }));
    const [senses, votes] = await countVotes(job);
    assertEquals([senses, votes], [[5, "senses"], [29, "votes"]]);
    assertEquals(await claims.votes(names), expected);

    assertEquals(await countVotes(job), [[0, "senses"], [0, "votes"]]);
    assertEquals(await claims.votes(names), expected);
  });
});
