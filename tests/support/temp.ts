import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "@std/path";

/** A directory for one test, removed with all that is in it when its scope ends:
 * `using temp = tempDirectory();`
 */
export interface TempDirectory extends Disposable {
  /** The path of the directory, which exists and is empty. */
  readonly path: string;
}

/** For a Deno that has not all permissions, which gets at nothing below this directory. */
const FORBIDDEN = "/dev/";

/** Creates an empty directory.
 *
 * @param isForDeno Whether a Deno has to get at it that has not all permissions.
 */
export function tempDirectory(isForDeno = false): TempDirectory {
  const isForbidden = isForDeno && tmpdir().startsWith(FORBIDDEN);
  const path = mkdtempSync(join(isForbidden ? "/tmp" : tmpdir(), "hybridstore-test-"));
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
