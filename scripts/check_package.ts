/**
 * Checks the npm package as its users get it, offline: packs the tarball, unpacks it as
 * `node_modules/@hybrid/store` of an empty project that has the declared dependencies and nothing
 * else, type-checks `consumer.ts` and `conformance.ts` there and runs them in Bun, in Deno with the
 * permissions that README names, and in the oldest and the newest Node that `links/nodes` names.
 *
 *     deno run -A scripts/check_package.ts [paths of further node binaries]
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
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { checkBundles } from "./_bundles.ts";
import { DENO, ROOT, run, runOrThrow } from "./_run.ts";

/** The files of `scripts/` that are run as a user's. */
const CONSUMERS = ["consumer", "conformance"];
const PERMISSIONS = ["--allow-ffi", "--allow-read", "--allow-write", "--allow-env"];

const project = mkdtempSync(join(tmpdir(), "hybridstore-package-"));
try {
  const installed = join(project, "node_modules", "@hybrid", "store");
  await unpack(installed);
  checkFiles(installed);
  const { dependencies, optionalDependencies } = readJson(join(installed, "package.json"));
  linkDependencies([...Object.keys(dependencies), "@types/node"]);

  for (const name of CONSUMERS) {
    copyFileSync(join(ROOT, "scripts", `${name}.ts`), join(project, `${name}.ts`));
  }
  writeFileSync(join(project, "package.json"), `{ "type": "module" }`);
  await checkTypes();
  // The oldest Node runs no TypeScript.
  for (const name of CONSUMERS) await compile(name);
  const nodes = [...installedNodes(), ...process.argv.slice(2)];
  const ofNode = nodes.map((node) => [node, "--no-warnings"]);
  const commands = [
    ["bun"],
    [DENO, "run", "--no-check", ...PERMISSIONS],
    ...ofNode,
  ];
  // First with what is declared and nothing else, then with what is optional.
  for (const command of commands) await runConsumers(command, ["consumer"]);
  linkDependencies(Object.keys(optionalDependencies));
  for (const command of commands) await runConsumers(command, CONSUMERS);
  await checkExchange(commands);
  await checkBundles(project, (bundler) => bundler === "bun" ? [["bun"]] : ofNode);
  if (nodes.length > 0) await checkRefusal(nodes[0]!);
  else console.log("node: skipped, links/nodes has none for this platform");
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
  const { exports } = readJson(join(installed, "package.json"));
  for (
    const target of Object.values<Record<string, string>>(exports).flatMap(Object.values<string>)
  ) {
    if (!existsSync(join(installed, target))) throw new Error(`Missing in the package: ${target}`);
  }
  const expected = /^(bench|dist|package\.json|[A-Z]+\.md|LICENSE)$/;
  const stray = readdirSync(installed).filter((name) => !expected.test(name));
  if (stray.length > 0) throw new Error(`Unexpected in the package: ${stray.join(", ")}`);
  for (const name of ["LICENSE", "README.md", "CHANGELOG.md", "ARCHITECTURE.md"]) {
    if (!existsSync(join(installed, name))) throw new Error(`Missing in the package: ${name}`);
  }
  const readme = readFileSync(join(installed, "README.md"), "utf8");
  for (const [, image] of readme.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)) {
    if (!existsSync(join(installed, image!))) throw new Error(`README shows ${image}, not packed`);
  }
  for (const name of readdirSync(installed, { recursive: true, encoding: "utf8" })) {
    if (name.endsWith(".map")) {
      throw new Error(`A source map of files that are not packed: ${name}`);
    }
    if (!/\.(js|ts|json|md|svg)$/.test(name)) continue;
    if (readFileSync(join(installed, name), "utf8").includes(ROOT)) {
      throw new Error(`A path of this machine is in the package: ${name}`);
    }
  }
}

/** Links some packages, so that others are not found. */
function linkDependencies(names: readonly string[]): void {
  for (const name of names) {
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
    const config = { compilerOptions, files: CONSUMERS.map((name) => `${name}.ts`) };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify(config));
    await runOrThrow(["bun", join(ROOT, "node_modules/typescript/bin/tsc"), "-p", project]);
  }
  // Deno and Bun read tsconfig.json too, and this one is not for them.
  rmSync(join(project, "tsconfig.json"));
  console.log("types: ok");
}

async function runConsumers(command: string[], names: readonly string[]): Promise<void> {
  const version = /\d+\.\d+\.\d+/.exec(await runOrThrow([command[0]!, "--version"]))?.[0];
  const runtime = `${basename(command[0]!)} ${version}`;
  for (const name of names) {
    const output = await runOrThrow([...command, `${name}.mjs`], { cwd: project });
    if (!/^ok$/m.test(output)) throw new Error(`${name} did not finish in ${runtime}:\n${output}`);
  }
  console.log(`${runtime} ${names.join(", ")}: ok`);
}

/** Checks that each runtime reads the values that each of the others has written. */
async function checkExchange(commands: readonly string[][]): Promise<void> {
  const files = {
    exchange: join("scripts", "exchange.ts"),
    _values: join("tests", "kv", "_values.ts"),
  };
  for (const [name, path] of Object.entries(files)) {
    copyFileSync(join(ROOT, path), join(project, `${name}.ts`));
    await compile(name);
  }
  const exchange = async (command: readonly string[], action: string, store: string) => {
    const output = await runOrThrow([...command, "exchange.mjs", action, store], { cwd: project });
    if (!/^ok$/m.test(output)) {
      throw new Error(`${action} by ${command[0]} of ${store}:\n${output}`);
    }
  };
  for (const [writer, command] of commands.entries()) {
    await exchange(command, "write", `exchanged-${writer}`);
  }
  for (const [reader, command] of commands.entries()) {
    for (const writer of commands.keys()) {
      if (writer !== reader) await exchange(command, "read", `exchanged-${writer}`);
    }
  }
  console.log(`values are exchanged among ${commands.length} runtimes: ok`);
}

// deno-lint-ignore no-explicit-any
function readJson(path: string): any {
  return JSON.parse(readFileSync(path, "utf8"));
}

async function compile(name: string): Promise<void> {
  const files = [`${name}.ts`, `--outfile=${name}.mjs`];
  await runOrThrow(["bun", "build", "--no-bundle", "--target=node", ...files], { cwd: project });
}

/** Returns the binaries that `links/nodes` has installed; it has none for some platforms. */
function installedNodes(): string[] {
  const { optionalDependencies } = readJson(join(ROOT, "links", "nodes", "package.json"));
  return Object.keys(optionalDependencies)
    .map((name) => join(ROOT, "node_modules", name, "bin", "node"))
    .filter(existsSync);
}

/** Checks that a Node without SQLite is told what would work. */
async function checkRefusal(node: string): Promise<void> {
  const { ok, output } = await run([node, "--no-experimental-sqlite", "consumer.mjs"], {
    cwd: project,
  });
  const expected = /Cannot open .*: Node [\d.]+ has no node:sqlite; use Node [\d.]+, Bun/;
  if (ok || !expected.test(output) || !output.includes("UNSUPPORTED")) {
    throw new Error(`A Node without SQLite was not refused:\n${output}`);
  }
}
