import {
  assertionKey,
  decodeF32,
  decodeU64,
  type HybridStore,
  mvKey,
  subjectPredicateKey,
  voteCountKey,
  voteWeightKey,
} from "@hybrid/store";
import type { Assertion } from "./assertion.ts";
import { decodeJson, splitHashes } from "./values.ts";

/** The subject that the object of a pointer names: `n02083346` of `n02083346:0000`. */
export function targetOf(object: string): string {
  return object.slice(0, object.indexOf(":"));
}

/** Reads claims back from the store, each by the key that fits the question. */
export class Claims {
  readonly #store: HybridStore;

  constructor(store: HybridStore) {
    this.#store = store;
  }

  /** Returns the words of a subject, from its materialized view: one lookup. */
  words(subject: string): string[] {
    const view = this.#store.getSync(mvKey(subject, "word"));
    return view === undefined ? [] : decodeJson<string[]>(view);
  }

  /** Returns the objects of a subject's assertions with a predicate: the index says which they are. */
  objects(subject: string, predicate: string): string[] {
    const index = this.#store.getSync(subjectPredicateKey(subject, predicate));
    if (index === undefined) return [];
    return splitHashes(index).map((hash) => this.assertion(subject, hash).object);
  }

  /** Returns an assertion that is there. */
  assertion(subject: string, hash: string): Assertion {
    return decodeJson<Assertion>(this.#store.getSync(assertionKey(subject, hash))!);
  }

  /** Returns the votes for an assertion and their weight. */
  votes(subject: string, hash: string): { count: number; weight: number } {
    const count = this.#store.getSync(voteCountKey(subject, hash));
    const weight = this.#store.getSync(voteWeightKey(subject, hash));
    return {
      count: count === undefined ? 0 : Number(decodeU64(count)),
      weight: weight === undefined ? 0 : decodeF32(weight),
    };
  }
}
