/** The types of routes.
 *
 * @module
 */

/** Names an engine: `"append"` is LMDB, for keys that are mostly written; `"btree"` is SQLite, for
 * keys that are mostly read.
 *
 * @category Routes
 */
export type EngineName = "append" | "btree";

/** Sends the keys with one tag to one engine.
 *
 * @category Routes
 */
export type TagRoute = {
  /** The tag with its colon, such as `"VC:"`. The colon is its last character and its only one. */
  tag: string;
  /** The engine that holds the keys with this tag. */
  engine: EngineName;
};

/** Sends the keys that begin with some bytes to one engine, whatever their tag is.
 *
 * @category Routes
 */
export type PrefixRoute = {
  /** What the keys begin with, at least one byte. */
  prefix: Uint8Array;
  /** The engine that holds them. */
  engine: EngineName;
};

/** Sends keys to an engine, by their tag or by what they begin with.
 *
 * @category Routes
 */
export type Route = TagRoute | PrefixRoute;
