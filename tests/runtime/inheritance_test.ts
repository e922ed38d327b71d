import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { HybridStore } from "../../mod.ts";

test("a child process gets no descriptor of an open store", {
  skip: process.platform !== "linux" && "only Linux lists descriptors in /proc",
}, async () => {
  await using store = await HybridStore.openTemp();
  await store.put(new Uint8Array([1]), new Uint8Array([2]));
  await store.checkpoint();
  await using _snapshot = await store.snapshot();
  const list = ["-c", "for d in /proc/$$/fd/*; do readlink $d; done; true"];
  const { stdout, status } = spawnSync("sh", list, { encoding: "utf8" });
  const found = stdout.split("\n").filter((path) => path !== "");
  assertEquals([status, found.length > 2], [0, true]);
  assertEquals(found.filter((path) => path.includes(store.path)), []);
});
