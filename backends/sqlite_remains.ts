/** What is left of an SQLite database of the B-tree side.
 *
 * SQLite itself checks the structure, and moves what is in the log into a copy. Rows are read as bytes,
 * because SQLite stops at the first damaged page and cannot say where the next sound one begins.
 *
 * @module
 */

import { join } from "@std/path";
import * as fs from "node:fs";
import { isTurnOver, nextTurn } from "../runtime/turn.ts";
import { DataFile, messageOf } from "./_data_file.ts";
import { readSqliteLayout, type SqliteRow, SqliteTreeWalk } from "./_sqlite_tree.ts";
import type { Entry } from "./engine.ts";
import { fileError } from "../codec/_file_error.ts";
import {
  type EngineRemains,
  lostKey,
  type LostKeys,
  PAGE_BYTES_MAX,
  PAGE_ENTRIES_MAX,
} from "./remains.ts";
import { openSqlite, openSqliteImmutable, type SqliteDatabase } from "./sqlite_driver.ts";
import { findSqliteFaults, SCHEMA } from "./sqlite_schema.ts";

/** The root pages of a database that this package created. */
const ROOTS = { entries: 2, meta: 3 };
const EVERYTHING: LostKeys = { from: undefined, to: undefined };

/** Reads what is left of a database. Nothing may write it meanwhile.
 *
 * A database without a log is opened in a way that changes nothing. One with a log is copied first.
 * Costs a read of everything in one call, and each `read` as much again.
 *
 * @param path The database file; it may be missing.
 * @param scratch A directory that has room for a copy.
 * @throws {StoreError} `NO_SPACE`, `IO`: it could not be copied.
 */
export function examineSqlite(path: string, scratch: string): EngineRemains {
  if (!fs.existsSync(path)) return new SqliteRemains(path, [`${path} is missing`], ROOTS);
  const log = fs.statSync(`${path}-wal`, { throwIfNoEntry: false });
  const isLogged = log !== undefined && log.size > 0;
  const found = new Findings(path);
  // Where there is a log, it has what the database lacks.
  if (!isLogged) found.requireWhole();
  const copy = isLogged || found.faults.length > 0 ? copyDatabase(path, scratch) : undefined;
  try {
    if (copy !== undefined) completePages(copy.path);
    found.look(copy?.path ?? path, () => copy ? openSqlite(copy.path) : openSqliteImmutable(path));
    return new SqliteRemains(copy?.path ?? path, found.faults, found.roots, copy?.remove);
  } catch (error) {
    copy?.remove();
    throw error;
  }
}

