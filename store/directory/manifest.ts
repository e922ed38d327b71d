/** The manifest: what a store is, in `manifest.json`.
 *
 * | field | meaning |
 * |---|---|
 * | `format` | the version of the store's format, 1 or 2 |
 * | `identity` | names the store; both engines carry it too |
 * | `created` | when, in ISO 8601 |
 * | `routes` | the routes that every key was stored by; prefixes in hexadecimal |
 * | `defaultEngine` | where keys without a route are; since format 2 |
 * | `keyBytesMax` | bytes of the longest key; since format 2 |
 * | `previous` | only while a copy gets an identity of its own: those that its parts may carry as well |
 * | `checksum` | CRC32C of the JSON of the fields above, in this order, 8 hex digits |
 *
 * Whatever an older version would misread gets another format, which it refuses. Format 2 also has cursors, in
 * the journal and on the B-tree side; a store of format 1 becomes one of format 2 with its first cursor.
 *
 * @module
 */

import { dirname, join } from "@std/path";
import * as fs from "node:fs";
import { REPAIR } from "../../codec/_advice.ts";
import { StoreError } from "../../codec/error.ts";
import { MAX_KEY_BYTES } from "../../codec/limits.ts";
import { type EngineName, type Route, Router } from "../../codec/route.ts";
import { crc32c } from "../../journal/digest.ts";
import { fileError } from "../../codec/_file_error.ts";
import { nodeFileSystem } from "../../journal/file_system.ts";
import { PART_DIRECTORIES } from "./layout.ts";

/** The name of the manifest. */
export const MANIFEST_FILE = "manifest.json";

/** The version of the format that new stores get, and the oldest one that this code reads. */
export const STORE_FORMAT = 2;
const OLDEST_FORMAT = 1;
/** What format 1 took for granted. */
const FIRST_KEY_BYTES_MAX = 1978;

/** What a store is. */
export interface Manifest {
  readonly format: number;
  readonly identity: string;
  readonly created: string;
  readonly router: Router;
  readonly keyBytesMax: number;
  readonly previous?: readonly string[];
}

/** The manifest as JSON, but for its checksum. */
interface Fields {
  format: number;
  identity: string;
  created: string;
  routes: ({ tag: string; engine: EngineName } | { prefix: string; engine: EngineName })[];
  defaultEngine?: EngineName;
  keyBytesMax?: number;
  previous?: readonly string[];
}

/** Returns the manifest of a store that is made now. */
export function newManifest(router: Router, identity: string): Manifest {
  const created = new Date().toISOString();
  return { format: STORE_FORMAT, identity, created, router, keyBytesMax: MAX_KEY_BYTES };
}

function fieldsOf({ format, identity, created, router, keyBytesMax, previous }: Manifest): Fields {
  return {
    ...{ format, identity, created },
    routes: router.routes.map((route) =>
      "tag" in route
        ? { tag: route.tag, engine: route.engine }
        : { prefix: Buffer.from(route.prefix).toString("hex"), engine: route.engine }
    ),
    ...(format > 1 && { defaultEngine: router.defaultEngine, keyBytesMax }),
    ...(previous && { previous }),
  };
}

function manifestOf(fields: Fields): Manifest {
  const { format, identity, created, defaultEngine, keyBytesMax, previous } = fields;
  const routes = fields.routes.map((route): Route =>
    "tag" in route
      ? route
      : { prefix: new Uint8Array(Buffer.from(route.prefix, "hex")), engine: route.engine }
  );
  return {
    ...{ format, identity, created },
    router: new Router(routes, defaultEngine),
    keyBytesMax: keyBytesMax ?? FIRST_KEY_BYTES_MAX,
    ...(previous && { previous }),
  };
}

function checksumOf(fields: Fields): string {
  return crc32c(new TextEncoder().encode(JSON.stringify(fields))).toString(16).padStart(8, "0");
}

/** Returns whether the manifest of a directory was written by another program: many have a file of this
 * name. Where parts of a store are, it is ours, and damaged.
 *
 * @param text What is in it, where it was read already: the store may have been destroyed since.
 */
export function isForeignManifest(directory: string, text?: string): boolean {
  if (PART_DIRECTORIES.some((part) => fs.existsSync(join(directory, part)))) return false;
  try {
    const found = JSON.parse(text ?? fs.readFileSync(join(directory, MANIFEST_FILE), "utf8"));
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
  if (isForeignManifest(directory, text)) throw foreign(directory, path);
  let found: Fields;
  let isAsWritten: boolean;
  try {
    const { checksum, ...fields } = JSON.parse(text) as Fields & { checksum: unknown };
    found = fields;
    const { format } = fields;
    if (Number.isInteger(format) && (format > STORE_FORMAT || format < OLDEST_FORMAT)) {
      throw unsupported(path, format);
    }
    isAsWritten = checksum === checksumOf(fields);
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw damaged(path, error);
  }
  if (!isAsWritten) throw damaged(path, undefined);
  return manifestOf(found);
}

function foreign(directory: string, path: string): StoreError {
  return new StoreError(
    "NOT_EMPTY",
    `Cannot open store ${directory}: ${path} is another program's, so this is not a store; name ` +
      "another directory",
  );
}

function unsupported(path: string, format: number): StoreError {
  return new StoreError(
    "UNSUPPORTED",
    `Cannot read ${path}: its format is ${format}, this version of the store reads ` +
      `${OLDEST_FORMAT} to ${STORE_FORMAT}; use the version that wrote it`,
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
  const fields = fieldsOf(manifest);
  const text = JSON.stringify({ ...fields, checksum: checksumOf(fields) }, undefined, 2);
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
