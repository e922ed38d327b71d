/** How many tests passed and failed. */
export interface Count {
  passed: number;
  failed: number;
}

/** Reads the counts out of what `bun test` printed: its closing lines, or where it was stopped before
 * them, the lines of the tests. `undefined` where there are neither. */
export function countBun(output: string): Count | undefined {
  return lastPair(output, /^ *(\d+) pass$/gm, /^ *(\d+) fail$/gm) ??
    countLines(output, /^\(pass\) /gm, /^\(fail\) /gm);
}

/** Does the same with what `deno test` printed. */
export function countDeno(output: string): Count | undefined {
  return lastPair(output, /^\w+ \| (\d+) passed/gm, /^\w+ \| .*?(\d+) failed/gm) ??
    countLines(output, /(^| \.\.\.) ok \([^)]+\)$/gm, /(^| \.\.\.) FAILED \([^)]+\)$/gm);
}

/** The last ones: a test may run a runner itself and print what that says. */
function lastPair(output: string, passed: RegExp, failed: RegExp): Count | undefined {
  const last = (pattern: RegExp) => [...output.matchAll(pattern)].at(-1)?.[1];
  const [passedText, failedText] = [last(passed), last(failed)];
  if (passedText === undefined || failedText === undefined) return undefined;
  return { passed: Number(passedText), failed: Number(failedText) };
}

function countLines(output: string, passed: RegExp, failed: RegExp): Count | undefined {
  const count = (pattern: RegExp) => output.match(pattern)?.length ?? 0;
  const counts = { passed: count(passed), failed: count(failed) };
  return counts.passed + counts.failed > 0 ? counts : undefined;
}
