/** The examination of a closed store: what is in its directory, what belongs together, and what is wrong,
 * without changing a file and without opening an engine.
 *
 * @module
 */

import { join } from "@std/path";
import { LMDB_FILE } from "../../backends/lmdb_file.ts";
import { examineLmdb } from "../../backends/lmdb_remains.ts";
import type { EngineRemains, LostKeys } from "../../backends/remains.ts";
import { SQLITE_FILE } from "../../backends/sqlite_file.ts";
import { examineSqlite } from "../../backends/sqlite_remains.ts";
import { StoreError } from "../../codec/error.ts";
import type { EngineName } from "../../codec/route.ts";
import { loadDigests } from "../../journal/digest.ts";
import { JournalRemains } from "./journal_remains.ts";
import { APPEND_DIRECTORY, BTREE_DIRECTORY, JOURNAL_DIRECTORY } from "../directory/layout.ts";
import { showKey } from "../limits.ts";
import { type Manifest, MANIFEST_FILE, readManifest } from "../directory/manifest.ts";
import type { VerifyFault, VerifyOptions } from "../types.ts";

/** The names of both sides. */
export const SIDES = ["append", "btree"] as const;

/** What the directory of a closed store holds. */
export interface Examination {
  /** `undefined` where it is missing or damaged. */
  readonly manifest: Manifest | undefined;
  /** The store that the parts belong to, `undefined` where they do not agree. */
  readonly identity: string | undefined;
  readonly engines: Readonly<Record<EngineName, EngineRemains>>;
  readonly journal: JournalRemains;
  /** Whether a part is of this store, as far as it can be told. */
  readonly isOwn: Readonly<Record<EngineName | "journal", boolean>>;
  /** What opening the store would make of the journal, `undefined` where it would refuse it. */
  readonly recovered: Pick<JournalRemains, "segments"> & { readonly end: bigint } | undefined;
  readonly faults: readonly VerifyFault[];
  /** The journal position below which both engines have everything. */
  readonly needed: bigint;
  /** Releases what was needed to read it. */
  close(): void;
}

/** Examines a directory, whose lock the caller holds.
 *
 * @param scratch A directory that has room for a copy of the B-tree side, where that has a log.
 * @throws {StoreError} `UNSUPPORTED`: another version wrote it; `NO_SPACE`, `IO`.
 */
export async function examineStore(
  directory: string,
  scratch: string,
  onProgress: NonNullable<VerifyOptions["onProgress"]>,
): Promise<Examination> {
  await loadDigests();
  const faults: VerifyFault[] = [];
  const manifest = examineManifest(directory, faults);
  const append = await examineLmdb(join(directory, APPEND_DIRECTORY, LMDB_FILE), (done, total) => {
    onProgress({ part: "append", step: "check", done, total });
  });
  const btree = examineSqlite(join(directory, BTREE_DIRECTORY, SQLITE_FILE), scratch);
  try {
    onProgress({ part: "btree", step: "check", done: 1, total: 1 });
    const engines = { append, btree };
    for (const name of SIDES) {
      for (const message of engines[name].faults) faults.push({ part: name, message });
    }
    const journal = new JournalRemains(join(directory, JOURNAL_DIRECTORY));
    // A copy that is about to get an identity of its own has parts with both.
    const [appendIdentity, btreeIdentity, journalIdentity] = [append, btree, journal].map((part) =>
      part.identity !== undefined && manifest?.previous?.includes(part.identity)
        ? manifest.identity
        : part.identity
    );
    const identity = findIdentity(manifest, [appendIdentity, btreeIdentity, journalIdentity]);
    const isOwn = {
      append: isOwnEngine("append", append, appendIdentity, identity, faults),
      btree: isOwnEngine("btree", btree, btreeIdentity, identity, faults),
      journal: isOwnJournal(journal, journalIdentity, identity, faults),
    };
    if (manifest !== undefined && manifest.identity !== identity) {
      faults.push({ part: "manifest", message: `${MANIFEST_FILE} belongs to another store` });
    }
    const positions = SIDES.map((name) => isOwn[name] ? engines[name].position ?? 0n : 0n);
    const needed = positions.reduce((a, b) => a < b ? a : b);
    const recovered = recoverDry(journal, needed, faults);
    for (const name of SIDES) {
      if (isOwn[name]) checkPosition(name, engines[name], recovered, faults);
    }
    return {
      needed,
      manifest,
      identity,
      engines,
      journal,
      isOwn,
      recovered,
      faults,
      close: () => btree.close(),
    };
  } catch (error) {
    btree.close();
    throw error;
  }
}

