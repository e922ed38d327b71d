/** A search index that follows the documents of the same store: a view kept by a cursor of the change feed.
 *
 *     bun examples/search_index.ts
 *
 * Whoever writes a document knows nothing of the index. The indexer reads what was committed and moves its cursor
 * in the batch that changes the index, so that after a crash it goes on exactly where the index stands.
 *
 * @module
 */

import { type Change, HybridStore, type SubStore, toText } from "@hybrid/store";

const CURSOR = "search index";
/** Keeps the changes that follow while the index is made. */
const MAKING = "search index, being made";

/** Words of documents, by word. */
export class SearchIndex {
  readonly #store: HybridStore;
  readonly #documents: SubStore;
  /** `{word}\0{document}` for each word of a document. */
  readonly #entries: SubStore;
  /** The words that a document is found by, so that they can be taken back. */
  readonly #words: SubStore;

  private constructor(store: HybridStore) {
    this.#store = store;
    this.#documents = store.sub("document/");
    this.#entries = store.sub("index/entry/");
    this.#words = store.sub("index/words/");
  }

  /** Opens the index of a store, and makes it anew where it cannot go on from where it stands. */
  static async open(store: HybridStore): Promise<SearchIndex> {
    const index = new SearchIndex(store);
    const cursor = store.cursors().find(({ name }) => name === CURSOR);
    if (cursor === undefined || cursor.isLost) await index.#rebuild();
    return index;
  }

  /** Follows the documents, until the store is closed or the signal is aborted. */
  async follow(signal?: AbortSignal): Promise<void> {
    const changes = this.#documents.changes({ cursor: CURSOR, ...(signal && { signal }) });
    for await (const change of changes) await this.#take(change);
  }

  /** Brings the index up to what was written before the call. */
  async catchUp(): Promise<void> {
    const changes = this.#documents.changes({ cursor: CURSOR, live: false });
    for await (const change of changes) await this.#take(change);
  }

  /** Returns the names of the documents that have a word. */
  async find(word: string): Promise<string[]> {
    const prefix = `${word.toLowerCase()}\0`;
    const found = await this.#entries.scanPrefix(prefix);
    return found.map(({ key }) => toText(key).slice(prefix.length));
  }

  /** Changes the index and moves the cursor, together. */
  async #take({ position, writes }: Change): Promise<void> {
    await this.#store.transact((tx) => {
      const entries = tx.sub(this.#entries.prefix);
      const words = tx.sub(this.#words.prefix);
      for (const { key, value } of writes) {
        const name = toText(key);
        for (const word of wordsOf(words.get(name))) entries.delete(`${word}\0${name}`);
        for (const word of wordsOf(value)) entries.put(`${word}\0${name}`, "");
        if (value === undefined) words.delete(name);
        else words.put(name, wordsOf(value).join(" "));
      }
      tx.advance(CURSOR, position);
    });
  }

  /** Makes the index of the documents as they are at one moment, and goes on after it. */
  async #rebuild(): Promise<void> {
    await this.#entries.deleteRange({});
    await this.#words.deleteRange({});
    await this.#store.createCursor(MAKING);
    using snapshot = await this.#store.snapshot();
    const prefix = "document/";
    for await (const page of snapshot.scanPages({ prefix }, { rows: 500 })) {
      const batch = this.#store.batch();
      for (const { key, value } of page) {
        const name = toText(key).slice(prefix.length);
        for (const word of wordsOf(value)) {
          batch.sub(this.#entries.prefix).put(`${word}\0${name}`, "");
        }
        batch.sub(this.#words.prefix).put(name, wordsOf(value).join(" "));
      }
      await batch.commit();
    }
    // A crash before this leaves no cursor, and the index is made anew.
    await this.#store.createCursor(CURSOR, { after: snapshot.position });
    await this.#store.deleteCursor(MAKING);
  }
}

function wordsOf(value: Uint8Array | undefined): string[] {
  const text = toText(value) ?? "";
  return [...new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])];
}

if (import.meta.main) {
  await using store = await HybridStore.openTemp();
  const index = await SearchIndex.open(store);
  const following = index.follow();
  const documents = store.sub("document/");
  await documents.put("haiku", "The old pond; a frog jumps in");
  await documents.put("proverb", "The frog in the well knows nothing of the sea");
  await documents.put("haiku", "The old pond; silence");
  // The index follows by itself; whoever has to wait for it can watch it.
  for await (const [words] of store.watch(["index/words/haiku"])) {
    if (toText(words?.value)?.includes("silence")) break;
  }
  console.log(await index.find("frog"), await index.find("pond"));
  await store.close();
  await following;
}
