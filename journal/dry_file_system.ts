/** File access that changes nothing, to find out what a recovery would do.
 *
 * @module
 */

import type { JournalFile, JournalFileSystem } from "./file_system.ts";

/** Returns file access that reads as another one does, but whose writes, cuts and removals have no effect.
 *
 * @param fileSystem What is read through.
 */
export function dryFileSystem(fileSystem: JournalFileSystem): JournalFileSystem {
  return {
    ...fileSystem,
    makeDirectory() {},
    open: (path) => dryFile(fileSystem.open(path, "read")),
    create: () => NO_FILE,
    remove() {},
    syncDirectory() {},
    syncDirectoryAsync: () => Promise.resolve(),
  };
}

/** A file that was to be created. */
const NO_FILE: JournalFile = {
  size: () => 0,
  read: () => 0,
  write: (bytes) => bytes.length,
  truncate() {},
  sync: () => Promise.resolve(),
  syncNow() {},
  close() {},
};

function dryFile(file: JournalFile): JournalFile {
  return {
    size: () => file.size(),
    read: (target, position) => file.read(target, position),
    write: (bytes) => bytes.length,
    truncate() {},
    sync: () => Promise.resolve(),
    syncNow() {},
    close: () => file.close(),
  };
}
