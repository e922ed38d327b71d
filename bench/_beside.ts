/** Rows of a table in which each contestant stands beside another one.
 *
 * @module
 */

import { median } from "./_measure.ts";

/** What a row says of itself. */
export interface BesideRow {
  readonly name: string;
  readonly besideName: string;
  /** The least ratio that is aimed at. */
  readonly bar?: number;
}

/** Operations per second, by round. */
export interface BesideRates {
  readonly own: number[];
  readonly beside: number[];
}

/** Prints the medians of each row, their ratio, and whether it reaches its bar; then how many do not. */
export function printBeside(rows: readonly BesideRow[], rates: readonly BesideRates[]): void {
  const shown = (rate: number) => Math.round(rate).toLocaleString("en").padStart(10);
  const width = (of: (row: BesideRow) => string) =>
    2 + Math.max(...rows.map((row) => of(row).length));
  const [nameWidth, besideWidth] = [width(({ name }) => name), width((row) => row.besideName)];
  let missed = 0;
  for (const [i, { name, bar, besideName }] of rows.entries()) {
    const [rate, other] = [median(rates[i]!.own), median(rates[i]!.beside)];
    const ratio = rate / other;
    const isMissed = bar !== undefined && ratio < bar;
    if (isMissed) missed++;
    console.log(
      `  ${name.padEnd(nameWidth)}${shown(rate)}${shown(other)}  ${
        besideName.padEnd(besideWidth)
      }` +
        `${ratio.toFixed(ratio < 10 ? 2 : 0).padStart(5)}×` +
        (bar === undefined ? "" : `  bar ${bar}×${isMissed ? ": missed" : ""}`),
    );
  }
  console.log(missed === 0 ? "all bars met" : `${missed} bars missed`);
}
