/** Curves as SVG: the loss over the training steps, and the loss over one score with its slope. */
import type { ScaleLinear } from "d3-scale";
import { scaleLinear } from "d3-scale";
import type { CurvePoint } from "../request/training.ts";
import { shortNumber } from "../tensors/arithmetic.ts";
import { element, svgElement } from "./dom.ts";

const SIZE = { width: 360, height: 190 };
const MARGIN = { left: 48, right: 12, top: 10, bottom: 34 };
const TITLE_HEIGHT = 16;
const TICKS = { x: 5, y: 4 };
/** Length of the tangent, as a share of the width. */
const TANGENT_SHARE = 0.22;
/** The ends of an axis are up to twice as far, and their difference must not overflow. */
const MAX_DRAWN = Number.MAX_VALUE / 8;

export interface Curve {
  /** Says in a sentence what the picture shows. */
  readonly label: string;
  readonly xTitle: string;
  readonly points: readonly CurvePoint[];
  /** A point with a dot. */
  readonly mark?: CurvePoint;
  /** Slope of a line through the mark. */
  readonly slope?: number;
  /** Least width of the x axis, which begins at the first point. */
  readonly minSpan?: number;
}

interface Scales {
  readonly x: ScaleLinear<number, number>;
  readonly y: ScaleLinear<number, number>;
}

/** Draws a curve with its axes. Leaves out points that {@link isDrawable} excludes. */
export function drawCurve(curve: Curve): SVGElement {
  const picture = svgElement("svg", {
    class: "curve",
    viewBox: `0 0 ${SIZE.width} ${SIZE.height}`,
    role: "img",
    "aria-label": curve.label,
  });
  const scales = scalesOf(curve);
  picture.append(...drawAxes(scales, curve.xTitle));
  picture.append(svgElement("path", { class: "line", d: pathOf(curve.points, scales) }));
  const { mark, slope } = curve;
  if (mark === undefined || !isDrawable(mark)) return picture;
  if (slope !== undefined && Number.isFinite(slope)) picture.append(drawTangent(mark, slope, scales));
  picture.append(svgElement("circle", { class: "mark", ...centerOf(mark, scales), r: "5" }));
  return picture;
}

/** Returns true for a point whose numbers are finite, and small enough for an axis that reaches from one to another. */
function isDrawable({ x, y }: CurvePoint): boolean {
  return [x, y].every((one) => Math.abs(one) <= MAX_DRAWN);
}

function scalesOf({ points, minSpan = 0 }: Curve): Scales {
  const xs = points.map(({ x }) => x);
  const ys = points.filter(isDrawable).map(({ y }) => y);
  const [low, high] = [Math.min, Math.max].map((pick) => ys.reduce((one, other) => pick(one, other), 0)) as [
    number,
    number,
  ];
  const first = xs[0] ?? 0;
  const last = Math.max(xs.at(-1) ?? 0, first + minSpan);
  return {
    x: scaleLinear([first, last], [MARGIN.left, SIZE.width - MARGIN.right]),
    y: scaleLinear([low, high === low ? low + 1 : high], [SIZE.height - MARGIN.bottom, MARGIN.top]).nice(
      TICKS.y,
    ),
  };
}

function drawAxes({ x, y }: Scales, xTitle: string): SVGElement[] {
  const [bottom, right] = [SIZE.height - MARGIN.bottom, SIZE.width - MARGIN.right];
  const rows = y
    .ticks(TICKS.y)
    .flatMap((tick) => [
      svgElement("path", { class: "grid", d: `M${MARGIN.left} ${round(y(tick))}H${right}` }),
      svgElement(
        "text",
        { x: String(MARGIN.left - 6), y: String(round(y(tick)) + 4), "text-anchor": "end" },
        shortNumber(tick),
      ),
    ]);
  const columns = x
    .ticks(TICKS.x)
    .map((tick) =>
      svgElement(
        "text",
        { x: String(round(x(tick))), y: String(bottom + 15), "text-anchor": "middle" },
        shortNumber(tick),
      ),
    );
  return [...rows, ...columns, drawTitle(xTitle)];
}

/** Draws the title of the x axis as HTML, because SVG shortens no text. */
function drawTitle(title: string): SVGElement {
  const frame = svgElement("foreignObject", {
    x: String(MARGIN.left),
    y: String(SIZE.height - TITLE_HEIGHT),
    width: String(SIZE.width - MARGIN.left - MARGIN.right),
    height: String(TITLE_HEIGHT),
  });
  frame.append(element("div", { class: "axis-title" }, title));
  return frame;
}

function pathOf(points: readonly CurvePoint[], scales: Scales): string {
  return points
    .map((point, index) => {
      if (!isDrawable(point)) return "";
      const command = index === 0 || !isDrawable(points[index - 1]!) ? "M" : "L";
      return `${command}${round(scales.x(point.x))} ${round(scales.y(point.y))}`;
    })
    .join("");
}

function drawTangent(mark: CurvePoint, slope: number, { x, y }: Scales): SVGElement {
  const half = (TANGENT_SHARE * (SIZE.width - MARGIN.left - MARGIN.right)) / 2;
  // Differences of scaled numbers would be 0 on an axis that reaches to 1e38.
  const angle = Math.atan2(
    (slope / spanOf(y.domain())) * spanOf(y.range()),
    spanOf(x.range()) / spanOf(x.domain()),
  );
  const [run, rise] = [half * Math.cos(angle), half * Math.sin(angle)];
  const [left, top] = [x(mark.x), y(mark.y)];
  return svgElement("path", {
    class: "tangent",
    d: `M${round(left - run)} ${round(top - rise)}L${round(left + run)} ${round(top + rise)}`,
  });
}

function spanOf(ends: readonly number[]): number {
  return ends.at(-1)! - ends[0]!;
}

function centerOf(mark: CurvePoint, { x, y }: Scales): { cx: string; cy: string } {
  return { cx: String(round(x(mark.x))), cy: String(round(y(mark.y))) };
}

/** Rounds to the tenth of a pixel. */
function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
