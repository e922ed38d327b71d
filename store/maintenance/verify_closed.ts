/** Verification of a store that is not open.
 *
 * @module
 */

import { tmpdir } from "node:os";
import { nodeFileSystem } from "../../journal/file_system.ts";
import { describeLost, type Examination, examineStore, SIDES } from "./examine.ts";
import { FaultLog } from "./fault_log.ts";
import { requireRemains } from "../directory/paths.ts";
import { ReadLock } from "../directory/read_lock.ts";
import type { VerifyOptions, VerifyReport } from "../types.ts";
import { verifyJournal } from "./verify_journal.ts";

/** Checks the store in a directory, which cannot be opened meanwhile, without changing anything in it.
 *
 * @throws {StoreError} `LOCKED`, `CORRUPT`: it is not a store; `UNSUPPORTED`, `NO_SPACE`, `IO`.
 */
export async function verifyClosed(
  what: string,
  directory: string,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const isPromised = requireRemains(what, directory);
  if (!isPromised) {
    return new FaultLog().report({ keys: { append: 0, btree: 0 }, journalRecords: 0 });
  }
  const lock = ReadLock.acquire(what, directory);
  try {
    const examination = await examineStore(directory, tmpdir(), options.onProgress ?? (() => {}));
    try {
      const { report } = await verifyExamined(examination, options);
      lock.requireUnchanged(what);
      return report;
    } finally {
      examination.close();
    }
  } finally {
    lock.release();
  }
}

/** Reads every key and every record of an examined store, and reports all that is wrong.
 *
 * @returns The report, and whether the store opens with everything all the same: what is wrong is in
 * records of the journal that both engines have.
 */
export async function verifyExamined(
  examination: Examination,
  { onProgress = () => {} }: VerifyOptions,
): Promise<{ report: VerifyReport; isWhole: boolean }> {
  const { engines, isOwn, manifest, recovered, faults, journal: remains, needed } = examination;
  const log = new FaultLog();
  for (const { part, message } of faults) log.add(part, message);
  const router = manifest?.router;
  const keys = { append: 0, btree: 0 };
  for (const name of SIDES) {
    if (!isOwn[name]) continue;
    let last: Uint8Array | undefined;
    const lost = await engines[name].read("keys", (page) => {
      for (const { key } of page) {
        if (router !== undefined) log.addKey(name, key, last, router);
        last = key;
      }
      keys[name] += page.length;
      onProgress({ part: name, step: "walk", done: keys[name] });
    });
    for (const range of lost) log.add(name, `${describeLost(range)} cannot be read`);
  }
  const isSoundBefore = log.isEmpty;
  let isJournalWhole = false;
  let journalRecords = 0;
  if (recovered !== undefined && recovered.segments.length > 0) {
    const journal = { ...recovered, fileSystem: nodeFileSystem };
    journalRecords = await verifyJournal(journal, {
      log,
      onProgress: (done, total) => onProgress({ part: "journal", step: "check", done, total }),
      requireOpen: () => {},
    });
    isJournalWhole = remains.endOf(needed).to >= recovered.end;
  }
  const report = log.report({ keys, journalRecords });
  return { report, isWhole: isSoundBefore && (report.ok || isJournalWhole) };
}
