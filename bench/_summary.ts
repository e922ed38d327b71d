/** What a quick run ends with: a line for each work, which fit a screen. It compares nothing with anything,
 * since one round of few keys says only that a work works.
 *
 * @module
 */

import type { RunSettings } from "./_command_line.ts";
import type { Finding, Reached } from "./_findings.ts";
import { labelOf } from "./_labels.ts";
import { figureText, SHOWN } from "./_table.ts";

/** Lines of works at most; with the others they are 40. */
const WORKS_MAX = 36;
/** The widths of a line, 100 in all: a label, two figures, a name, and a gap of 2. */
const LABEL_WIDTH = 40;
const FIGURE_WIDTH = 17;
const NAME_WIDTH = 24;

/** Returns up to 40 lines of up to 100 columns: the works that README shows, or all where none of them ran. */
export function formatSummary(
  findings: readonly Finding[],
  { keys, rounds }: Pick<RunSettings, "keys" | "rounds">,
): string {
  const ofReadme = findings.filter(({ row }) => SHOWN.includes(row.id));
  const chosen = (ofReadme.length > 0 ? ofReadme : findings).slice(0, WORKS_MAX);
  const left = findings.length - chosen.length;
  return [
    `Summary, of ${keys.toLocaleString("en")} keys and ${rounds} ` +
    `${rounds === 1 ? "round" : "rounds"}: too few to compare by`,
    line("", "HybridStore", "fastest peer, as durable", ""),
    ...chosen.map(lineOf),
    ...(left > 0 ? [`and ${left} more, above`] : []),
  ].join("\n");
}

function lineOf({ row, contestants }: Finding): string {
  const own = contestants.find(({ id }) => id === "hybrid");
  const peer = fastestOf(
    contestants.filter(({ id, guarantee }) =>
      !id.startsWith("hybrid") && guarantee.kind === own?.guarantee.kind
    ),
    row.better,
  );
  return line(
    labelOf(row),
    figureText(row, own?.median),
    peer?.name ?? "",
    figureText(row, peer?.median),
  );
}

function fastestOf(peers: readonly Reached[], better: "higher" | "lower"): Reached | undefined {
  const sign = better === "higher" ? -1 : 1;
  return peers.toSorted((a, b) => sign * (a.median - b.median))[0];
}

function line(label: string, own: string, name: string, figure: string): string {
  return [
    cut(label, LABEL_WIDTH).padEnd(LABEL_WIDTH),
    own.padStart(FIGURE_WIDTH),
    "  ",
    cut(name, NAME_WIDTH).padEnd(NAME_WIDTH),
    figure.padStart(FIGURE_WIDTH),
  ].join("").trimEnd();
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}
