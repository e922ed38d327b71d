import { cpSync, mkdirSync } from "node:fs";
import { assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { HybridStore } from "../../mod.ts";
import { idle } from "../support/crash_image.ts";
import type { Random } from "../support/random.ts";
import { someOptions } from "./_choices.ts";
import { rowsOf, Session } from "./_session.ts";

/** A store in a directory, and its model. */
export class DirectorySession extends Session<HybridStore> {
  readonly #parent: string;
  #stores = 0;

  /** @param parent A directory for the stores. */
  constructor(random: Random, parent: string) {
    super(random);
    this.#parent = parent;
  }

  override get local(): HybridStore {
    return this.store;
  }

  async open(): Promise<void> {
    this.store = await HybridStore.open(this.#path(), someOptions(this.random));
  }

  override async end(): Promise<void> {
    assertEquals(rowsOf(this.store.scanSync()), this.model.scan({}));
    await super.end();
  }

  async checkpoint(): Promise<void> {
    this.log.push("checkpoint");
    await this.store.checkpoint();
    const { append, btree, journal, memtable } = this.store.stats();
    assertEquals([journal, memtable.keys], [{ bytes: 0, segments: 1 }, 0]);
    assertEquals(append.keys + btree.keys, this.model.size);
  }

  async reopen(): Promise<void> {
    this.log.push("close and open");
    const path = this.store.path;
    await this.closeStore();
    this.store = await HybridStore.open(path, someOptions(this.random));
    assertEquals(this.store.stats().recovery, { records: 0, replayed: 0, truncatedBytes: 0 });
  }

  /** Goes on with a copy of the files, as a process finds them after another one died. */
  async crash(): Promise<void> {
    this.log.push("crash");
    await this.settle();
    // A file that LMDB is writing cannot be copied.
    await idle(this.store);
    const { memtable } = this.store.stats();
    const image = this.#path();
    cpSync(this.store.path, image, { recursive: true });
    await this.closeStore();
    this.store = await HybridStore.open(image, someOptions(this.random));
    const { recovery } = this.store.stats();
    assertEquals(recovery.truncatedBytes, 0);
    if (memtable.keys > 0) assertGreater(recovery.replayed, 0);
  }

  #path(): string {
    const path = join(this.#parent, `store${this.#stores++}`);
    mkdirSync(path);
    return path;
  }
}
