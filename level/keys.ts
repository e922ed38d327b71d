/** The keys of Level, of which one is empty, as keys of a store, of which none is.
 *
 * @module
 */

/** How keys of Level are named in the store. Both directions keep the order. */
export interface KeyNames {
  /** Returns a key as the store has it. */
  stored(key: Uint8Array): Uint8Array;
  /** Returns a key of the store as Level has it. */
  named(key: Uint8Array): Uint8Array;
}

/** The keys of a part of a store, which may be empty. */
export const SAME_NAMES: KeyNames = { stored: (key) => key, named: (key) => key };

/** The keys of a whole store: those of zeros alone, the empty one among them, have one zero more there. This is the
 * one way to keep the order, to give every key of either another one of the other, and to leave all others as
 * they are. */
export const WHOLE_STORE_NAMES: KeyNames = {
  stored: (key) => isZeros(key) ? new Uint8Array(key.length + 1) : key,
  named: (key) => isZeros(key) ? key.subarray(1) : key,
};

function isZeros(key: Uint8Array): boolean {
  for (let i = 0; i < key.length; i++) if (key[i] !== 0) return false;
  return true;
}
