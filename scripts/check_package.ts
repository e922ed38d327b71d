/**
 * Checks the npm package as its users get it, offline: packs the tarball, unpacks it as
 * `node_modules/@hybrid/store` of an empty project that has the declared dependencies and nothing
 * else, type-checks `consumer.ts` there and runs it in Bun, in Deno with the permissions that README
 * names, and in Node where there is one that has `node:sqlite`.
 *
 *     deno run -A scripts/check_package.ts [path of a node binary]
 *
 * @module
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { DENO, ROOT, run, runOrThrow } from "./_run.ts";

const PERMISSIONS = ["--allow-ffi", "--allow-read", "--allow-write", "--allow-env"];

const project = mkdtempSync(join(tmpdir(), "hybridstore-package-"));
try {
  const installed = join(project, "node_modules", "@hybrid", "store");
  await unpack(installed);
  checkFiles(installed);
  linkDependencies(installed);

  copyFileSync(join(ROOT, "scripts", "consumer.ts"), join(project, "consumer.ts"));
  writeFileSync(join(project, "package.json"), `{ "type": "module" }`);
  await checkTypes();
  await runConsumer("bun", ["bun"]);
  await runConsumer("deno", [DENO, "run", "--no-check", ...PERMISSIONS]);
  const node = process.argv[2] ?? "node";
  if (await hasSqlite(node)) await runConsumer("node", [node]);
  else console.log("node: skipped, no Node with node:sqlite at hand");
} finally {
  rmSync(project, { recursive: true, force: true });
}

/** Packs (which builds, by `prepack`) and unpacks. Bun packs as npm does, and is always at hand. */
async function unpack(target: string): Promise<void> {
  await runOrThrow(["bun", "pm", "pack", "--destination", project]);
  const tarball = readdirSync(project).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("Cannot find the tarball: bun pm pack made none");
  mkdirSync(target, { recursive: true });
  await runOrThrow(["tar", "-xzf", join(project, tarball), "-C", target, "--strip-components=1"]);
}

/** Checks that what is exported is there, and that nothing goes out that should not. */
function checkFiles(installed: string): void {
  const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  for (
    const target of Object.values<Record<string, string>>(exports).flatMap(Object.values<string>)
  ) {
    if (!existsSync(join(installed, target))) throw new Error(`Missing in the package: ${target}`);
  }
  const expected = /^(dist|package\.json|[A-Z]+\.md|LICENSE)$/;
  const stray = readdirSync(installed).filter((name) => !expected.test(name));
  if (stray.length > 0) throw new Error(`Unexpected in the package: ${stray.join(", ")}`);
  for (const name of ["LICENSE", "README.md", "CHANGELOG.md", "ARCHITECTURE.md"]) {
    if (!existsSync(join(installed, name))) throw new Error(`Missing in the package: ${name}`);
  }
  for (const name of readdirSync(installed, { recursive: true, encoding: "utf8" })) {
    if (!/\.(js|map|ts|json|md)$/.test(name)) continue;
    if (readFileSync(join(installed, name), "utf8").includes(ROOT)) {
      throw new Error(`A path of this machine is in the package: ${name}`);
    }
  }
}

/** Links the declared dependencies, so that an undeclared one is not found. */
function linkDependencies(installed: string): void {
  const { dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  for (const name of [...Object.keys(dependencies), "@types/node"]) {
    const link = join(project, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), link, "junction");
  }
}

/** Checks the declarations, under both ways in which TypeScript users resolve a package. */
async function checkTypes(): Promise<void> {
  for (const resolution of [["nodenext", "nodenext"], ["esnext", "bundler"]]) {
    const [module, moduleResolution] = resolution;
    const compilerOptions = {
      target: "esnext",
      lib: ["esnext"],
      types: ["node"],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
      module,
      moduleResolution,
    };
    const config = { compilerOptions, files: ["consumer.ts"] };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify(config));
    await runOrThrow(["bun", join(ROOT, "node_modules/typescript/bin/tsc"), "-p", project]);
  }
  // Deno and Bun read tsconfig.json too, and this one is not for them.
  rmSync(join(project, "tsconfig.json"));
  console.log("types: ok");
}

async function runConsumer(runtime: string, command: string[]): Promise<void> {
  const output = await runOrThrow([...command, "consumer.ts"], { cwd: project });
  if (!/^ok$/m.test(output)) throw new Error(`${runtime} did not finish:\n${output}`);
  console.log(`${runtime}: ok`);
}

async function hasSqlite(node: string): Promise<boolean> {
  return (await run([node, "--input-type=module", "--eval", `import "node:sqlite"`])).ok;
}
