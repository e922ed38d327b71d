/** The iterators of Level, over a reader of a range.
 *
 * @module
 */

import { AbstractIterator, AbstractKeyIterator, AbstractValueIterator } from "abstract-level";
import type { LiveStore } from "../store/live_store.ts";
import { ENTRY_ROWS, KEY_ROWS, type RowKind } from "../store/read/merge.ts";
import type { Snapshot } from "../store/read/snapshot.ts";
import { failed, LevelAbortError, levelError } from "./error.ts";
import type { KeyNames } from "./keys.ts";
import { limitOf, type RangeForms, rangeOf } from "./range.ts";
import { RangeReader } from "./range_reader.ts";
import { type Form, passingKey, textOf } from "./text.ts";

/** What Level hands over for an iterator. */
export interface IteratorForms extends RangeForms {
  keyEncoding: string;
  valueEncoding: string;
  keys?: boolean;
  values?: boolean;
  signal?: AbortSignal | null;
}

/** What an iterator reads. */
export interface IteratorSource {
  readonly of: LiveStore | Snapshot;
  readonly names: KeyNames;
}

/** Items of an iterator, made of the rows of a reader. */
class Items<Row, Item> {
  readonly #reader: RangeReader<Row>;
  readonly #names: KeyNames;
  readonly #itemOf: (row: Row) => Item;
  readonly #signal: AbortSignal | undefined;

  constructor(
    { of, names }: IteratorSource,
    kind: RowKind<Row>,
    options: IteratorForms,
    itemOf: (row: Row, form: Forms) => Item,
  ) {
    this.#names = names;
    this.#signal = options.signal ?? undefined;
    this.#reader = new RangeReader({
      of,
      kind,
      range: rangeOf(options, names),
      limit: limitOf(options),
    });
    const forms = formsOf(options, names, this.#reader.keepsRows);
    this.#itemOf = (row) => itemOf(row, forms);
  }

  next(): Item | undefined | Promise<Item | undefined> {
    if (this.#signal !== undefined) return this.#nextUnlessAborted(this.#signal);
    try {
      const row = this.#reader.next();
      if (row instanceof Promise) return row.then((row) => this.#item(row), failed);
      return this.#item(row);
    } catch (error) {
      throw levelError(error);
    }
  }

  async nextPage(size: number): Promise<Item[]> {
    if (this.#signal !== undefined) await requireNotAborted(this.#signal);
    try {
      return (await this.#reader.nextPage(size)).map(this.#itemOf);
    } catch (error) {
      throw levelError(error);
    }
  }

  async #nextUnlessAborted(signal: AbortSignal): Promise<Item | undefined> {
    await requireNotAborted(signal);
    try {
      return this.#item(await this.#reader.next());
    } catch (error) {
      throw levelError(error);
    }
  }

  seek(target: Form): void {
    this.#reader.seek(this.#names.stored(passingKey(target)));
  }

  close(): void {
    this.#reader.close();
  }

  #item(row: Row | undefined): Item | undefined {
    return row === undefined ? undefined : this.#itemOf(row);
  }
}

/** Looks once the code that asked for rows has finished: it may abort them right after. */
async function requireNotAborted(signal: AbortSignal): Promise<void> {
  await undefined;
  if (signal.aborted) throw new LevelAbortError(signal.reason);
}

/** How keys and values look to the caller. */
interface Forms {
  key(stored: Uint8Array): Form;
  value(stored: Uint8Array): Form;
}

function formsOf(
  { keyEncoding, valueEncoding }: IteratorForms,
  { named }: KeyNames,
  keepsRows: boolean,
): Forms {
  // Bytes belong to the caller, and the reader may need those that it keeps once more.
  const bytes = keepsRows ? (view: Uint8Array) => view.slice() : (view: Uint8Array) => view;
  return {
    key: keyEncoding === "utf8" ? (key) => textOf(named(key)) : (key) => bytes(named(key)),
    value: valueEncoding === "utf8" ? textOf : bytes,
  };
}

interface Row {
  key: Uint8Array;
  value: Uint8Array;
}

type Pair = [Form | undefined, Form | undefined];

/** Entries of a range. */
export class EntryIterator<TDatabase, K, V> extends AbstractIterator<TDatabase, K, V> {
  readonly #items: Items<Row, Pair> | Items<Uint8Array, Pair>;

  constructor(db: TDatabase, options: IteratorForms, source: IteratorSource) {
    super(db, options as object);
    const { keys, values } = options;
    if (values === false) {
      this.#items = new Items<Uint8Array, Pair>(source, KEY_ROWS, options, (key, forms) => {
        return [keys === false ? undefined : forms.key(key), undefined];
      });
    } else {
      this.#items = new Items<Row, Pair>(source, ENTRY_ROWS, options, ({ key, value }, forms) => {
        return [keys === false ? undefined : forms.key(key), forms.value(value)];
      });
    }
  }

  /** @internal */
  _next(): Pair | undefined | Promise<Pair | undefined> {
    return this.#items.next();
  }

  /** @internal */
  _nextv(size: number): Promise<Pair[]> {
    return this.#items.nextPage(size);
  }

  /** @internal */
  _seek(target: Form): void {
    this.#items.seek(target);
  }

  /** @internal */
  // deno-lint-ignore require-await
  async _close(): Promise<void> {
    this.#items.close();
  }
}

/** Keys of a range. */
export class KeyIterator<TDatabase, K> extends AbstractKeyIterator<TDatabase, K> {
  readonly #items: Items<Uint8Array, Form>;

  constructor(db: TDatabase, options: IteratorForms, source: IteratorSource) {
    super(db, options as object);
    this.#items = new Items(source, KEY_ROWS, options, (key, forms) => forms.key(key));
  }

  /** @internal */
  _next(): Form | undefined | Promise<Form | undefined> {
    return this.#items.next();
  }

  /** @internal */
  _nextv(size: number): Promise<Form[]> {
    return this.#items.nextPage(size);
  }

  /** @internal */
  _seek(target: Form): void {
    this.#items.seek(target);
  }

  /** @internal */
  // deno-lint-ignore require-await
  async _close(): Promise<void> {
    this.#items.close();
  }
}

/** Values of a range. */
export class ValueIterator<TDatabase, K, V> extends AbstractValueIterator<TDatabase, K, V> {
  readonly #items: Items<Row, Form>;

  constructor(db: TDatabase, options: IteratorForms, source: IteratorSource) {
    super(db, options as object);
    this.#items = new Items(source, ENTRY_ROWS, options, ({ value }, forms) => forms.value(value));
  }

  /** @internal */
  _next(): Form | undefined | Promise<Form | undefined> {
    return this.#items.next();
  }

  /** @internal */
  _nextv(size: number): Promise<Form[]> {
    return this.#items.nextPage(size);
  }

  /** @internal */
  _seek(target: Form): void {
    this.#items.seek(target);
  }

  /** @internal */
  // deno-lint-ignore require-await
  async _close(): Promise<void> {
    this.#items.close();
  }
}
