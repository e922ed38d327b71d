/** Assertions and their hashes.
 *
 * @module
 */

import { createBLAKE3 } from "hash-wasm";

/** Something that is claimed: a statement with its subject. */
export interface Assertion {
  readonly subject: string;
  readonly predicate: string;
  readonly object: string;
}

/** Returns the one JSON text of an assertion: keys sorted, no spaces, as RFC 8785 has it.
 *
 * It is both what is hashed and what is stored, so that anyone can check a stored assertion against
 * the hash in its key.
 */
export function canonicalJson({ object, predicate, subject }: Assertion): string {
  // JSON.stringify keeps the order in which the properties are written here.
  return JSON.stringify({ object, predicate, subject });
}

/** Returns the 32 bytes of the BLAKE3 digest. */
export type Hash = (bytes: Uint8Array) => Uint8Array;

/** Loads BLAKE3. One hasher serves all calls: starting it anew is cheap, creating it is not. */
export async function loadHash(): Promise<Hash> {
  const hasher = await createBLAKE3();
  return (bytes) => hasher.init().update(bytes).digest("binary");
}
