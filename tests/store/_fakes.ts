import type { Write, Writes } from "../../backends/engine.ts";
import { MemoryEngine } from "../../backends/memory.ts";
import { listWrites } from "../../backends/writes.ts";
import {
  type HybridStore,
  MAX_KEY_BYTES,
  type OpenOptions,
  Router,
  type StoreError,
} from "../../mod.ts";
import { openWriter } from "../../journal/journal.ts";
import type { JournalWriter } from "../../journal/writer.ts";
import { resolveOptions } from "../../store/options.ts";
import { FaultyFileSystem, systemError } from "../journal/_faulty_file_system.ts";
import { startStore, UNWATCHED } from "../support/store.ts";

/** An engine in memory whose applies wait and fail on request. */
export class FlakyEngine extends MemoryEngine {
  /** Called at the start of an apply, which waits for it, and fails where it throws. */
  before: (writes: readonly Write[], position: bigint) => unknown = () => {};
  /** Writes of an apply that reach the engine although it fails. */
  writesBeforeFailure = 0;
  /** How often it was asked to apply. */
  attempts = 0;
  /** Set to let it be one whose files failed. */
  broken: StoreError | undefined;
  /** Whether a write to its files has not come to an end. */
  isStuck = false;

  override get failure(): StoreError | undefined {
    return this.broken;
  }

  override async apply(
    given: Writes | readonly Write[],
    position: bigint,
    note?: string,
  ): Promise<void> {
    const writes = listWrites(given);
    this.attempts++;
    try {
      await this.before(writes, position);
    } catch (error) {
      await super.apply(writes.slice(0, this.writesBeforeFailure), this.position);
      throw error;
    }
    await super.apply(writes, position, note);
  }
}

/** A store over engines in memory and a journal in a directory, all of which fail on request. */
export interface FakeStore {
  readonly store: HybridStore;
  readonly append: FlakyEngine;
  readonly btree: FlakyEngine;
  readonly files: FaultyFileSystem;
  readonly journal: JournalWriter;
  /** How often the lock was given back. */
  readonly releases: { count: number };
}

/** Opens a store in a directory. Only its journal is there: the engines start empty, unless given. */
export async function openFake(
  directory: string,
  options: OpenOptions = {},
  { append, btree } = { append: new FlakyEngine(), btree: new FlakyEngine() },
): Promise<FakeStore> {
  const settings = resolveOptions(options);
  const files = new FaultyFileSystem();
  const { writer: journal, recovery } = await openWriter(files, directory, {
    segmentBytes: settings.segmentBytes,
    salvage: false,
  });
  const releases = { count: 0 };
  const store = await startStore(directory, {
    lock: { release: () => void releases.count++ },
    ownership: UNWATCHED,
    router: new Router(),
    keyBytesMax: MAX_KEY_BYTES,
    journal,
    recovery,
    engines: { append, btree },
  }, settings);
  return { store, append, btree, files, journal, releases };
}

/** Lets every write to, or sync of, a segment fail with an error of the system's. */
export function failSegments(files: FaultyFileSystem, kind: "write" | "sync", code: string): void {
  files.before = (operation) => {
    // A sync may hold the event loop or not.
    const { kind: found, name } = operation;
    const isMeant = found === kind || (kind === "sync" && found === "syncNow");
    if (isMeant && name.endsWith(".seg")) throw systemError(code);
  };
}

/** Lets nothing fail any more. */
export function repair(files: FaultyFileSystem): void {
  files.before = () => {};
}
