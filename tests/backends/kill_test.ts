import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { tempDirectory } from "../support/temp.ts";
import { Child } from "./_child.ts";
import { ENGINES, IDENTITY } from "./_engines.ts";
import { assertStamps } from "./_stamped.ts";

const KILLS = 10;

for (const [kind, { open }] of Object.entries(ENGINES)) {
  test(`a killed process leaves in ${kind} everything up to the position`, {
    timeout: 600_000,
  }, async () => {
    using temp = tempDirectory();
    await (await open(temp.path, { identity: IDENTITY, create: true })).close();
    let position = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      using child = new Child("_kill_child.ts", kind, temp.path);
      // After some batches, at any moment of the next one.
      await waitForLines(child, 1 + kill % 3);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 50));
      child.process.kill("SIGKILL");
      const { signal, errors } = await child.ending;
      assertEquals(signal, "SIGKILL", errors);

      const engine = await open(temp.path, { identity: IDENTITY, create: false });
      const told = Number(child.lines.at(-1));
      assertGreater(told, position);
      position = Number(engine.position);
      assertLessOrEqual(told, position);
      assertStamps(engine);
      await engine.close();
    }
    assert(position >= KILLS);
  });
}

async function waitForLines(child: Child, count: number): Promise<void> {
  let hasEnded = false;
  const setEnded = () => void (hasEnded = true);
  child.ending.then(setEnded, setEnded);
  while (child.lines.length < count && !hasEnded) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
