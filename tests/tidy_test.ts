import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { test } from "node:test";
import { assertEquals, assertGreater } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";

// The house rules that no linter knows. Each test collects everything that breaks its rule, so that
// one run shows it all.

const ROOT = join(dirname(fromFileUrl(import.meta.url)), "..");
const LINE_LIMIT = 500;

/** What each room of `store/` may import of the others. All may import the files that say what callers may say,
 * and what is below the store. */
const ROOMS: Record<string, string[]> = {
  "memtable": [],
  "read": ["memtable"],
  "directory": [],
  "feed": ["memtable", "read"],
  "write": ["memtable", "read", "directory", "feed"],
  "maintenance": ["memtable", "read", "directory", "feed", "write"],
};
const SHARED_BY_ROOMS = [
  "call_options.ts",
  "key_space.ts",
  "limits.ts",
  "operation.ts",
  "options.ts",
  "payload.ts",
  "range.ts",
  "types.ts",
];

/** What each part of the library may import from, itself included. */
const LAYERS: Record<string, string[]> = {
  "mod.ts": ["backends", "codec", "journal", "store"],
  "remote": ["backends", "codec", "remote", "runtime", "store"],
  "kv": ["codec", "journal", "kv", "runtime", "store"],
  "level": ["codec", "level", "runtime", "store"],
  "store": ["backends", "codec", "journal", "runtime", "store"],
  "journal": ["codec", "journal", "runtime"],
  "backends": ["backends", "codec", "runtime"],
  "codec": ["codec", "runtime"],
  "runtime": ["runtime"],
};

const files = projectFiles();
const sources = files.filter((file) => file.endsWith(".ts"));
const library = sources.filter((file) => layerOf(file) in LAYERS);
const denoConfig = readJson("deno.json");
const packageConfig = readJson("package.json");
const benchConfig = readJson("bench/package.json");

test("the project has files of every kind that is checked here", () => {
  for (const layer of Object.keys(LAYERS)) {
    assertGreater(library.filter((file) => layerOf(file) === layer).length, 0, layer);
  }
  assertGreater(sources.filter(isTest).length, 5);
  assertGreater(library.flatMap(importsOf).length, 20);
});

test("no source file is over the limit of lines", () => {
  const long = sources.filter((file) => read(file).trimEnd().split("\n").length > LINE_LIMIT);
  assertEquals(long, []);
});

test("source files and folders have snake_case names, entry points kebab-case", () => {
  const part = /^_?[a-z0-9]+(_[a-z0-9]+)*$/;
  const misnamed = sources.filter((file) =>
    !file.replace(/(\.d)?\.ts$/, "").split("/").every((name) => part.test(name))
  );
  assertEquals(misnamed, []);

  const entry = /^\.(\/[a-z0-9]+(-[a-z0-9]+)*)?$/;
  assertEquals(Object.keys(denoConfig.exports).filter((name) => !entry.test(name)), []);
});

test("imports run one way: mod, kv and level to store to backends, journal to codec to runtime", () => {
  const wrong = library.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => specifier.startsWith("."))
      .filter((specifier) => !LAYERS[layerOf(file)]!.includes(layerOf(join(file, "..", specifier))))
      .map((specifier) => `${file} imports ${specifier}`)
  );
  assertEquals(wrong, []);
});

test("every file of the library begins with what it is for", () => {
  const header = /^\/\*\*[^]*?@module\n \*\/\n/;
  assertEquals(library.filter((file) => !header.test(read(file))), []);
});

test("the rooms of the store know those below them alone", () => {
  const inRooms = library.filter((file) => roomOf(file) !== undefined);
  for (const room of Object.keys(ROOMS)) {
    assertGreater(inRooms.filter((file) => roomOf(file) === room).length, 0, room);
  }
  const wrong = inRooms.flatMap((file) => {
    const room = roomOf(file)!;
    assertEquals(room in ROOMS, true, file);
    return importsOf(file)
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => join(file, "..", specifier).replaceAll("\\", "/"))
      .filter((path) => layerOf(path) === "store")
      .filter((path) => {
        const other = roomOf(path);
        if (other === undefined) return !SHARED_BY_ROOMS.includes(path.split("/").at(-1)!);
        return other !== room && !ROOMS[room]!.includes(other);
      })
      .map((path) => `${file} imports ${path}`);
  });
  assertEquals(wrong, []);
});

