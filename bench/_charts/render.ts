/** From the specification of a chart to its SVG.
 *
 * @module
 */

import * as vega from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** The types leave these out. */
const { textMetrics, resetSVGDefIds } = vega as unknown as {
  textMetrics: { width: (item: { fontSize?: number }, text: unknown) => number };
  resetSVGDefIds: () => void;
};

/** Of the size of a font, on average; no system font is much wider. */
const CHARACTER_WIDTH = 0.52;

// Without a canvas nothing can measure text, and Vega's own guess is half again too wide. It is a guess
// on purpose: a chart has to be the same wherever it is drawn.
textMetrics.width = ({ fontSize = 11 }, text) => String(text).length * fontSize * CHARACTER_WIDTH;

/** Draws a chart: the same bytes for the same specification. */
export async function renderSvg(spec: TopLevelSpec): Promise<string> {
  resetSVGDefIds();
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: "none" });
  try {
    return `${rounded(await view.toSVG())}\n`;
  } finally {
    view.finalize();
  }
}

/** A hundredth of a pixel is enough, and the last digits of a logarithm are not the same everywhere. */
function rounded(svg: string): string {
  return svg.replace(
    /="[^"]*"/g,
    (attribute) =>
      attribute.replace(/\d+\.\d{3,}/g, (number) => String(Number(Number(number).toFixed(2)))),
  );
}
