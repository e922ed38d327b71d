/** Logarithmic scales.
 *
 * @module
 */

/** A logarithmic scale around some values, and where it has ticks. */
export function logScale(values: readonly number[]): {
  scale: { type: "log"; domain: [number, number]; nice: false };
  ticks: number[];
} {
  const domain: [number, number] = [Math.min(...values) / 1.5, Math.max(...values) * 2.2];
  const [min, max] = domain;
  const powers = Array.from({ length: 25 }, (_, i) => 10 ** (i - 12));
  // A scale of less than two powers of ten needs more ticks than those.
  const steps = max / min > 1000 ? [1] : max / min > 20 ? [1, 3] : [1, 2, 5];
  const ticks = powers.flatMap((power) =>
    steps.map((step) => Number((step * power).toPrecision(1)))
  )
    .filter((tick) => tick >= min && tick <= max);
  return { scale: { type: "log", domain, nice: false }, ticks };
}