test("every file of the library has tests of its name, or CONTRIBUTING says where they are", () => {
  const table = read("CONTRIBUTING.md").split("## Where the tests are")[1]!.split("\n## ")[0]!;
  const rows = table.split("\n").filter((line) => line.startsWith("| `")).map((line) =>
    line.split("|").slice(1, 3).map((cell) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
    )
  );
  assertGreater(rows.length, 5);
  assertEquals(rows.flatMap(([, tests]) => tests!).filter((name) => !files.includes(name)), []);
  const patterns = rows.flatMap(([names]) => names!);
  const isNamed = (file: string, pattern: string) =>
    new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`).test(file);
  assertEquals(patterns.filter((pattern) => !library.some((file) => isNamed(file, pattern))), []);
  const untested = library.filter((file) => {
    if (file.split("/").at(-1) === "mod.ts") return false;
    const namesake = `tests/${file.replace(/(^|\/)_?([^/]+)\.ts$/, "$1$2_test.ts")}`;
    return !files.includes(namesake) && !patterns.some((pattern) => isNamed(file, pattern));
  });
  assertEquals(untested, []);
});

test("the library imports its declared dependencies alone, the codec none", () => {
  const { dependencies, optionalDependencies } = packageConfig;
  const declared = [...Object.keys({ ...dependencies, ...optionalDependencies }), "@std/path"];
  const wrong = library.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => !specifier.startsWith("."))
      .filter((specifier) =>
        layerOf(file) === "codec" ||
        !(specifier.startsWith("node:") || declared.includes(specifier))
      )
      .map((specifier) => `${file} imports ${specifier}`)
  );
  assertEquals(wrong, []);
});

test("an entry point's own packages are imported by it alone", () => {
  const owners = { "msgpackr": "kv", "abstract-level": "level", "pg": "remote" };
  for (const [name, owner] of Object.entries(owners)) {
    const importers = library.filter((file) => importsOf(file).includes(name)).map(layerOf);
    assertEquals([...new Set(importers)], [owner], name);
  }
});

test("the bench alone imports the packages of the bench, and these are all that it does not share", () => {
  const names = Object.keys(benchConfig.dependencies);
  const isOfBench = (file: string) => layerOf(file) === "bench";
  const wrong = sources.filter((file) => !isOfBench(file)).flatMap((file) =>
    importsOf(file).filter((specifier) => names.includes(specifier))
      .map((specifier) => `${file} imports ${specifier}`)
  );
  assertEquals(wrong, []);

  const imported = sources.filter(isOfBench).flatMap(importsOf)
    .filter((specifier) => !/^(\.|node:)/.test(specifier))
    .filter((specifier) => !(specifier in denoConfig.imports));
  assertEquals([...new Set(imported)].sort(), names.sort());
});

test("the servers know nothing of the project, and examples nothing of its tests", () => {
  const imported = (layer: string) =>
    sources.filter((file) => layerOf(file) === layer).flatMap((file) =>
      importsOf(file).filter((specifier) => specifier.startsWith("."))
        .map((specifier) => layerOf(join(file, "..", specifier)))
    );
  assertEquals([...new Set(imported("servers"))], ["servers"]);
  assertEquals([...new Set(imported("examples"))].sort(), ["examples", "servers"]);
});

test("no file of the library uses a timer that a test runner can replace", () => {
  const names = ["setTimeout", "clearTimeout", "setImmediate", "queueMicrotask"];
  const others =
    /\b(setInterval|clearInterval|clearImmediate|performance\.now|Date\.now|nextTick)\b/;
  const wrong = library.filter((file) => layerOf(file) !== "runtime").flatMap((file) => {
    const code = withoutComments(read(file));
    const imported = code.match(/^import \{([^}]*)\} from "[./]*\/runtime\/timers\.ts";$/m)?.[1] ??
      "";
    return [
      ...names.filter((name) => new RegExp(`(?<![.#])\\b${name}\\(`).test(code))
        .filter((name) => !imported.split(/[\s,]+/).includes(name)),
      ...code.match(others)?.slice(1) ?? [],
    ].map((name) => `${file} uses ${name}`);
  });
  assertEquals(wrong, []);
});

