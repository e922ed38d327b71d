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
export type Route = {
  /** The tag with its colon, such as `"VC:"`. The colon is its last character and its only one. */
  tag: string;
  /** The engine that holds the keys with this tag. */
  engine: EngineName;
};
