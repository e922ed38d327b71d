/** What text a key can hold.
 *
 * @module
 */

/** Finds what keeps a value from being text inside a key: its type, a NUL (the separator), or a
 * lone surrogate, which `TextEncoder` would fold into U+FFFD, so that two inputs would make one
 * key.
 *
 * @param text The value to look at.
 * @returns The fault, as the end of a sentence such as `hash is not a string`, or `undefined`.
 */
export function findTextFault(text: unknown): string | undefined {
  if (typeof text !== "string") return "is not a string";
  const nul = text.indexOf("\0");
  if (nul !== -1) return `contains NUL at index ${nul}`;
  if (!text.isWellFormed()) {
    // Under the u flag a pair is one code point, so this property matches the unpaired alone.
    return `contains a lone surrogate at index ${text.search(/\p{Surrogate}/u)}`;
  }
  return undefined;
}
