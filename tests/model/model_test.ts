import { test } from "node:test";
import { Random } from "../support/random.ts";
import { tempDirectory } from "../support/temp.ts";
import { DirectorySession } from "./_directory_session.ts";
import { OPERATIONS, type Operations, runModel, seeds, stepsOr } from "./_run.ts";
import * as writes from "./_writes.ts";

const STEPS = stepsOr(1500);
const DIRECTORY_OPERATIONS: Operations<DirectorySession> = [
  ...OPERATIONS,
  [6, writes.transact],
  [1, (session) => session.checkpoint()],
  [1, (session) => session.crash()],
];

for (const { seed, title } of seeds(5)) {
  test(`the store agrees with a map, whatever is done to both, ${title}`, {
    timeout: 600_000 + STEPS * 20,
  }, async () => {
    using temp = tempDirectory();
    const session = new DirectorySession(new Random(seed), temp.path);
    await runModel(session, DIRECTORY_OPERATIONS, seed, STEPS);
  });
}
