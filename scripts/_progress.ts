import { Presets, SingleBar } from "cli-progress";
import process from "node:process";

/** Where output is no terminal, a line is printed this often. */
const LINE_MS = 10_000;

/** How far a long run has come: a bar on a terminal, a line now and then elsewhere. */
export class Progress {
  readonly #what: string;
  readonly #total: number;
  readonly #bar: SingleBar | undefined;
  #lastLine = performance.now();

  /** @param what What is counted: `kills`. */
  constructor(what: string, total: number) {
    this.#what = what;
    this.#total = total;
    if (!process.stdout.isTTY) return;
    this.#bar = new SingleBar(
      { format: `{bar} {value}/{total} ${what}, {note}`, hideCursor: true },
      Presets.shades_classic,
    );
    this.#bar.start(total, 0, { note: "" });
  }

  /** Says how far it is, and a note. */
  update(value: number, note: string): void {
    this.#bar?.update(value, { note });
    if (this.#bar !== undefined || performance.now() - this.#lastLine < LINE_MS) return;
    this.#lastLine = performance.now();
    console.log(`${value}/${this.#total} ${this.#what}, ${note}`);
  }

  /** Ends the bar. A second call does nothing. */
  stop(): void {
    this.#bar?.stop();
  }
}
