import { SingleBar } from "cli-progress";
import process from "node:process";
import { formatBytes, formatCount, formatSeconds } from "./format.ts";

/** What is counted. */
export type Unit = "subjects" | "statements" | "keys" | "bytes";

/** Where no bar can be drawn, a line this often. */
const LINE_MS = 2000;

/** Is told how far a phase is. */
export interface Progress {
  /** Starts a phase.
   *
   * @param done What earlier runs have done of `total`.
   */
  begin(phase: string, total: number, unit: Unit, done?: number): void;
  /** Says how much of the total is done. */
  update(done: number): void;
  /** Ends a phase that is done. */
  end(done: number): void;
}

/** Shows how far a phase is: a bar on a terminal, else a plain line now and then. */
export class ShownProgress implements Progress {
  readonly #bar: SingleBar | undefined;
  #phase = "";
  #unit: Unit = "keys";
  #total = 0;
  #first = 0;
  #start = 0;
  #lastLine = 0;

  constructor() {
    if (!process.stdout.isTTY) return;
    this.#bar = new SingleBar({
      stream: process.stdout,
      format: "{phase}  {bar}  {text}",
      barsize: 20,
      barCompleteChar: "█",
      barIncompleteChar: "░",
    });
  }

  begin(phase: string, total: number, unit: Unit, done = 0): void {
    this.#phase = phase.padEnd(7);
    this.#unit = unit;
    this.#total = total;
    this.#first = done;
    this.#start = this.#lastLine = performance.now();
    if (this.#bar !== undefined) {
      this.#bar.start(total, done, this.#payload(done));
    } else {
      const going = done > 0 ? `goes on at ${this.#format(done)} of` : "begins:";
      console.log(`${this.#phase}  ${going} ${this.#format(total)} ${this.#noun}`.trimEnd());
    }
  }

  update(done: number): void {
    if (this.#bar !== undefined) return this.#bar.update(done, this.#payload(done));
    const now = performance.now();
    if (now - this.#lastLine < LINE_MS) return;
    this.#lastLine = now;
    console.log(`${this.#phase}  ${this.#text(done)}`);
  }

  end(done: number): void {
    if (this.#bar !== undefined) {
      this.#bar.update(done, this.#payload(done));
      this.#bar.stop();
    } else {
      console.log(`${this.#phase}  ${this.#text(done)}`);
    }
  }

  /** Prints a line while a phase is under way. */
  note(text: string): void {
    // The bar draws itself again with the next update.
    if (this.#bar !== undefined) process.stdout.write("\r\x1b[K");
    console.log(text);
  }

  /** Leaves the terminal in order when a phase does not come to its end. */
  abandon(): void {
    this.#bar?.stop();
  }

  get #noun(): string {
    return this.#unit === "bytes" ? "" : this.#unit;
  }

  #payload(done: number): object {
    return { phase: this.#phase, text: this.#text(done) };
  }

  #text(done: number): string {
    const ms = performance.now() - this.#start;
    const rate = ms === 0 ? 0 : (done - this.#first) / ms * 1000;
    const percent = done < this.#total ? Math.floor(done / this.#total * 100) : 100;
    const noun = this.#noun && ` ${this.#noun}`;
    return `${percent}`.padStart(3) +
      ` %  ${this.#format(done)}${noun}, ${this.#format(rate)}/s, ${formatSeconds(ms)}`;
  }

  #format(amount: number): string {
    return this.#unit === "bytes" ? formatBytes(amount) : formatCount(amount);
  }
}
