import { assertionKey, mvKey } from "../../mod.ts";

const encoder = new TextEncoder();

/** Returns text as bytes. */
export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Returns a key of the append side. Keys sort as their numbers do. */
export function appendKey(number: number): Uint8Array {
  return assertionKey("subject", `${number}`.padStart(6, "0"));
}

/** Returns a key of the B-tree side. Keys sort as their numbers do, behind those of the other side. */
export function btreeKey(number: number): Uint8Array {
  return mvKey("subject", `${number}`.padStart(6, "0"));
}

/** Returns the keys of entries. */
export function keysOf(entries: Iterable<{ key: Uint8Array }>): Uint8Array[] {
  return Array.from(entries, ({ key }) => key);
}
