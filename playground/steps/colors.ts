/** Colors of numbers: the background of a cell by its value, and a text color that is readable on it. */
import { rgb } from "d3-color";
import { interpolateBlues, interpolateOranges, interpolateRdBu } from "d3-scale-chromatic";

/** Color scales: signed scores, probabilities in [0, 1], log-probabilities up to 0, losses from 0. */
export type Heat = "signed" | "share" | "log" | "loss";

export interface CellColors {
  readonly background: string;
  readonly text: string;
}

/** Colors NaN and infinities, which have no place on a scale. */
const NON_FINITE_COLORS: CellColors = { background: "#d9dbe0", text: "#000000" };

/** Cuts off the ends of the color ramps, where neither black nor white text has enough contrast. */
const [SEQUENTIAL_START, SEQUENTIAL_END, DIVERGING_START, DIVERGING_END] = [0.04, 0.88, 0.12, 0.88];

/** Background of each heat for a value from -1 to 1: its share of the largest magnitude, for `share` the value itself. */
const BACKGROUNDS: Readonly<Record<Heat, (part: number) => string>> = {
  signed: (part) =>
    interpolateRdBu(1 - (DIVERGING_START + ((part + 1) / 2) * (DIVERGING_END - DIVERGING_START))),
  share: (part) => sequential(interpolateBlues, part),
  log: (part) => sequential(interpolateBlues, 1 + part),
  loss: (part) => sequential(interpolateOranges, part),
};

function sequential(interpolate: (t: number) => string, part: number): string {
  const clamped = Math.min(Math.max(part, 0), 1);
  return interpolate(SEQUENTIAL_START + clamped * (SEQUENTIAL_END - SEQUENTIAL_START));
}

/**
 * Returns the colors of a step's values. The scale ends at the largest finite magnitude; without one, all of it is the
 * color of 0.
 */
export function heatScale(heat: Heat, values: readonly number[]): (value: number) => CellColors {
  const max = values
    .filter(Number.isFinite)
    .reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  // A quotient, unlike a span, neither overflows nor loses a subnormal.
  const partOf = (value: number): number => (heat === "share" ? value : max === 0 ? 0 : value / max);
  return (value) => (Number.isFinite(value) ? withText(BACKGROUNDS[heat](partOf(value))) : NON_FINITE_COLORS);
}

function withText(background: string): CellColors {
  const isBlack = contrast(background, "#000000") >= contrast(background, "#ffffff");
  return { background, text: isBlack ? "#000000" : "#ffffff" };
}

/** Returns the contrast ratio of two colors, from 1 to 21 (WCAG 2.2, 1.4.3). */
export function contrast(left: string, right: string): number {
  const [a, b] = [luminance(left), luminance(right)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

function luminance(color: string): number {
  const { r, g, b } = rgb(color);
  const [red, green, blue] = [r, g, b].map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
