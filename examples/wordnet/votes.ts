import { encodeU64, mvKey, type Transaction, voteCountKey, voteWeightKey } from "@hybrid/store";
import { canonicalJson, type Hash } from "./assertion.ts";
import type { Job, Work } from "./job.ts";
import { isSpellingOf, parseSense, type Sense } from "./parse.ts";
import { readSenseLines, senseBytes } from "./source.ts";
import { VOTES_KEY, votesCursor } from "./state.ts";
import { decodeJson, encodeText } from "./values.ts";

/** Third phase: each tagged occurrence of a sense is a vote for the assertion that its subject has this
 * word.
 *
 * Adding twice is not the same as adding once. So how far the count has come is written in the
 * transaction that adds, and a kill leaves both or neither. A block of lines makes a transaction.
 */
export async function countVotes(job: Job): Promise<Work> {
  const { store, hash, progress, signal } = job;
  const from = votesCursor(store);
  const total = senseBytes();
  progress.begin("votes", total, "bytes", from);
  let senses = 0;
  let votes = 0;
  let skipped = 0;
  for (const { lines, end } of readSenseLines(from)) {
    const tagged = lines.filter((line) => !line.endsWith(" 0")).map(parseSense);
    await store.transact((tx) => {
      for (const sense of tagged) {
        if (!vote(tx, sense, hash)) {
          skipped++;
          continue;
        }
        senses++;
        votes += sense.count;
      }
      tx.put(VOTES_KEY, encodeU64(BigInt(end)));
    });
    signal.throwIfAborted();
    progress.update(end);
  }
  // Votes are on the append side alone, which acknowledges before they are on disk.
  await store.flush();
  progress.end(total);
  const work: Work = [[senses, "senses"], [votes, "votes"]];
  return skipped === 0 ? work : [...work, [skipped, "senses skipped"]];
}

/** Adds the votes of one sense.
 *
 * A weight tells votes for a word's main meaning from those for a remote one: a vote for its nth
 * meaning weighs 1/n.
 *
 * @returns Whether there is an assertion to vote for.
 */
function vote(tx: Transaction, { subject, lemma, number, count }: Sense, hash: Hash): boolean {
  const view = tx.get(mvKey(subject, "word"));
  const word = view && decodeJson<string[]>(view).find((word) => isSpellingOf(word, lemma));
  if (word === undefined) return false;
  const json = canonicalJson({ object: word, predicate: "word", subject });
  const hex = hash(encodeText(json)).toHex();
  tx.fetchAndAddU64(voteCountKey(subject, hex), BigInt(count));
  tx.compareAndSwapF32(voteWeightKey(subject, hex), (weight) => weight + count / number);
  return true;
}
