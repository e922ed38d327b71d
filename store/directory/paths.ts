/** The directories that callers name: what has to be there, and what must not be.
 *
 * @module
 */

import { basename, dirname, join } from "@std/path";
import * as fs from "node:fs";
import { REPAIR } from "../../codec/_advice.ts";
import { StoreError } from "../../codec/error.ts";
import { fileError } from "../../codec/_file_error.ts";
import { nodeFileSystem } from "../../journal/file_system.ts";
import { isPermitted } from "../../runtime/permission.ts";
import {
  CREATING_FILE,
  nameBefore,
  PART_DIRECTORIES,
  REPAIRED_INFIX,
  UNFINISHED_INFIX,
} from "./layout.ts";
import { isForeignManifest, MANIFEST_FILE } from "./manifest.ts";

/** Refuses a path where a file is in the way of a directory, itself or above.
 *
 * @throws {StoreError} `NOT_EMPTY`.
 */
export function requireNoFile(what: string, directory: string): void {
  for (let path = directory; path !== dirname(path); path = dirname(path)) {
    const found = lookAt(path);
    if (found?.isDirectory()) return;
    if (found === undefined) continue;
    throw new StoreError(
      "NOT_EMPTY",
      `${what}: ${path} is a file, not a directory; name a directory, which may be absent`,
    );
  }
}

/** Makes the name of a directory durable, and those of the directories above it: a caller may have made
 * them just before, and what is synced in a directory is of no use when the power takes its name. One
 * that must not be read ends the way up.
 */
export function syncNamesAbove(directory: string): void {
  for (let path = directory; path !== dirname(path); path = dirname(path)) {
    const parent = dirname(path);
    if (!isPermitted({ name: "read", path: parent }) || !isReadable(parent)) return;
    nodeFileSystem.syncDirectory(parent);
  }
}

function isReadable(path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Refuses the directory of a backup that was cut off, or of a repair, also where it is not empty.
 *
 * @throws {StoreError} `CORRUPT`.
 */
export function requireFinished(what: string, directory: string): void {
  const store = nameBefore(REPAIRED_INFIX, directory);
  const reason = nameBefore(UNFINISHED_INFIX, directory) !== undefined
    ? "is a backup or a repair that was not finished; remove it"
    : store !== undefined
    ? `is a repaired store that has not got its place yet; open ${join(dirname(directory), store)}`
    : undefined;
  if (reason !== undefined) throw new StoreError("CORRUPT", `${what}: ${directory} ${reason}`);
}

/** What systems and libraries say of a file that must not be written. */
const NOT_WRITABLE = /\b(EROFS|EACCES|EPERM)\b|permission denied|read-?only/i;

/** Explains an error that comes of a directory that cannot be written; returns any other as it is. */
export function explainReadOnly(what: string, directory: string, error: unknown): unknown {
  if (!(error instanceof StoreError) || error.code !== "IO") return error;
  if (!NOT_WRITABLE.test(error.message)) return error;
  return new StoreError(
    "IO",
    `${what}: ${directory} cannot be written, and an open store writes there, even to be read; ` +
      `make a store elsewhere with HybridStore.restore() (${error.message})`,
    { cause: error },
  );
}

/** Checks that a directory can become the target of a copy: absent, or empty.
 *
 * @throws {StoreError} `NOT_EMPTY`.
 */
export function requireEmptyTarget(what: string, target: string): void {
  requireNoFile(what, target);
  let names: string[];
  try {
    names = fs.readdirSync(target);
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return;
    throw fileError(what, error);
  }
  if (names.length === 0) return;
  throw new StoreError(
    "NOT_EMPTY",
    `${what}: ${target} holds ${names[0]} already; name a directory that is absent or empty`,
  );
}

/** Checks that the target of a copy does not lie in the directory of the store that is copied.
 *
 * @throws {StoreError} `NOT_EMPTY`.
 */
export function requireOutside(what: string, directory: string, target: string): void {
  const own = realPath(directory);
  for (let path = realPath(target);; path = dirname(path)) {
    if (path === own) break;
    if (path === dirname(path)) return;
  }
  throw new StoreError(
    "NOT_EMPTY",
    `${what}: ${target} lies in ${directory}, the store's own directory; name one outside it`,
  );
}

/** Checks that a directory holds a store, where none is to be created.
 *
 * @throws {StoreError} `NOT_FOUND`: it does not; `CORRUPT`: it has lost its manifest, or is a backup
 * that was not finished.
 */
export function requireStore(what: string, directory: string): void {
  requireFinished(what, directory);
  const found = lookAt(directory);
  const reason = found === undefined
    ? `${directory} does not exist`
    : !found.isDirectory()
    ? `${directory} is a file, not a directory`
    : whyNoStore(what, directory);
  if (reason === undefined) return;
  throw new StoreError(
    "NOT_FOUND",
    `${what}: ${reason}; name the directory of a store or of a backup`,
  );
}

/** Checks that a directory holds a store, or parts of one.
 *
 * @returns Whether anything in it was promised to anybody: not where its creation was cut off.
 * @throws {StoreError} `NOT_FOUND`; `CORRUPT`: it is a backup that was not finished.
 */
export function requireRemains(what: string, directory: string): boolean {
  requireFinished(what, directory);
  if (lookAt(directory)?.isDirectory()) {
    const names = fs.readdirSync(directory);
    const hasParts = PART_DIRECTORIES.some((part) => names.includes(part));
    if (!names.includes(MANIFEST_FILE) && names.includes(CREATING_FILE)) return false;
    if (!names.includes(MANIFEST_FILE) && hasParts) return true;
  }
  requireStore(what, directory);
  return true;
}

function whyNoStore(what: string, directory: string): string | undefined {
  const names = fs.readdirSync(directory);
  if (names.includes(MANIFEST_FILE)) {
    if (!isForeignManifest(directory)) return undefined;
    return `${join(directory, MANIFEST_FILE)} is another program's`;
  }
  const parts = PART_DIRECTORIES.filter((part) => names.includes(part));
  if (parts.length === 0) return `${directory} holds no store, as it has no ${MANIFEST_FILE}`;
  if (names.includes(CREATING_FILE)) return `the creation of ${directory} was not finished`;
  throw lostManifest(what, directory, parts);
}

/** Returns the refusal of a directory that has parts of a store and does not say what it is. */
export function lostManifest(
  what: string,
  directory: string,
  parts: readonly string[],
): StoreError {
  return new StoreError(
    "CORRUPT",
    `${what}: ${directory} holds ${parts.join(", ")} but no ${MANIFEST_FILE}; ${REPAIR}`,
  );
}

/** Returns what is at a path, `undefined` where nothing is, or nothing that can be looked at. */
function lookAt(path: string): fs.Stats | undefined {
  try {
    return fs.statSync(path);
  } catch {
    return undefined;
  }
}

/** Returns where a path leads, which need not be there yet. */
function realPath(path: string): string {
  try {
    return fs.realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}
