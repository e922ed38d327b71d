/**
 * Builds `dist/`, the code of the npm package: one JavaScript file and one declaration file for each
 * source file.
 *
 * npm has no `@std/path` (it lives on JSR), and Node and Deno refuse TypeScript under `node_modules`.
 * So the package carries the stand-in of `links/std_path`, and every runtime, Bun included, loads
 * `dist/`.
 *
 * @module
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { ROOT, runOrThrow } from "./_run.ts";

const DIST = join(ROOT, "dist");
const STD_PATH = join(DIST, "links", "std_path", "mod.js");

rmSync(DIST, { recursive: true, force: true });
await runOrThrow([
  "bun",
  join("node_modules", "typescript", "bin", "tsc"),
  "--project",
  join("scripts", "tsconfig.build.json"),
]);

let fileCount = 0;
for (const name of readdirSync(DIST, { recursive: true, encoding: "utf8" })) {
  if (!name.endsWith(".js") && !name.endsWith(".d.ts")) continue;
  fileCount++;
  const file = join(DIST, name);
  const text = readFileSync(file, "utf8");
  const linked = name.endsWith(".js") ? linkStdPath(file, text) : text;
  // An example in a comment may import anything; a line of code may not.
  if (/^(?! *\*).*\b(from |import\()"@std\//m.test(linked)) {
    throw new Error(`Cannot build ${name}: it imports a JSR package that npm does not have`);
  }
  if (linked !== text) writeFileSync(file, linked);
}
console.log(`Built ${fileCount} files in dist`);

function linkStdPath(file: string, text: string): string {
  const target = relative(join(file, ".."), STD_PATH).split(sep).join("/");
  const specifier = target.startsWith(".") ? target : `./${target}`;
  return text.replace(/^(?! *\*)(.*\bfrom )"@std\/path";$/gm, `$1"${specifier}";`);
}
