/** Bundling as README says: its own command lines, run in a project, and what they make, run too.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run, runOrThrow } from "./_run.ts";

/** What is bundled: it has no `await` at its top, which CommonJS has not. */
const PROGRAM = `import { HybridStore, toText } from "@hybrid/store";

async function main() {
  await using store = await HybridStore.openTemp();
  await store.batch().put("key", "btree").put("\\0H:1", "append").commit();
  console.log(toText(store.getSync("key")), toText(store.getSync("\\0H:1")));
}

main();
`;

/** Returns the commands of README's section on bundling, each with the file that it makes. */
export function bundlingCommands(readme: string): { command: string[]; outfile: string }[] {
  const section = readme.split("\n## Bundling\n")[1]?.split("\n## ")[0] ?? "";
  const blocks = [...section.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block!);
  return blocks.flatMap((block) => block.replace(/\\\n/g, " ").trim().split("\n")).map((line) => {
    const command = line.trim().split(/\s+/);
    const option = command.find((part) => part.startsWith("--outfile="));
    return { command, outfile: option?.slice("--outfile=".length) ?? "" };
  });
}

/** Bundles a program in a project that has the package, and runs each bundle.
 *
 * @param runtimesOf Returns the commands of the runtimes that a bundle is made for.
 * @throws {Error} A command of README fails, or a bundle does not print what the program prints.
 */
export async function checkBundles(
  project: string,
  runtimesOf: (bundler: string) => readonly string[][],
): Promise<void> {
  writeFileSync(join(project, "main.ts"), PROGRAM);
  const commands = bundlingCommands(readFileSync(join(ROOT, "README.md"), "utf8"));
  if (commands.length < 3) throw new Error("README has fewer bundling commands than expected");
  for (const { command, outfile } of commands) {
    await runOrThrow(command, { cwd: project });
    for (const runtime of runtimesOf(command[0]!)) {
      const { ok, output } = await run([...runtime, outfile], { cwd: project });
      if (ok && /^btree append$/m.test(output)) continue;
      throw new Error(`${command.join(" ")}: its bundle failed in ${runtime[0]}:\n${output}`);
    }
  }
  console.log(`bundles of ${commands.map(({ command }) => command[0]).join(", ")}: ok`);
}
