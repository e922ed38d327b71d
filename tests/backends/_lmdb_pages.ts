/** LMDB files as an engine creates them, but with pages of another size. */

import { open } from "lmdb";
import * as fs from "node:fs";
import { join } from "@std/path";
import { encoding } from "../../backends/lmdb_reader.ts";

type Bytes = Uint8Array;

/** Creates the file of an engine that was never written to.
 *
 * @param position What it is said to have been written up to.
 */
export async function createWithPages(
  directory: string,
  pageSize: number,
  identity: string,
  position: bigint,
): Promise<void> {
  fs.mkdirSync(directory, { recursive: true });
  const environment = open<Bytes, Bytes>({
    path: directory,
    ...encoding,
    overlappingSync: false,
    pageSize,
  });
  environment.openDB<Bytes, Bytes>({ name: "entries", ...encoding });
  const meta = environment.openDB<Bytes, Bytes>({ name: "meta", ...encoding });
  const text = new TextEncoder();
  const encoded = new Uint8Array(8);
  new DataView(encoded.buffer).setBigUint64(0, position, true);
  const identified = meta.put(text.encode("identity"), text.encode(identity));
  await Promise.all([identified, meta.put(text.encode("position"), encoded)]);
  await environment.close();
}

/** Returns the page size that a data file states in its first meta page, after a look at the second. */
export function pageBytesOf(directory: string): number {
  const bytes = fs.readFileSync(join(directory, "data.mdb"));
  const pageBytes = bytes.readUInt32LE(48);
  const again = bytes.readUInt32LE(pageBytes + 48);
  if (again !== pageBytes) throw new Error(`${pageBytes} by page 0, ${again} by page 1`);
  return pageBytes;
}
