import { closeSync, cpSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { isFileLocked, lockFile, unlockFile } from "../../runtime/file_lock.ts";
import { loadLibc } from "../../runtime/libc.ts";
import { tempDirectory } from "../support/temp.ts";

const skip = loadLibc() === undefined && "there is no way to the C library here";

test("Bun and Deno find the C library", {
  skip: process.platform !== "linux" && process.platform !== "darwin" && "not a POSIX system",
}, () => {
  assertEquals(skip, false);
  assertEquals(loadLibc()!.fcntl(9999, 1, 0), -1);
  const BAD_DESCRIPTOR = 9;
  assertEquals(loadLibc()!.errno(), BAD_DESCRIPTOR);
});

test("the lock of a file is exclusive, and survives that the file is read", { skip }, () => {
  using temp = tempDirectory();
  const path = join(temp.path, "directory", "file");
  mkdirSync(join(temp.path, "directory"));
  writeFileSync(path, "text");
  const [one, other] = [openSync(path, "a+"), openSync(path, "r")];
  assertEquals(lockFile(one, path), "taken");
  assertEquals(lockFile(other, path), "held");
  readFileSync(path);
  cpSync(join(temp.path, "directory"), join(temp.path, "copy"), { recursive: true });
  closeSync(openSync(path, "r+"));
  assertEquals(lockFile(other, path), "held");
  assertEquals([isFileLocked(path), isFileLocked(`${path}-none`)], [true, false]);
  unlockFile(one);
  assertEquals(isFileLocked(path), false);
  assertEquals(lockFile(other, path), "taken");
  closeSync(other);
  assertEquals(lockFile(one, path), "taken");
  closeSync(one);
});

test("what is not an open file has no lock", { skip }, () => {
  using temp = tempDirectory();
  const path = join(temp.path, "file");
  writeFileSync(path, "");
  assertEquals(lockFile(9999, path), "unsupported");
});
