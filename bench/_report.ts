/** Results as text.
 *
 * @module
 */

import { LIMITS } from "./_bars.ts";
import type { RunSettings } from "./_command_line.ts";
import { GROWTH, RESOURCES } from "./_contestants.ts";
import type { Finding, Ratio } from "./_findings.ts";
import type { GrowthLine, Head, ResourceLine } from "./_results.ts";
import { HYBRID_WRITE_FACTOR } from "./_runner.ts";

const NAME_WIDTH = 28;
const FIGURE_WIDTH = 12;
const MEBIBYTE = 2 ** 20;

/** What stands above the table. */
export function formatHead(
  { runtime, versions, machine }: Head,
  settings: RunSettings,
): string {
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${runtime.name} ${runtime.version}; ${names.join(", ")}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryMiB} MiB, ${machine.platform} ` +
    `${machine.arch}; fsync ${machine.fsyncMs.toFixed(2)} ms`,
    `${
      format(settings.keys)
    } keys, ${settings.rounds} rounds, trials of ${settings.trialMs} ms at ` +
    `most (writes of HybridStore ${HYBRID_WRITE_FACTOR * settings.trialMs} ms)`,
    "Medians of the rounds, least and most; " +
    (settings.quick
      ? ""
      : "the ratio is HybridStore's to each, above 1 where it is the better one; ") +
    "latencies in µs (p50 / p99 / max), from a pass of their own",
  ].join("\n");
}

/** One work: its contestants, HybridStore's ratio to each, and the bars.
 *
 * @param noteBefore The note of the work before, which is not repeated.
 */
export function formatWork(
  { row, work: { note }, contestants, ratios }: Finding,
  noteBefore: string | undefined,
): string {
  const lines = contestants.map((contestant) => {
    const { name, median, guarantee, line: { rounds, latencyUs, stallMsMax } } = contestant;
    const found = ratios.find(({ peer }) => peer === contestant.id);
    const spread = `${format(Math.min(...rounds))}..${format(Math.max(...rounds))}`;
    const latency = latencyUs?.map(format).join(" / ") ??
      (stallMsMax === undefined ? "" : `max ${format(stallMsMax)} ms`);
    return [
      `  ${name.padEnd(NAME_WIDTH)}`,
      format(median).padStart(FIGURE_WIDTH),
      spread.padStart(2 * FIGURE_WIDTH),
      (found === undefined ? "" : formatRatio(found)).padEnd(22),
      latency.padEnd(24),
      guarantee.how,
    ].join("  ").trimEnd();
  });
  const limit = ratios.find(({ peer }) => peer === "limit");
  return [
    `${row.id}  ${row.title}, ${row.unit}`,
    ...lines,
    ...(limit === undefined ? [] : [`  limit ${LIMITS.get(row.id)} ms: ${verdict(limit)}`]),
    ...(note === undefined || note === noteBefore ? [] : [`  ${note}`]),
  ].join("\n");
}

/** What the contestants take up. */
export function formatResources(resources: readonly ResourceLine[]): string {
  const lines = resources.map((line) => {
    const { diskBytes, writtenBytes, dataBytes, peakRssBytes, burstRssBytes } = line;
    const columns = [
      mebibytes(diskBytes),
      (diskBytes / dataBytes).toFixed(2),
      writtenBytes === undefined ? "" : (writtenBytes / dataBytes).toFixed(2),
      burstRssBytes === undefined ? "" : mebibytes(burstRssBytes),
      peakRssBytes === undefined ? "" : mebibytes(peakRssBytes),
    ];
    const name = nameOf(line.resources).padEnd(NAME_WIDTH);
    return `  ${name}${columns.map((text) => text.padStart(16)).join("")}`;
  });
  const head = ["disk MiB", "disk / data", "written / data", "burst RSS MiB", "peak RSS MiB"];
  return [
    "resources  a burst of all keys, then as many random gets, each in a process of its own; burst " +
    "RSS: the peak of the burst over the data itself",
    `  ${"".padEnd(NAME_WIDTH)}${head.map((text) => text.padStart(16)).join("")}`,
    ...lines,
  ].join("\n");
}

/** How the cost of an operation goes with the number of keys. */
export function formatGrowth(growth: readonly GrowthLine[]): string {
  const sizes = [...new Set(growth.flatMap(({ points }) => points.map(([keys]) => keys)))];
  return [
    "growth  µs per operation, by the number of keys",
    `  ${"".padEnd(NAME_WIDTH + 12)}${sizes.map((size) => format(size).padStart(12)).join("")}`,
    ...growth.map(({ growth: id, of, points }) =>
      `  ${nameOf(id).padEnd(NAME_WIDTH)}${of.padEnd(12)}` +
      points.map(([, usPerOperation]) => usPerOperation.toFixed(2).padStart(12)).join("")
    ),
  ].join("\n");
}

/** How many bars were met, and which were not. */
export function formatBars(findings: readonly Finding[]): string {
  const barred = findings.flatMap(({ row: { id }, ratios }) =>
    ratios.filter(({ bar }) => bar !== undefined).map((ratio) => ({ id, ratio }))
  );
  const missed = barred.filter(({ ratio }) => ratio.isMet === false);
  return [
    `${barred.length - missed.length} of ${barred.length} bars met`,
    ...missed.map(({ id, ratio }) => `  ${id} against ${ratio.peer}: ${verdict(ratio)}`),
  ].join("\n");
}

function formatRatio(ratio: Ratio): string {
  return ratio.bar === undefined ? `${ratio.ratio.toFixed(2)}x` : verdict(ratio);
}

function verdict({ ratio, bar, isMet }: Ratio): string {
  return `${ratio.toFixed(2)}x, bar ${bar ?? 1}x ${isMet === false ? "below" : "ok"}`;
}

function nameOf(measured: string): string {
  return [...RESOURCES, ...GROWTH].find(({ id }) => id === measured)?.name ?? measured;
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(1);
}

function format(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 1 : 0 });
}
