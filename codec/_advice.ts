/** The way back from damage, as messages name it.
 *
 * @module
 */

/** What a message about damage ends with, wherever the damage is met: there is one way back.
 *
 * @internal
 */
export const REPAIR = "call HybridStore.repair() on the closed store, or restore a backup";
