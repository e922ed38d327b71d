import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { tempDirectory } from "../support/temp.ts";
import { Random } from "../support/random.ts";
import { Disk, type DiskOptions } from "./_disk.ts";
import { PAGE_BYTES } from "./_file.ts";
import { type Loss, LOSSES, writeImage } from "./_image.ts";
import { parseTrace } from "./_trace.ts";

const ROOT = "/root";
const IMAGES = 40;

function hex(bytes: string | Uint8Array): string {
  return Array.from(Buffer.from(bytes), (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(
    "",
  );
}

function fd(number: number, name: string): string {
  return `${number}<${hex(join(ROOT, name))}>`;
}

function path(name: string): string {
  return `"${hex(join(ROOT, name))}"`;
}

const create = (number: number, name: string, flags = "O_RDWR|O_CREAT") =>
  `openat(AT_FDCWD<${hex("/")}>, ${path(name)}, ${flags}, 0600) = ${fd(number, name)}`;
const write = (number: number, name: string, text: string, position: number) =>
  `pwrite64(${fd(number, name)}, "${hex(text)}", ${text.length}, ${position}) = ${text.length}`;
const sync = (number: number, name: string) => `fdatasync(${fd(number, name)}) = 0`;
const failedSync = (number: number, name: string) =>
  `fsync(${fd(number, name)}) = -1 EIO (Input/output error) (INJECTED)`;
const openRoot = `openat(AT_FDCWD<${hex("/")}>, "${hex(ROOT)}", O_RDONLY|O_DIRECTORY) = 9<${
  hex(ROOT)
}>`;
const syncRoot = `fsync(9<${hex(ROOT)}>) = 0`;

/** Follows lines of a trace on a disk that holds some files at first. */
function follow(
  lines: readonly string[],
  base: Record<string, string> = {},
  options: DiskOptions = {},
): Disk {
  using temp = tempDirectory();
  for (const [name, content] of Object.entries(base)) {
    writeFileSync(join(temp.path, name), content);
  }
  const disk = new Disk(ROOT, temp.path, options);
  const trace = lines.map((line) => /^\d/.test(line) ? line : `1 ${line}`).join("\n");
  for (const event of parseTrace(Buffer.from(trace), ROOT)) disk.follow(event);
  return disk;
}

/** Returns every content that a file has in some images, `undefined` where it is missing. */
function contents(
  disk: Disk,
  name: string,
  losses: readonly Loss[] = LOSSES,
): Set<string | undefined> {
  using temp = tempDirectory();
  const found = new Set<string | undefined>();
  for (let seed = 0; seed < IMAGES; seed++) {
    const image = join(temp.path, "image");
    writeImage(disk, losses[seed % losses.length]!, new Random(seed), image);
    try {
      found.add(readFileSync(join(image, name), "latin1"));
    } catch {
      found.add(undefined);
    }
    rmSync(image, { recursive: true });
  }
  return found;
}

test("a write is on disk in some images and not in others, until it is synced", () => {
  const lines = [create(5, "a"), write(5, "a", "new", 0)];
  assertEquals(contents(follow(lines, { a: "old" }), "a"), new Set(["new", "old"]));
  lines.push(sync(5, "a"));
  assertEquals(contents(follow(lines, { a: "old" }), "a"), new Set(["new"]));
});

test("a sync covers its own file alone", () => {
  const lines = [create(5, "a"), create(6, "b"), write(5, "a", "new", 0), sync(6, "b")];
  assertEquals(contents(follow(lines, { a: "old", b: "" }), "a").size, 2);
});

test("a sync through another descriptor covers the file", () => {
  const lines = [create(5, "a"), create(6, "a"), write(5, "a", "new", 0), sync(6, "a")];
  assertEquals(contents(follow(lines, { a: "old" }), "a"), new Set(["new"]));
});

test("a sync does not cover what is written while it runs", () => {
  const lines = [
    create(5, "a"),
    write(5, "a", "x", 0),
    `2 fdatasync(${fd(5, "a")} <unfinished ...>`,
    write(5, "a", "y", 1),
    "2 <... fdatasync resumed>) = 0",
  ];
  assertEquals(contents(follow(lines, { a: "__" }), "a"), new Set(["x_", "xy"]));
});

test("a sync does not cover a write that has not returned when it begins", () => {
  const lines = [
    create(5, "a"),
    `2 pwrite64(${fd(5, "a")}, "${hex("x")}", 1, 0 <unfinished ...>`,
    sync(5, "a"),
    "2 <... pwrite64 resumed>) = 1",
  ];
  assertEquals(contents(follow(lines, { a: "_" }), "a"), new Set(["x", "_"]));
});

test("a sync that does not return covers nothing for certain", () => {
  const lines = [create(5, "a"), write(5, "a", "x", 0), `fdatasync(${fd(5, "a")}) = ?`];
  assertEquals(contents(follow(lines, { a: "_" }), "a").size, 2);
});

test("a write through a descriptor opened with O_DSYNC is on disk, what was written before is not", () => {
  const lines = [
    create(5, "a"),
    create(6, "a", "O_WRONLY|O_DSYNC"),
    write(5, "a", "x", 0),
    write(6, "a", "y", 1),
  ];
  assertEquals(contents(follow(lines, { a: "__" }), "a"), new Set(["xy", "_y"]));
});

test("sectors and pages are lost on their own, operations as a whole", () => {
  const text = "x".repeat(2 * PAGE_BYTES);
  const old = "_".repeat(2 * PAGE_BYTES);
  const disk = follow([create(5, "a"), write(5, "a", text, 0)], { a: old });
  const mixed = (unit: number, found: string) =>
    new Set(found.match(new RegExp(`.{${unit}}`, "g")));
  const sectors = contents(disk, "a", ["sector"]);
  assert(sectors.size > 20);
  for (const found of sectors) {
    for (const unit of mixed(512, found!)) assertEquals(new Set(unit).size, 1);
  }
  assertEquals(contents(disk, "a", ["page"]).size, 4);
  assertEquals(contents(disk, "a", ["operation"]), new Set([text, old]));
  assertEquals(contents(disk, "a", ["name"]), new Set([text]));
});

test("a write whose thread died in it has begun, and has not ended", () => {
  const begun = `1 pwrite64(${fd(5, "a")}, "${hex("new")}", 3, 0 <unfinished ...>`;
  for (const died of ["1 <... pwrite64 resumed>) = ?", "1 +++ exited with 0 +++"]) {
    const events = parseTrace(Buffer.from(`${begun}\n${died}`), ROOT);
    assertEquals(events.map(({ call, isEnd }) => [call.name, isEnd, call.result]), [
      ["pwrite64", false, undefined],
    ]);
  }
});

test("a cut of a file may be lost", () => {
  const cut = `ftruncate(${fd(5, "a")}, 1) = 0`;
  const lines = [create(5, "a"), cut];
  // Zeros behind the cut may reach the disk before the new length does.
  const found = new Set(["a", "abc", "a\0\0"]);
  assertEquals(contents(follow(lines, { a: "abc" }), "a"), found);
  assertEquals(contents(follow([...lines, sync(5, "a")], { a: "abc" }), "a"), new Set(["a"]));
});

test("a cut that is lost takes nothing of the pages behind it", () => {
  const [first, second] = ["a", "b"].map((text) => text.repeat(PAGE_BYTES));
  const text = first! + second!;
  for (const length of [0, PAGE_BYTES]) {
    const lines = [create(5, "a"), `ftruncate(${fd(5, "a")}, ${length}) = 0`];
    assertEquals(
      contents(follow(lines, { a: text }), "a"),
      new Set([text, text.slice(0, length)]),
    );
  }
});

test("a lost name hides a file that was synced, until its directory is", () => {
  const lines = [openRoot, create(5, "a"), write(5, "a", "x", 0), sync(5, "a")];
  assertEquals(contents(follow(lines), "a"), new Set(["x", undefined]));
  assertEquals(contents(follow([...lines, syncRoot]), "a"), new Set(["x"]));
});

test("a lost directory takes along what is in it", () => {
  const lines = [
    `mkdir(${path("d")}, 0700) = 0`,
    `openat(AT_FDCWD<${hex("/")}>, ${path("d")}, O_RDONLY|O_DIRECTORY) = ${fd(8, "d")}`,
    create(5, "d/a"),
    `fsync(${fd(8, "d")}) = 0`,
  ];
  assertEquals(contents(follow(lines), "d/a"), new Set(["", undefined]));
  assertEquals(contents(follow([openRoot, ...lines, syncRoot]), "d/a"), new Set([""]));
});

test("a removed name may be back", () => {
  const lines = [`unlink(${path("a")}) = 0`];
  assertEquals(contents(follow(lines, { a: "x" }), "a"), new Set(["x", undefined]));
  assertEquals(
    contents(follow([openRoot, ...lines, syncRoot], { a: "x" }), "a"),
    new Set([undefined]),
  );
});

test("a file is followed through a rename, which is on disk as a whole or not at all", () => {
  const lines = [
    create(5, "a"),
    `rename(${path("a")}, ${path("b")}) = 0`,
    write(5, "b", "new", 0),
    sync(5, "b"),
  ];
  const disk = follow(lines, { a: "old", b: "other" });
  assertEquals(contents(disk, "a"), new Set(["new", undefined]));
  assertEquals(contents(disk, "b"), new Set(["new", "other"]));
  const synced = follow([openRoot, ...lines, syncRoot], { a: "old", b: "other" });
  assertEquals(contents(synced, "a"), new Set([undefined]));
  assertEquals(contents(synced, "b"), new Set(["new"]));
});

test("files are followed through the rename of their directory", () => {
  const lines = [
    openRoot,
    `mkdir(${path("d")}, 0700) = 0`,
    create(5, "d/a"),
    `openat(AT_FDCWD<${hex("/")}>, ${path("d")}, O_RDONLY|O_DIRECTORY) = ${fd(8, "d")}`,
    `fsync(${fd(8, "d")}) = 0`,
    `rename(${path("d")}, ${path("e")}) = 0`,
    write(5, "e/a", "x", 0),
    sync(5, "e/a"),
    syncRoot,
  ];
  assertEquals(contents(follow(lines), "e/a"), new Set(["x"]));
});

test("what a failed sync covered is lost, though a later one succeeds", () => {
  const old = "_".repeat(PAGE_BYTES + 1);
  const lines = [create(5, "a"), write(5, "a", "x", 0), failedSync(5, "a")];
  assertEquals(contents(follow([...lines, sync(5, "a")], { a: old }), "a"), new Set([old]));
});

test("what a failed sync covered is on disk once its page is written again and synced", () => {
  const old = "_".repeat(2 * PAGE_BYTES);
  const lines = [
    create(5, "a"),
    write(5, "a", "x", 0),
    write(5, "a", "y", PAGE_BYTES),
    failedSync(5, "a"),
    write(5, "a", "z", 2),
    sync(5, "a"),
  ];
  const expected = `x_z${old.slice(3)}`;
  assertEquals(contents(follow(lines, { a: old }), "a"), new Set([expected]));
});

test("a sync that overlaps with one that fails covers nothing of what that was to write", () => {
  const lines = [
    create(5, "a"),
    write(5, "a", "x", 0),
    `2 fsync(${fd(5, "a")} <unfinished ...>`,
    sync(5, "a"),
    "2 <... fsync resumed>) = -1 EIO (Input/output error) (INJECTED)",
  ];
  assertEquals(contents(follow(lines, { a: "_" }), "a"), new Set(["_"]));
});

test("a call that fails changes nothing", () => {
  const lines = [
    create(5, "a"),
    `pwrite64(${fd(5, "a")}, "${hex("x")}", 1, 0) = -1 EIO (Input/output error) (INJECTED)`,
    `unlink(${path("a")}) = -1 EIO (Input/output error)`,
  ];
  assertEquals(contents(follow(lines, { a: "_" }), "a"), new Set(["_"]));
});

test("a disk that ignores syncs loses what was synced", () => {
  const lines = [create(5, "a"), write(5, "a", "x", 0), sync(5, "a")];
  assertEquals(contents(follow(lines, { a: "_" }, { ignores: /^a$/ }), "a").size, 2);
  assertEquals(contents(follow(lines, { a: "_" }, { ignores: /^b$/ }), "a").size, 1);
});

test("writes without a position go where the descriptor stands", () => {
  const plain = (text: string) =>
    `write(${fd(5, "a")}, "${hex(text)}", ${text.length}) = ${text.length}`;
  const lines = [
    create(5, "a"),
    plain("ab"),
    plain("c"),
    `lseek(${fd(5, "a")}, 1, SEEK_SET) = 1`,
    `writev(${fd(5, "a")}, [{iov_base="${hex("x")}", iov_len=1}, {iov_base="${
      hex("y")
    }", iov_len=1}], 2) = 2`,
    sync(5, "a"),
  ];
  assertEquals(contents(follow(lines, { a: "" }), "a"), new Set(["axy"]));
});

test("what is copied within the kernel is as if it was written", () => {
  const copy = (positions: [string, string], length: number) =>
    `copy_file_range(${fd(5, "a")}, ${positions[0]}, ${fd(6, "b")}, ${
      positions[1]
    }, 9, 0) = ${length}`;
  const lines = [
    create(5, "a"),
    create(6, "b"),
    copy(["NULL", "NULL"], 2),
    copy(["NULL", "NULL"], 1),
  ];
  lines.push(copy(["[0]", "[4]"], 3));
  assertEquals(
    contents(follow([...lines, sync(6, "b")], { a: "xyz", b: "" }), "b"),
    new Set(["xyz\0xyz"]),
  );
  assertEquals(contents(follow(lines, { a: "xyz", b: "" }), "b", ["name"]), new Set(["xyz\0xyz"]));
  assert(contents(follow(lines, { a: "xyz", b: "" }), "b").size > 1);
});

test("a disk refuses to follow what it does not know", () => {
  assertThrows(() => follow([`fallocate(${fd(5, "a")}, 0, 0, 10) = 0`]), Error, "Cannot follow");
  const map = (name: string) =>
    `mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, ${fd(5, name)}, 0) = 0x7f0000000000`;
  assertThrows(() => follow([map("a")]), Error, "memory map");
  follow([map("data.sqlite-shm"), map("lock.mdb")]);
  const cut = `pwrite64(${fd(5, "a")}, "${hex("x")}"..., 9, 0) = 9`;
  assertThrows(() => follow([create(5, "a"), cut]), Error, "cut short");
});

test("a disk notices when the real directory is not as it was followed", () => {
  using temp = tempDirectory();
  const base = join(temp.path, "base");
  mkdirSync(base);
  writeFileSync(join(base, "a"), "x");
  const disk = new Disk(base, base);
  disk.tree.compare();
  writeFileSync(join(base, "a"), "y");
  assertThrows(() => disk.tree.compare(), Error, "wrongly");
});
