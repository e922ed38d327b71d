import {
  assertionKey,
  decodeF32,
  decodeU64,
  mvKey,
  type OrderedReader,
  subjectPredicateKey,
  voteCountKey,
  voteWeightKey,
} from "@hybrid/store";
import type { Assertion } from "./assertion.ts";
import { decodeJson, splitHashes } from "./values.ts";

/** The votes for an assertion. */
export interface Votes {
  readonly count: number;
  readonly weight: number;
}

/** Names an assertion. */
export interface AssertionName {
  readonly subject: string;
  readonly hash: string;
}

/** The subject that the object of a pointer names: `n02083346` of `n02083346:0000`. */
export function targetOf(object: string): string {
  return object.slice(0, object.indexOf(":"));
}

/** Reads claims back from the store, each by the key that fits the question. */
export class Claims {
  readonly #store: OrderedReader;

  constructor(store: OrderedReader) {
    this.#store = store;
  }

  /** Returns the words of a subject, from its materialized view: one lookup. */
  async words(subject: string): Promise<string[]> {
    const view = await this.#store.get(mvKey(subject, "word"));
    return view === undefined ? [] : decodeJson<string[]>(view);
  }

  /** Returns the objects of a subject's assertions with a predicate: the index says which they are. */
  async objects(subject: string, predicate: string): Promise<string[]> {
    const index = await this.#store.get(subjectPredicateKey(subject, predicate));
    if (index === undefined) return [];
    const names = splitHashes(index).map((hash) => ({ subject, hash }));
    return (await this.assertions(names)).map(({ object }) => object);
  }

  /** Returns assertions that exist, in the order of their names. */
  async assertions(names: readonly AssertionName[]): Promise<Assertion[]> {
    const keys = names.map(({ subject, hash }) => assertionKey(subject, hash));
    return (await this.#store.getMany(keys)).map((stored) => decodeJson<Assertion>(stored!));
  }

  /** Returns the votes for some assertions, in the order of their names. */
  async votes(names: readonly AssertionName[]): Promise<Votes[]> {
    return await votesFor(this.#store, names);
  }
}

/** Reads the votes for some assertions, from a store or in a transaction. */
export async function votesFor(
  reader: Pick<OrderedReader, "getMany">,
  names: readonly AssertionName[],
): Promise<Votes[]> {
  // Both kinds at one moment.
  const stored = await reader.getMany([
    ...names.map(({ subject, hash }) => voteCountKey(subject, hash)),
    ...names.map(({ subject, hash }) => voteWeightKey(subject, hash)),
  ]);
  return names.map((_, index) => {
    const count = stored[index];
    const weight = stored[index + names.length];
    return {
      count: count === undefined ? 0 : Number(decodeU64(count)),
      weight: weight === undefined ? 0 : decodeF32(weight),
    };
  });
}
