import {
  encodeF32,
  encodeU64,
  mvKey,
  type OrderedTransaction,
  voteCountKey,
  voteWeightKey,
} from "@hybrid/store";
import { canonicalJson, type Hash } from "./assertion.ts";
import { type AssertionName, type Votes, votesFor } from "./claims.ts";
import type { Job, Work } from "./job.ts";
import { isSpellingOf, parseSense, type Sense } from "./parse.ts";
import { readSenseLines, senseBytes } from "./source.ts";
import { VOTES_KEY, votesCursor } from "./state.ts";
import { decodeJson, encodeText } from "./values.ts";

/** Votes to add to those for an assertion. */
interface Ballot extends AssertionName, Votes {}

/** Third phase: each tagged occurrence of a sense is a vote for the assertion that its subject has this
 * word.
 *
 * Adding twice is not the same as adding once. So how far the count has come is written in the
 * transaction that adds, and a kill leaves both or neither. A block of lines makes a transaction, which
 * reads all that it needs in two questions: the store may be at the other end of a wire.
 */
export async function countVotes(job: Job): Promise<Work> {
  const { store, hash, progress, signal } = job;
  const from = await votesCursor(store);
  const total = senseBytes();
  progress.begin("votes", total, "bytes", from);
  let senses = 0;
  let votes = 0;
  let skipped = 0;
  for (const { lines, end } of readSenseLines(from)) {
    const tagged = lines.filter((line) => !line.endsWith(" 0")).map(parseSense);
    const ballots = await store.transaction(async (tx) => {
      const ballots = await ballotsOf(tx, tagged, hash);
      await add(tx, ballots);
      tx.put(VOTES_KEY, encodeU64(BigInt(end)));
      return ballots;
    });
    senses += ballots.length;
    skipped += tagged.length - ballots.length;
    for (const { count } of ballots) votes += count;
    signal.throwIfAborted();
    progress.update(end);
  }
  // Votes are on the append side alone, which acknowledges before they are on disk.
  await store.flush();
  progress.end(total);
  const work: Work = [[senses, "senses"], [votes, "votes"]];
  return skipped === 0 ? work : [...work, [skipped, "senses skipped"]];
}

/** Finds the assertions that senses vote for. Where there is none, the sense is left out.
 *
 * A weight tells votes for a word's main meaning from those for a remote one: a vote for its nth
 * meaning weighs 1/n.
 */
async function ballotsOf(
  tx: OrderedTransaction,
  senses: readonly Sense[],
  hash: Hash,
): Promise<Ballot[]> {
  const views = await tx.getMany(senses.map(({ subject }) => mvKey(subject, "word")));
  return senses.flatMap(({ subject, lemma, number, count }, index) => {
    const view = views[index];
    const word = view && decodeJson<string[]>(view).find((word) => isSpellingOf(word, lemma));
    if (word === undefined) return [];
    const json = canonicalJson({ object: word, predicate: "word", subject });
    return [{ subject, hash: hash(encodeText(json)).toHex(), count, weight: count / number }];
  });
}

/** Adds votes to those that are there. No two senses of WordNet are of the same assertion: each has one
 * ballot. */
async function add(tx: OrderedTransaction, ballots: readonly Ballot[]): Promise<void> {
  const votes = await votesFor(tx, ballots);
  for (const [index, { subject, hash, count, weight }] of ballots.entries()) {
    const before = votes[index]!;
    tx.put(voteCountKey(subject, hash), encodeU64(BigInt(before.count + count)));
    tx.put(voteWeightKey(subject, hash), encodeF32(before.weight + weight));
  }
}
