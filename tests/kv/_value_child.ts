/** Writes the entries of all values into a file, or reads those of another runtime:
 * `… write FILE` and `… read FILE`. Reading prints what differs, then `ok`.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { encodeEntry, openEntry, seal, valueOf } from "../../kv/value.ts";
import { show, values } from "./_values.ts";

const [action, path] = process.argv.slice(2) as [string, string];
const own = values();
if (action === "write") {
  const entries = Object.entries(own).map(([name, value]) => {
    const entry = encodeEntry(value);
    seal(entry, 7n, 0);
    return [name, btoa(Array.from(entry, (byte) => String.fromCharCode(byte)).join(""))];
  });
  writeFileSync(path, JSON.stringify(Object.fromEntries(entries)));
} else {
  const stored: Record<string, string> = JSON.parse(readFileSync(path, "utf8"));
  for (const [name, text] of Object.entries(stored)) {
    const entry = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const value = valueOf(openEntry(entry, 0)!);
    if (show(value) !== show(own[name])) console.log(`${name} is another value`);
    // Stacks tell where the values were made, which is another place in each runtime.
    if (/error/.test(name)) continue;
    const again = encodeEntry(own[name]);
    seal(again, 7n, 0);
    if (again.join() !== entry.join()) console.log(`${name} has other bytes`);
  }
  if (Object.keys(stored).join() !== Object.keys(own).join()) console.log("other names");
}
console.log("ok");
