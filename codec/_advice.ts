/** What messages about damage advise.
 *
 * @module
 */

/** The end of every message about damage that a repair can handle.
 *
 * @internal
 */
export const REPAIR = "call HybridStore.repair() on the closed store, or restore a backup";
