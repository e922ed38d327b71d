/**
 * A stand-in for `@std/path`, for machines that reach npm but not JSR: the same names over
 * `node:path` and `node:url`. Only strings go in, where the real package also takes `URL` in places,
 * so that what compiles here compiles there.
 *
 * The published JSR package imports the real one; the npm package carries this file in its bundle.
 *
 * @module
 */
import * as path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The character that separates the parts of a path. */
export const SEPARATOR: "/" | "\\" = path.sep;

/** The character that separates the paths of a list such as `PATH`. */
export const DELIMITER: ":" | ";" = path.delimiter;

/** The parts of a path, as {@linkcode parse} returns them. */
export interface ParsedPath {
  /** The root, such as `/`. */
  root: string;
  /** The directory, root included. */
  dir: string;
  /** The last part, extension included. */
  base: string;
  /** The extension, with its dot. */
  ext: string;
  /** The last part without its extension. */
  name: string;
}

/** Returns the last part of a path, without the suffix where it ends in it. */
export function basename(file: string, suffix = ""): string {
  return path.basename(file, suffix);
}

/** Returns the directory of a path. */
export function dirname(file: string): string {
  return path.dirname(file);
}

/** Returns the extension of a path, with its dot. */
export function extname(file: string): string {
  return path.extname(file);
}

/** Returns the path that the parts make. */
export function format(parts: Partial<ParsedPath>): string {
  return path.format(parts);
}

/** Returns the path of a `file:` URL. */
export function fromFileUrl(url: string | URL): string {
  return fileURLToPath(url);
}

/** Returns whether a path starts at the root. */
export function isAbsolute(file: string): boolean {
  return path.isAbsolute(file);
}

/** Joins parts into one normalized path. */
export function join(...parts: string[]): string {
  return path.join(...parts);
}

/** Resolves `.` and `..` and removes doubled separators. */
export function normalize(file: string): string {
  return path.normalize(file);
}

/** Splits a path into its parts. */
export function parse(file: string): ParsedPath {
  return path.parse(file);
}

/** Returns the way from one path to another. */
export function relative(from: string, to: string): string {
  return path.relative(from, to);
}

/** Returns an absolute path, read from right to left. */
export function resolve(...parts: string[]): string {
  return path.resolve(...parts);
}

/** Returns the `file:` URL of an absolute path. */
export function toFileUrl(file: string): URL {
  // The real package refuses a relative path, where node:url resolves it.
  if (!path.isAbsolute(file)) {
    throw new TypeError(`Path must be absolute: received "${file}"`);
  }
  return pathToFileURL(file);
}

/** Returns the path in the form that Windows takes without a length limit; elsewhere as it is. */
export function toNamespacedPath(file: string): string {
  return path.toNamespacedPath(file);
}
