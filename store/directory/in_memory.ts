/** Opening a store that is in memory alone: the parts of a store, over nothing that lasts.
 *
 * @module
 */

import { MAX_KEY_BYTES } from "../../codec/limits.ts";
import { openMemoryEngine } from "../../backends/memory.ts";
import { Router } from "../../codec/route.ts";
import { openWriter } from "../../journal/journal.ts";
import { memoryFileSystem } from "../../journal/memory_file_system.ts";
import type { Settings } from "../options.ts";
import type { Parts } from "./lifecycle.ts";
import { UNWATCHED } from "./unwatched.ts";

/** Segments are no longer than this: they take memory until all of one can go. */
const SEGMENT_BYTES_MAX = 4 * 1024 * 1024;

/** Opens the parts of a store in memory. */
export async function openMemoryParts(settings: Settings): Promise<Parts> {
  // The path is one of the file system in memory.
  const { writer, recovery } = await openWriter(memoryFileSystem(), "/journal", {
    segmentBytes: Math.min(settings.segmentBytes, SEGMENT_BYTES_MAX),
    salvage: false,
  });
  return {
    lock: { release() {} },
    ownership: UNWATCHED,
    router: new Router(settings.routes, settings.defaultEngine),
    keyBytesMax: MAX_KEY_BYTES,
    journal: writer,
    recovery,
    engines: { append: openMemoryEngine(), btree: openMemoryEngine() },
  };
}
