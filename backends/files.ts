/** The files of an engine: creating them, and what it means when that fails.
 *
 * @module
 */

import { dirname } from "@std/path";
import * as fs from "node:fs";
import { fileError, isSpaceError } from "../codec/_file_error.ts";
import { StoreError } from "../codec/error.ts";

/** Bytes of a file that are written anew at a time. */
const REWRITE_BYTES = 2 ** 20;
/** A write that did not fit leaves less space than this, unless much of it is written at a time. */
const PROBE_BYTES = 2 ** 20;
/** What one connection to a database opens at the most: the database, its log, its shared memory. */
const DESCRIPTORS_NEEDED = 4;

/** Creates a file for its owner alone, and its directory. Both libraries keep the mode of a file that they
 * find.
 *
 * @param content What is in it, durably.
 * @throws {StoreError} `NOT_EMPTY`: the file is there already; `NO_SPACE`, `IO`: it is not there.
 */
export async function createFile(path: string, content: Uint8Array): Promise<void> {
  let descriptor: number | undefined;
  try {
    fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    descriptor = fs.openSync(path, "wx", 0o600);
    writeAll(descriptor, content, 0);
    // An empty file has nothing that could be lost.
    if (content.length > 0) await syncDescriptor(descriptor);
  } catch (error) {
    if (descriptor !== undefined) fs.rmSync(path, { force: true });
    if (!isCode(error, "EEXIST")) throw fileError(`Cannot create ${path}`, error);
    const { message } = error as Error;
    throw new StoreError("NOT_EMPTY", `Cannot create ${path}: ${message}`, { cause: error });
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

function writeAll(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length;) {
    at += fs.writeSync(descriptor, bytes, at, bytes.length - at, position + at);
  }
}

/** Returns whether there is no space left beside a file, by trying: that also knows of quotas, and asks
 * for no further permission.
 *
 * @param bytes What has to fit in.
 */
export function isFileSystemFull(path: string, bytes: number = PROBE_BYTES): boolean {
  const probe = `${path}-probe`;
  let descriptor: number | undefined;
  try {
    descriptor = fs.openSync(probe, "w", 0o600);
    const zeros = new Uint8Array(Math.min(bytes, REWRITE_BYTES));
    for (let at = 0; at < bytes; at += zeros.length) writeAll(descriptor, zeros, at);
    return false;
  } catch (error) {
    return isSpaceError(error);
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
    fs.rmSync(probe, { force: true });
  }
}

/** Returns whether the process can open hardly any more files, by trying.
 *
 * @param directory Opened in place of files: closing a file would drop locks that the process has on it.
 */
export function areDescriptorsScarce(directory: string): boolean {
  const opened: number[] = [];
  try {
    while (opened.length < DESCRIPTORS_NEEDED) opened.push(fs.openSync(directory, "r"));
    return false;
  } catch (error) {
    return isCode(error, "EMFILE") || isCode(error, "ENFILE");
  } finally {
    for (const descriptor of opened) fs.closeSync(descriptor);
  }
}

function isCode(error: unknown, code: string): boolean {
  return (error as { code?: unknown }).code === code;
}

/** Makes the content of a file durable, on another thread.
 *
 * Errors of the disk are reported once for each descriptor: the one that is given must not be synced
 * by anybody else.
 */
export function syncDescriptor(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fdatasync(descriptor, (error) => error ? reject(error) : resolve());
  });
}

/** Makes the names in a directory durable, on another thread. */
export async function syncNames(directory: string): Promise<void> {
  // Windows has no way to sync a directory, and keeps its names durable without being asked.
  if (process.platform === "win32") return;
  const descriptor = fs.openSync(directory, "r");
  try {
    await syncDescriptor(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Writes the first bytes of a file anew where they are, and makes them durable.
 *
 * After a failed write to the disk the system keeps showing what it holds in memory, and takes it for
 * written. So what is read after a crash proves nothing about the disk until it is written again.
 *
 * @param path The file; one that is missing is left so.
 * @param bytesMax How much of it; all by default.
 */
export async function rewriteDurably(path: string, bytesMax = Infinity): Promise<void> {
  if (!fs.existsSync(path)) return;
  const descriptor = fs.openSync(path, "r+");
  try {
    const size = Math.min(fs.fstatSync(descriptor).size, bytesMax);
    const buffer = new Uint8Array(Math.min(size, REWRITE_BYTES));
    for (let at = 0; at < size;) {
      const bytes = buffer.subarray(0, Math.min(buffer.length, size - at));
      const read = fs.readSync(descriptor, bytes, 0, bytes.length, at);
      if (read === 0) break;
      writeAll(descriptor, bytes.subarray(0, read), at);
      at += read;
    }
    await syncDescriptor(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}