test("mod.ts re-exports and does nothing else", () => {
  const code = withoutComments(read("mod.ts"));
  const rest = code.replace(/^export (type )?(\*|\{[^}]*\}) from "[^"]+";$/gm, "").trim();
  assertEquals(rest, "");
});

test("no file holds an unfinished mark or a test that runs alone", () => {
  const marks = ["TO" + "DO", "FIX" + "ME", ".on" + "ly("];
  assertEquals(findAll(sources, marks), []);
});

test("no test has a limit that a busy machine reaches", () => {
  const short = sources.filter((file) => file.startsWith("tests/")).flatMap((file) =>
    [...read(file).matchAll(/\btimeout: ([\d_]+)/g)]
      .filter(([, limit]) => Number(limit!.replaceAll("_", "")) < 600_000)
      .map(([text]) => `${file}: ${text}`)
  );
  assertEquals(short, []);
});

test("every test file uses node:test, itself or through a suite", () => {
  const usesNodeTest = (file: string) =>
    importsOf(file).some((name) => name === "node:test" || name.endsWith("/suite.ts"));
  assertEquals(sources.filter(isTest).filter((file) => !usesNodeTest(file)), []);
  const misplaced = sources.filter((file) => file.endsWith("_test.ts") && !isTest(file));
  assertEquals(misplaced, []);
});

test("deno.json, package.json and package-lock.json agree", () => {
  const lock = readJson("package-lock.json");
  for (const key of ["name", "version", "license"]) {
    assertEquals(packageConfig[key], denoConfig[key], key);
    assertEquals(lock.packages[""][key], denoConfig[key], key);
  }

  const built = Object.entries<string>(denoConfig.exports).map(([name, source]) => {
    const target = source.replace("./", "./dist/").replace(/\.ts$/, "");
    return [name, { types: `${target}.d.ts`, default: `${target}.js` }];
  });
  assertEquals(packageConfig.exports, Object.fromEntries(built));

  const { optionalDependencies, devDependencies } = packageConfig;
  const dependencies = { ...packageConfig.dependencies, ...optionalDependencies };
  for (const [name, specifier] of Object.entries<string>(denoConfig.imports)) {
    const version = dependencies[name] ?? devDependencies[name];
    assertEquals(
      specifier.startsWith("jsr:") ? `file:./links/${name.slice(1).replace("/", "_")}` : specifier,
      specifier.startsWith("jsr:") ? version : `npm:${name}@${version}`,
      `version of ${name}`,
    );
  }
  for (const name of Object.keys(dependencies)) {
    assertEquals(name in denoConfig.imports, true, `${name} in the imports of deno.json`);
  }

  const benchLock = readJson("bench/package-lock.json").packages[""];
  assertEquals(benchLock.dependencies, benchConfig.dependencies);
  assertEquals(benchConfig.private, true);
});

test("every dependency has an exact version", () => {
  const { dependencies, optionalDependencies, devDependencies } = packageConfig;
  const all = {
    ...{ ...dependencies, ...optionalDependencies, ...devDependencies },
    ...benchConfig.dependencies,
  };
  const loose = Object.entries<string>(all)
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-beta\.\d+)?$|^file:\.\/links\//.test(version))
    .map(([name, version]) => `${name}@${version}`);
  assertEquals(loose, []);
});

test("each stand-in has the name and a version of what it stands for", () => {
  for (const link of denoConfig.links) {
    const { name, version } = readJson(`${link}/deno.json`);
    const { name: npmName, version: npmVersion } = readJson(`${link}/package.json`);
    assertEquals([npmName, npmVersion], [name, version]);
    assertEquals(denoConfig.imports[name], `jsr:${name}@^${version}`);
  }
});

