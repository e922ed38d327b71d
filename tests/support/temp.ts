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

/** Creates an empty directory. */
export function tempDirectory(): TempDirectory {
  const path = mkdtempSync(join(tmpdir(), "hybridstore-test-"));
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