/** What SQLite says of a database. */
class Findings {
  readonly faults: string[] = [];
  /** Where the trees of both tables begin, `undefined` for a database of another program. */
  roots: typeof ROOTS | undefined = ROOTS;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  requireWhole(): void {
    const file = new DataFile(this.#path);
    try {
      const { pageBytes, pages } = readSqliteLayout(file);
      if (file.size % pageBytes === 0 && statedPages(file) <= pages) return;
      this.faults.push(`${this.#path} was cut at page ${pages + 1}`);
    } finally {
      file.close();
    }
  }

  look(path: string, open: () => SqliteDatabase): void {
    let database: SqliteDatabase | undefined;
    try {
      database = open();
      const sql = "SELECT name, sql, rootpage FROM sqlite_schema ORDER BY name";
      const tables = database.prepare(sql).rows().filter(([name]) =>
        name === "entries" || name === "meta"
      );
      const isOurs = tables.map(([, sql]) => sql).join() === SCHEMA.join();
      this.roots = isOurs
        ? { entries: tables[0]![2] as number, meta: tables[1]![2] as number }
        : undefined;
      if (!isOurs) return void this.faults.push(`${this.#path} is not part of a store`);
      this.faults.push(...findSqliteFaults(this.#path, (sql) => database!.prepare(sql).rows()));
      // Into a copy: what is read as bytes has to have everything.
      if (path !== this.#path) database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").rows();
    } catch (error) {
      this.faults.push(`${this.#path}: ${messageOf(error)}`);
    } finally {
      try {
        database?.close();
      } catch {
        // Nothing was written that is needed.
      }
    }
  }
}

/** Returns how many pages the header of a database says there are, 0 where it says nothing sensible. */
function statedPages(file: DataFile): number {
  const bytes = new Uint8Array(4);
  if (file.read(bytes, 28) !== undefined) return 0;
  const pages = new DataView(bytes.buffer).getUint32(0);
  // A damaged header must not make a file of terabytes.
  return pages <= 2 * (file.size / 512) + 1024 ? pages : 0;
}

function copyDatabase(path: string, scratch: string): { path: string; remove: () => void } {
  let directory: string | undefined;
  const remove = () => {
    if (directory !== undefined) fs.rmSync(directory, { recursive: true, force: true });
  };
  try {
    directory = fs.mkdtempSync(join(scratch, "sqlite-"));
    const copy = join(directory, "data.sqlite");
    for (const suffix of ["", "-wal"]) {
      if (fs.existsSync(path + suffix)) fs.copyFileSync(path + suffix, copy + suffix);
    }
    // A copy of what may only be read may be written.
    fs.chmodSync(copy, 0o600);
    return { path: copy, remove };
  } catch (error) {
    remove();
    throw fileError(`Cannot copy ${path}`, error);
  }
}

/** Makes zeros of what is missing of a database, which SQLite knows to be no pages. What is left of half a
 * page it would complete with zeros in silence. */
function completePages(path: string): void {
  const file = new DataFile(path);
  let sizes: { whole: number; said: number };
  try {
    const { pageBytes, pages } = readSqliteLayout(file);
    sizes = { whole: pages * pageBytes, said: statedPages(file) * pageBytes };
  } finally {
    file.close();
  }
  fs.truncateSync(path, sizes.whole);
  if (sizes.said > sizes.whole) fs.truncateSync(path, sizes.said);
}

class SqliteRemains implements EngineRemains {
  readonly faults: readonly string[];
  readonly identity: string | undefined;
  readonly position: bigint | undefined;
  readonly note: string | undefined;
  readonly #path: string;
  readonly #roots: typeof ROOTS | undefined;
  readonly #onClose: () => void;

  constructor(
    path: string,
    faults: readonly string[],
    roots: typeof ROOTS | undefined,
    onClose: () => void = () => {},
  ) {
    this.#path = path;
    this.faults = faults;
    this.#roots = roots;
    this.#onClose = onClose;
    const meta = this.#meta();
    this.identity = meta.get("identity");
    this.note = meta.get("note");
    const position = meta.get("position");
    this.position = position && /^\d{1,20}$/.test(position) ? BigInt(position) : undefined;
  }

  get isEngine(): boolean {
    return this.#roots !== undefined && (this.#roots !== ROOTS || this.identity !== undefined);
  }

  async read(
    wants: "keys" | "entries",
    onPage: (entries: Entry[]) => void | Promise<void>,
  ): Promise<LostKeys[]> {
    const lost: LostKeys[] = [];
    let page: Entry[] = [];
    let bytes = 0;
    for (const { key, value: read } of this.#rows("entries", lost)) {
      const value = wants === "keys" ? new Uint8Array(0) : read();
      if (value === undefined) {
        lost.push(lostKey(key));
        continue;
      }
      page.push({ key, value });
      bytes += key.length + value.length;
      if (page.length >= PAGE_ENTRIES_MAX || bytes >= PAGE_BYTES_MAX) {
        await onPage(page);
        page = [];
        bytes = 0;
      }
      if (isTurnOver()) await nextTurn();
    }
    if (page.length > 0) await onPage(page);
    // A root that is another page of the tree, say: nothing that was left out shows where.
    if (lost.length === 0 && this.faults.length > 0) lost.push(EVERYTHING);
    return lost;
  }

  close(): void {
    this.#onClose();
  }

  #meta(): Map<string, string> {
    const decoder = new TextDecoder();
    const found = new Map<string, string>();
    for (const { key, value: read } of this.#rows("meta", [])) {
      const value = read();
      if (value !== undefined) found.set(decoder.decode(key), decoder.decode(value));
    }
    return found;
  }

  *#rows(table: keyof typeof ROOTS, lost: LostKeys[]): Generator<SqliteRow> {
    if (this.#roots === undefined || !fs.existsSync(this.#path)) {
      lost.push(EVERYTHING);
      return;
    }
    const file = new DataFile(this.#path);
    try {
      const walk = new SqliteTreeWalk(file, readSqliteLayout(file), ({ low, high }) => {
        // The bound below is a row that is there.
        lost.push({ from: low && lostKey(low).to, to: high });
      });
      yield* walk.rows(this.#roots[table]);
    } finally {
      file.close();
    }
  }
}