test("what package.json, README and errors say of runtimes is what is checked", () => {
  const { node, bun, deno } = packageConfig.engines;
  const nodes = readJson("links/nodes/package.json").optionalDependencies;
  assertEquals(`>=${nodes["node-oldest"].split("@").at(-1)}`, node);
  const [oldestNode, oldestBun, oldestDeno] = [node, bun, deno].map((range: string) =>
    /^>=(\d+\.\d+)\.0$/.exec(range)![1]!
  );
  for (const named of [`Deno ≥ ${oldestDeno}`, `Bun ≥ ${oldestBun}`, `Node ≥ ${oldestNode}`]) {
    assertEquals(read("README.md").includes(`| ${named}`), true, named);
  }
  const message = `use Node ${oldestNode}, Bun ${oldestBun}, Deno ${oldestDeno} or later`;
  assertEquals(read("backends/sqlite_driver.ts").includes(message), true, message);
});

test("no file names a package registry", () => {
  const hosts = ["npm" + "js.org", "npm" + "js.com", "yarn" + "pkg.com", "jsr" + ".io"];
  assertEquals(findAll(files.filter(isText), hosts), []);
});

test("no file names an absolute path of a machine", () => {
  // A home of "/", as some containers have it, would be found everywhere.
  const here = [ROOT, homedir()].filter((path) => path.length > 1).map((path) => `${path}/`);
  assertEquals(findAll(files.filter(isText), here), []);
  // As a path begins: after a space, a quote or a bracket, and not within a URL or another path.
  const pattern = /(?<![\w.:/~*-])\/(home|root|Users|work|workspace)\/\w/;
  assertEquals(files.filter(isText).filter((file) => pattern.test(read(file))), []);
});

/** Returns the paths of all files that git tracks, or would track, from the root, with slashes. */
function projectFiles(): string[] {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  let names: string[];
  try {
    names = execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: "pipe" }).split("\0");
  } catch {
    // No git, or no repository: an unpacked archive has nothing in it that is not tracked, except
    // what was installed and built since.
    const left = /^(\.git|node_modules|dist|data|coverage|bench[\\/](tmp|node_modules))([\\/]|$)/;
    names = readdirSync(ROOT, { recursive: true, encoding: "utf8" })
      .filter((name) => !left.test(name))
      .map((name) => name.replaceAll("\\", "/"));
  }
  // A file that is deleted and not yet committed is still listed.
  return names.filter((name) =>
    name !== "" && statSync(join(ROOT, name), { throwIfNoEntry: false })?.isFile()
  ).sort();
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

// deno-lint-ignore no-explicit-any
function readJson(file: string): any {
  return JSON.parse(read(file));
}

/** Returns the top folder of a file, or its name where it lies at the root. */
function layerOf(file: string): string {
  return file.replaceAll("\\", "/").split("/")[0]!;
}

/** Returns the room of a file of the store, `undefined` for those outside. */
function roomOf(file: string): string | undefined {
  const [layer, room, name] = file.replaceAll("\\", "/").split("/");
  return layer === "store" && name !== undefined ? room : undefined;
}

function isTest(file: string): boolean {
  return file.startsWith("tests/") && file.endsWith("_test.ts");
}

function isText(file: string): boolean {
  return !file.startsWith("tests/fixtures/") && !read(file).includes("\0");
}

/** Returns what a source file imports and re-exports, dynamic imports included. */
function importsOf(file: string): string[] {
  const code = withoutComments(read(file));
  const pattern =
    /(?:\bfrom\s*|^import\s*|\bimport\s*\(\s*|\bcreateRequire\([^)]*\)\s*\(\s*)"([^"]+)"/gm;
  return [...code.matchAll(pattern)].map((match) => match[1]!);
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "").trim();
}

function findAll(among: string[], words: string[]): string[] {
  return among.flatMap((file) => {
    const text = read(file);
    return words.filter((word) => text.includes(word)).map((word) => `${file}: ${word}`);
  });
}