function examineManifest(directory: string, faults: VerifyFault[]): Manifest | undefined {
  try {
    const manifest = readManifest(directory);
    if (manifest !== undefined) return manifest;
    faults.push({ part: "manifest", message: `${join(directory, MANIFEST_FILE)} is missing` });
  } catch (error) {
    if (!(error instanceof StoreError) || error.code === "UNSUPPORTED") throw error;
    const message = `${join(directory, MANIFEST_FILE)} is not as written`;
    faults.push({ part: "manifest", message });
  }
  return undefined;
}

/** Returns the identity of the store: what its manifest says, unless the parts agree on another one. */
function findIdentity(
  manifest: Manifest | undefined,
  found: readonly (string | undefined)[],
): string | undefined {
  const parts = found.filter((identity) => identity !== undefined);
  if (manifest !== undefined && parts.includes(manifest.identity)) return manifest.identity;
  const agreed = parts.find((identity, index) => parts.indexOf(identity) !== index);
  if (agreed !== undefined || manifest !== undefined) return agreed ?? manifest!.identity;
  return parts.length === 1 ? parts[0] : undefined;
}

function isOwnEngine(
  part: EngineName,
  { isEngine, faults: damage }: EngineRemains,
  found: string | undefined,
  identity: string | undefined,
  faults: VerifyFault[],
): boolean {
  if (isEngine && found === undefined && damage.length > 0) {
    faults.push({ part, message: "which store it belongs to cannot be read" });
    return true;
  }
  if (found !== undefined && found !== identity) {
    faults.push({ part, message: "it belongs to another store" });
  } else if (!isEngine && damage.length === 0) {
    faults.push({ part, message: "it is not part of a store" });
  }
  return isEngine && found !== undefined && found === identity;
}

function isOwnJournal(
  { directory, segments }: JournalRemains,
  found: string | undefined,
  identity: string | undefined,
  faults: VerifyFault[],
): boolean {
  if (segments.length === 0) {
    faults.push({ part: "journal", message: `${directory} has no segment` });
    return false;
  }
  if (found === identity) return true;
  const reason = found === undefined
    ? "does not say which store it belongs to"
    : "belongs to another store";
  faults.push({ part: "journal", message: `${directory} ${reason}` });
  return found === undefined;
}

function recoverDry(
  journal: JournalRemains,
  from: bigint,
  faults: VerifyFault[],
): Examination["recovered"] {
  if (journal.segments.length === 0) return undefined;
  const recovered = journal.recover(from);
  if (!(recovered instanceof StoreError)) return recovered;
  faults.push({ part: "journal", message: recovered.message });
  return undefined;
}

function checkPosition(
  part: EngineName,
  { position }: EngineRemains,
  recovered: Examination["recovered"],
  faults: VerifyFault[],
): void {
  if (position === undefined) {
    faults.push({ part, message: "its journal position cannot be read" });
    return;
  }
  if (recovered === undefined) return;
  const { segments: [first], end } = recovered;
  if (first === undefined || position >= first.base && position <= end) return;
  const journal = `the journal runs from ${first.base} to ${end}`;
  faults.push({
    part,
    message: `it was written up to journal position ${position}, and ${journal}`,
  });
}

/** Returns a range of keys as the subject of a sentence: `keys from "a" to before "c"`. */
export function describeLost({ from, to }: LostKeys): string {
  if (from === undefined && to === undefined) return "any keys";
  if (from === undefined) return `keys before ${showKey(to!)}`;
  const isOneKey = to?.length === from.length + 1 &&
    from.every((byte, index) => byte === to[index]);
  if (isOneKey && to!.at(-1) === 0) return `key ${showKey(from)}`;
  return `keys from ${showKey(from)} on${to === undefined ? "" : `, before ${showKey(to)}`}`;
}
