/** The lines of WordNet's files, taken apart: pure functions, a line in and what it says out.
 *
 * Source: the format is described in WordNet's manual pages wndb(5WN) and senseidx(5WN).
 *
 * @module
 */

/** What WordNet states of one synset, here called a subject. */
export interface Subject {
  /** Part of speech and offset: `n02086723`. */
  readonly id: string;
  /** In the order of the line: its gloss, its words, its pointers. */
  readonly statements: readonly Statement[];
}

/** A predicate and an object; the subject is known from where it stands. */
export type Statement = readonly [predicate: string, object: string];

/** One line of `index.sense`: how often a word was met in one of its meanings. */
export interface Sense {
  /** The subject of that meaning. */
  readonly subject: string;
  /** The word in lower case, however the data file spells it. */
  readonly lemma: string;
  /** 1 for the word's most frequent meaning. */
  readonly number: number;
  /** Occurrences in the texts that were tagged by hand. */
  readonly count: number;
}

/** Parts of speech in the order of the digits that sense keys use for them, from 1 on. */
const PARTS_OF_SPEECH = ["n", "v", "a", "r", "s"];

/** How a line of a data file begins: offset, lexicographer file, part of speech. */
const LINE_START = /^\d{8} \d\d [nvars] /;

/** Behind an adjective, where in a phrase it may stand: `galore(ip)`, only after its noun. */
const ADJECTIVE_MARKER = /\((a|p|ip)\)$/;

/** Returns whether a line of a data file belongs to the license at its top, not to the data. */
export function isLicense(line: string): boolean {
  return line.startsWith("  ");
}

/** Parses a line of a data file.
 *
 *     offset file ss_type w_cnt word lex_id … p_cnt symbol offset pos source/target … | gloss
 *
 * `w_cnt` counts in hexadecimal, `p_cnt` in decimal digits, and between the pointers and the gloss a
 * verb has its frames, which are no statements here.
 *
 * @throws {Error} The line is not of that form.
 */
export function parseSubject(line: string): Subject {
  const bar = line.indexOf(" | ");
  if (bar === -1 || !LINE_START.test(line)) throw malformed(line);
  const fields = line.slice(0, bar).split(" ");
  const statements: Statement[] = [["gloss", line.slice(bar + 3).trimEnd()]];

  let at = 4;
  for (let words = parseInt(fields[3] ?? "", 16); words > 0; words--, at += 2) {
    statements.push(["word", fields[at]!]);
  }
  const pointers = Number(fields[at++]);
  // A line that is cut short, or of another format, has no field where the last pointer should be.
  const end = at + 4 * pointers;
  if (!(end <= fields.length)) throw malformed(line);
  for (; at < end; at += 4) {
    const target = subjectId(fields[at + 2]!, fields[at + 1]!);
    statements.push([fields[at]!, `${target}:${fields[at + 3]!}`]);
  }
  return { id: subjectId(fields[2]!, fields[0]!), statements };
}

/** Parses a line of `index.sense`: `lemma%ss_type:lex_filenum:lex_id:head:head_id offset number count`.
 *
 * @throws {Error} The line is not of that form.
 */
export function parseSense(line: string): Sense {
  const [key, offset, number, count] = line.split(" ");
  const percent = key!.lastIndexOf("%");
  const partOfSpeech = PARTS_OF_SPEECH[Number(key![percent + 1]) - 1];
  if (percent === -1 || partOfSpeech === undefined || count === undefined) throw malformed(line);
  return {
    subject: subjectId(partOfSpeech, offset!),
    lemma: key!.slice(0, percent),
    number: Number(number),
    count: Number(count),
  };
}

/** Returns whether a word as the data file spells it is the one that a sense means. */
export function isSpellingOf(word: string, lemma: string): boolean {
  return word.replace(ADJECTIVE_MARKER, "").toLowerCase() === lemma;
}

/** Satellites (`s`) are adjectives that stand near another one; they share its file and its offsets. */
function subjectId(partOfSpeech: string, offset: string): string {
  return (partOfSpeech === "s" ? "a" : partOfSpeech) + offset;
}

function malformed(line: string): Error {
  return new Error(`Cannot parse line: not of WordNet's format: ${line.slice(0, 60)}`);
}
