/** Markdown as `deno fmt` leaves it, and the places in documents where generated text stands.
 *
 * @module
 */

const LINE_WIDTH = 100;

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

/** Returns a table whose columns are as wide as their widest cell. */
export function tableOf(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]!.length))
  );
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const lineOf = (row: readonly string[]) =>
    line(
      row.map((text, i) =>
        columns[i]!.isNumber ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)
      ),
    );
  return [
    lineOf(columns.map(({ title }) => title)),
    line(
      columns.map(({ isNumber }, i) =>
        isNumber ? `${"-".repeat(widths[i]! - 1)}:` : "-".repeat(widths[i]!)
      ),
    ),
    ...rows.map(lineOf),
  ].join("\n");
}

/** Returns a paragraph in lines that are no longer than documents have them. */
export function paragraphOf(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trimStart();
    if (longer.length > LINE_WIDTH) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines.join("\n");
}

/** Returns a document with other text between the two comments that name a part.
 *
 * @throws {Error} The comments are not there.
 */
export function withPart(document: string, name: string, text: string): string {
  const begin = `<!-- ${name}: written by npm run bench:table -->`;
  const end = `<!-- end of ${name} -->`;
  const [start, stop] = [document.indexOf(begin), document.indexOf(end)];
  if (start === -1 || stop < start) {
    throw new Error(`Cannot find ${begin} and ${end} behind it`);
  }
  return `${document.slice(0, start)}${begin}\n\n${text}\n\n${document.slice(stop)}`;
}
