import { spawn } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The root of the project. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");

/** The command that runs Deno: this very runtime where it is Deno, the installed one elsewhere. */
export const DENO = "deno" in process.versions ? process.execPath : "deno";

/** What a finished command leaves. */
export interface Finished {
  /** Whether it ended by itself and with status 0. */
  ok: boolean;
  /** Whether it was stopped because it hung. */
  hung: boolean;
  /** All that it printed, on both streams, in order. */
  output: string;
}

/** What prints nothing for this long hangs, however busy the machine is. */
export const SILENCE_MS_MAX = 30 * 60_000;

/** Runs a command in a directory, with the installed runtimes on the path, and waits for its end.
 * It gets no input, and is killed when it prints nothing for a long time: how long a run takes depends on
 * what else the machine does. */
export function run(
  command: readonly string[],
  options: { cwd?: string; silenceMs?: number; env?: Record<string, string> } = {},
): Promise<Finished> {
  const [file, ...args] = command;
  if (file === undefined) throw new TypeError("Cannot run command: it is empty");
  const silenceMs = options.silenceMs ?? SILENCE_MS_MAX;

  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: options.cwd ?? ROOT,
      env: {
        ...process.env,
        // `deno run scripts/ok.ts` comes without the path that npm and `deno task` set up.
        PATH: join(ROOT, "node_modules", ".bin") + delimiter + (process.env.PATH ?? ""),
        NO_COLOR: "1",
        DENO_NO_UPDATE_CHECK: "1",
        ...options.env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const stop = () => {
      output += `\nStopped: it printed nothing for ${silenceMs / 1000} s\n`;
      child.kill("SIGKILL");
      // Its own children may hold these open, and nobody waits for those.
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ ok: false, hung: true, output });
    };
    let timer = setTimeout(stop, silenceMs);
    const keep = (text: string) => {
      output += text;
      clearTimeout(timer);
      timer = setTimeout(stop, silenceMs);
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    child.on("error", (error) => {
      clearTimeout(timer);
      output += `\nCannot run ${file}: ${error.message}\n`;
      resolve({ ok: false, hung: false, output });
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ ok: status === 0, hung: false, output });
    });
  });
}

/** Runs a command and throws its output where it fails. */
export async function runOrThrow(
  command: readonly string[],
  options: { cwd?: string } = {},
): Promise<string> {
  const { ok, output } = await run(command, options);
  if (!ok) throw new Error(`Failed: ${command.join(" ")}\n${output}`);
  return output;
}
