/** Level's interface (the npm package `abstract-level`) on a HybridStore, for Deno, Bun and Node: what was written for
 * Level runs on it.
 *
 * @example
 * ```ts
 * import { HybridLevel } from "@hybrid/store/level";
 * import { assertEquals } from "@std/assert";
 *
 * await using db = new HybridLevel(":memory:"); // or: new HybridLevel("./data/level")
 * const users = db.sublevel<string, { name: string }>("users", { valueEncoding: "json" });
 * await users.put("ada", { name: "Ada" });
 * for await (const [key, { name }] of users.iterator({ gte: "a", lt: "b" })) {
 *   assertEquals([key, name], ["ada", "Ada"]);
 * }
 * ```
 *
 * @module
 */

export { HybridLevel, type HybridLevelBatch } from "./level.ts";
export type { HybridLevelOptions, LevelWriteOptions } from "./options.ts";
