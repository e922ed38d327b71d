import { chmodSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { whyNoPostgres } from "../../servers/programs.ts";
import { tempDirectory } from "../support/temp.ts";
import { type Program, runExample, type RunResult } from "./_wordnet.ts";

const OPTIONS = {
  timeout: 600_000,
  skip: whyNoPostgres() ?? false,
};

const CLUSTER: Program = { script: "wordnet_cluster.ts", permissions: ["-A"], env: {} };

/** Runs the example, and checks that nothing is left of it. */
async function runCluster(
  args: readonly string[],
  onStart?: Parameters<typeof runExample>[1],
): Promise<RunResult> {
  using temp = tempDirectory();
  // The servers may run as another user.
  chmodSync(temp.path, 0o755);
  const result = await runExample(args, onStart, {
    ...CLUSTER,
    env: { TMPDIR: temp.path },
  });
  assertEquals(readdirSync(temp.path), [], result.output + result.errors);
  const ports = [...result.output.matchAll(/at port (\d+)/g)].map(([, port]) => Number(port));
  assertEquals(ports.length, 2, result.output + result.errors);
  assertEquals(await Promise.all(ports.map(isTaken)), [false, false]);
  return result;
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

test(
  "the job survives its primary, and ends with what a store in a directory has",
  OPTIONS,
  async () => {
    const { code, output, errors } = await runCluster(["--limit", "1000"]);
    assertEquals([code, errors], [0, ""], output);
    const lines = output.split("\n");
    const at = (text: RegExp) => lines.findIndex((line) => text.test(line));
    const killed = at(/^-- the primary is killed at (\d+) %$/);
    assertEquals(killed > at(/^ingest +begins/), true, output);
    assertEquals(at(/^-- the standby takes writes after/) > killed, true, output);
    assertEquals(at(/^ingest +100 %/) > killed, true, output);
    // Counted in WordNet's files by another program.
    assertEquals(at(/ H: +7,469 {2}assertions$/) > killed, true, output);
    assertStringIncludes(lines.at(-2)!, "have the same 14,422 keys and values");
  },
);

test("the job leaves nothing when it is interrupted", OPTIONS, async () => {
  let isSent = false;
  const { code, errors } = await runCluster([], (send) => (line) => {
    if (isSent || !line.startsWith("ingest")) return;
    isSent = true;
    send("SIGINT");
  });
  assertEquals([code, errors], [130, "Stopped.\n"]);
});

test("the job explains itself, and takes no directory", { timeout: 600_000 }, async () => {
  const help = await runExample(["--help"], undefined, CLUSTER);
  assertEquals([help.code, help.errors], [0, ""]);
  assertStringIncludes(help.output, "--limit N");
  const { code, output, errors } = await runExample(["./data"], undefined, CLUSTER);
  assertEquals([code, output], [1, ""]);
  assertEquals(errors, "Cannot use ./data: there is no directory to name\n");
});
