/** Text for people: numbers, columns, and lines that fit.
 *
 * @module
 */

/** Formats a whole number with thousands separators: `703,266`. */
export function formatCount(count: number | bigint): string {
  return Math.round(Number(count)).toLocaleString("en-US");
}

/** Formats bytes as megabytes of 10^6 bytes: `12.3 MB`. */
export function formatBytes(bytes: number): string {
  const megabytes = bytes / 1e6;
  return `${megabytes < 100 ? megabytes.toFixed(1) : formatCount(megabytes)} MB`;
}

/** Formats milliseconds as seconds: `1.2 s`. */
export function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Cuts a text that is longer than `width`, and says so with an ellipsis. */
export function truncate(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1)).trimEnd()}…`;
}

/** Lays out rows in columns as wide as their longest cell, two spaces apart.
 *
 * @param alignment A letter per column: `l` for left, `r` for right.
 * @param width Lines are cut to it, which hits the last column.
 * @returns The lines, indented by two spaces.
 */
export function formatTable(
  rows: readonly (readonly string[])[],
  alignment: string,
  width: number,
): string[] {
  const columns = [...alignment].map((side, index) => ({
    side,
    width: Math.max(...rows.map((row) => row[index]?.length ?? 0)),
  }));
  return rows.map((row) => {
    const cells = columns.map(({ side, width }, index) => {
      const cell = row[index] ?? "";
      return side === "r" ? cell.padStart(width) : cell.padEnd(width);
    });
    return truncate(`  ${cells.join("  ")}`.trimEnd(), width);
  });
}
