/** Stores over parts of a test's own: engines and file systems that fail on request. */

import { HybridStore } from "../../mod.ts";
import type { Parts } from "../../store/directory/lifecycle.ts";
import { RECORD_HEADER_BYTES } from "../../journal/record.ts";
import { OpenStore } from "../../store/open.ts";
import type { Settings } from "../../store/options.ts";
import { writeBytes } from "../../store/payload.ts";

/** Returns the bytes of the journal that a put takes which is alone in its record. */
export function recordBytes(key: Uint8Array, value: Uint8Array): number {
  return RECORD_HEADER_BYTES + writeBytes(key, value);
}

export { UNWATCHED } from "../../store/directory/unwatched.ts";

/** Starts a store on open parts, as `HybridStore.open` does with those of a directory. */
export async function startStore(
  directory: string,
  parts: Parts,
  settings: Settings,
): Promise<HybridStore> {
  const open = await OpenStore.start(parts, settings);
  // Its constructor is private: nobody but a test has parts of its own.
  return Reflect.construct(HybridStore, [directory, open, () => {}]);
}
