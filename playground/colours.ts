/** Heat: a colour for a number, and the text colour that can be read on it. */
import { rgb } from "d3-color";
import { scaleDiverging, scaleSequential } from "d3-scale";
import { interpolateBlues, interpolateOranges, interpolateRdBu } from "d3-scale-chromatic";

/** What a table's numbers are: signed scores, probabilities in [0, 1], log-probabilities up to 0, losses from 0. */
export type Heat = "signed" | "share" | "log" | "loss";

export interface Paint {
  readonly background: string;
  readonly text: string;
}

/** For what has no place on a scale: NaN, infinities. */
const OFF_SCALE: Paint = { background: "#d9dbe0", text: "#000000" };

/** The ends of the colour scales are left out: there only one of black and white could be read, and barely. */
const [PALE, DEEP] = [0.04, 0.88];

/** The colours of a table, from all its numbers. */
export function heatOf(heat: Heat, values: readonly number[]): (value: number) => Paint {
  const most = values
    .filter(Number.isFinite)
    .reduce((largest, value) => Math.max(largest, Math.abs(value)), Number.MIN_VALUE);
  const scale = scaleOf(heat, most);
  return (value) => (Number.isFinite(value) ? paint(scale(value)) : OFF_SCALE);
}

function scaleOf(heat: Heat, most: number): (value: number) => string {
  if (heat === "share") return scaleSequential((t: number) => interpolateBlues(PALE + t * (DEEP - PALE)));
  if (heat === "loss")
    return scaleSequential((t: number) => interpolateOranges(PALE + t * (DEEP - PALE))).domain([0, most]);
  if (heat === "log")
    return scaleSequential((t: number) => interpolateBlues(PALE + t * (DEEP - PALE))).domain([-most, 0]);
  return scaleDiverging((t: number) => interpolateRdBu(1 - (0.12 + t * 0.76))).domain([-most, 0, most]);
}

function paint(background: string): Paint {
  const dark = contrast(background, "#000000");
  return { background, text: dark >= contrast(background, "#ffffff") ? "#000000" : "#ffffff" };
}

/** The contrast of two colours (WCAG 2.2, 1.4.3), from 1 to 21. */
export function contrast(one: string, other: string): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

function luminance(colour: string): number {
  const { r, g, b } = rgb(colour);
  const [red, green, blue] = [r, g, b].map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
