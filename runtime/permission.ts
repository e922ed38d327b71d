/** What Deno permits without asking its user.
 *
 * @module
 */

/** Something that Deno may refuse: `{ name: "read", path: "data" }`. */
export interface Permission {
  readonly name: "env" | "ffi" | "read" | "sys";
  readonly path?: string;
}

/** Returns whether something is permitted already, so that the user is not asked for what is optional. Other
 * runtimes permit everything.
 */
export function isPermitted(permission: Permission): boolean {
  const { Deno } = globalThis as {
    Deno?: { permissions: { querySync(descriptor: object): { state: string } } };
  };
  return Deno === undefined || Deno.permissions.querySync(permission).state === "granted";
}
