/** The manifest: what a store is, in `manifest.json`.
 *
 * | field | meaning |
 * |---|---|
 * | `format` | the version of the directory's layout, 1 |
 * | `identity` | names the store; both engines carry it too |
 * | `created` | when, in ISO 8601 |
 * | `routes` | the routes that every key was stored by |
 * | `previous` | only while a copy gets an identity of its own: those that its parts may carry as well |
 * | `checksum` | CRC32C of the JSON of the fields above, 8 hex digits |
 *
 * @module
 */

import { dirname, join } from "@std/path";
import * as fs from "node:fs";
import { REPAIR } from "../../codec/_advice.ts";
import { StoreError } from "../../codec/error.ts";
import { type Route, Router } from "../../codec/route.ts";
import { crc32c } from "../../journal/digest.ts";
import { fileError } from "../../codec/_file_error.ts";
import { nodeFileSystem } from "../../journal/file_system.ts";
import { PART_DIRECTORIES } from "./layout.ts";

/** The name of the manifest. */
export const MANIFEST_FILE = "manifest.json";

/** The version of the directory's layout that this code reads and writes. */
export const STORE_FORMAT = 1;

/** What a store is. */
export interface Manifest {
  readonly format: number;
  readonly identity: string;
  readonly created: string;
  readonly routes: readonly Route[];
  readonly previous?: readonly string[];
}

function checksumOf({ format, identity, created, routes, previous }: Manifest): string {
  const fields = {
    format,
    identity,
    created,
    routes: routes.map(({ tag, engine }) => ({ tag, engine })),
    ...(previous && { previous }),
  };
  return crc32c(new TextEncoder().encode(JSON.stringify(fields))).toString(16).padStart(8, "0");
}

/** Returns whether the manifest of a directory was written by another program: many have a file of this
 * name. Where parts of a store are, it is ours, and damaged.
 */
export function isForeignManifest(directory: string): boolean {
  if (PART_DIRECTORIES.some((part) => fs.existsSync(join(directory, part)))) return false;
  try {
    const found = JSON.parse(fs.readFileSync(join(directory, MANIFEST_FILE), "utf8"));
    return !(Number.isInteger(found.format) && typeof found.identity === "string");
  } catch {
    return true;
  }
}

/** Returns the manifest of a directory, `undefined` where there is none.
 *
 * @throws {StoreError} `UNSUPPORTED`: it is of another format; `CORRUPT`: it is not as written;
 * `NOT_EMPTY`: it is another program's.
 */
export function readManifest(directory: string): Manifest | undefined {
  const path = join(directory, MANIFEST_FILE);
  let text: string;
  try {
    text = fs.readFileSync(path, "utf8");
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined;
    throw fileError(`Cannot read ${path}`, error);
  }
  if (isForeignManifest(directory)) throw foreign(directory, path);
  let found: Manifest & { checksum: unknown };
  let isAsWritten: boolean;
  try {
    found = JSON.parse(text);
    if (Number.isInteger(found.format) && found.format !== STORE_FORMAT) {
      throw unsupported(path, found);
    }
    isAsWritten = found.checksum === checksumOf(found);
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw damaged(path, error);
  }
  if (!isAsWritten) throw damaged(path, undefined);
  const { format, identity, created, routes, previous } = found;
  return {
    ...{ format, identity, created, routes: new Router(routes).routes },
    ...(previous && { previous }),
  };
}

function foreign(directory: string, path: string): StoreError {
  return new StoreError(
    "NOT_EMPTY",
    `Cannot open store ${directory}: ${path} is another program's, so this is not a store; name ` +
      "another directory",
  );
}

function unsupported(path: string, { format }: Manifest): StoreError {
  return new StoreError(
    "UNSUPPORTED",
    `Cannot read ${path}: its format is ${format}, this version of the store reads ` +
      `${STORE_FORMAT}; use the version that wrote it`,
  );
}

function damaged(path: string, cause: unknown): StoreError {
  return new StoreError("CORRUPT", `Cannot read ${path}: it is not as written; ${REPAIR}`, {
    cause,
  });
}

/** Writes a manifest: after a crash either all of it is there or none. */
export function writeManifest(directory: string, manifest: Manifest): void {
  const path = join(directory, MANIFEST_FILE);
  const text = JSON.stringify({ ...manifest, checksum: checksumOf(manifest) }, undefined, 2);
  replaceDurably(path, `${text}\n`);
}

/** Writes a small file as `writeDurably` does: after a crash it is there as it was or as it is to be. */
export function replaceDurably(path: string, text: string): void {
  writeDurably(`${path}.tmp`, text);
  try {
    fs.renameSync(`${path}.tmp`, path);
    nodeFileSystem.syncDirectory(dirname(path));
  } catch (error) {
    throw fileError(`Cannot write ${path}`, error);
  }
}

/** Writes a small file, for its owner alone, and returns once it is on disk. */
export function writeDurably(path: string, text: string): void {
  try {
    const descriptor = fs.openSync(path, "w", 0o600);
    try {
      fs.writeFileSync(descriptor, text);
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  } catch (error) {
    throw fileError(`Cannot write ${path}`, error);
  }
}
