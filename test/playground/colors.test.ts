/** The colors of numbers, and the text on them, also where the numbers span no range. */
import { rgb } from "d3-color";
import { describe, expect, it } from "vitest";
import type { Heat } from "../../playground/steps/colors.ts";
import { contrast, heatScale } from "../../playground/steps/colors.ts";

const HEATS = ["signed", "share", "log", "loss"] as const;
const MAX = Number.MAX_VALUE;
const MIN = Number.MIN_VALUE;

const backgrounds = (heat: Heat, values: readonly number[]): string[] =>
  values.map((value) => heatScale(heat, values)(value).background);

it("every color of every heat has a text of 4.5:1 or more on it", () => {
  for (const heat of HEATS) {
    const most = heat === "share" ? 1 : 10;
    const low = heat === "signed" || heat === "log" ? -most : 0;
    const high = heat === "log" ? 0 : most;
    const values = Array.from({ length: 1001 }, (_, at) => low + ((high - low) * at) / 1000);
    const paint = heatScale(heat, values);
    for (const value of [...values, NaN, Infinity, -Infinity]) {
      const { background, text } = paint(value);
      expect(contrast(background, text), `${heat} ${value}`).toBeGreaterThanOrEqual(4.5);
    }
  }
});

it("takes 200,000 numbers", () => {
  const values = Array.from({ length: 200_000 }, (_, at) => at % 7);
  expect(heatScale("signed", values)(6).background).toBe(heatScale("signed", [6])(6).background);
});

describe("a range without a span", () => {
  it.each([
    ["zeros", [0, 0, 0]],
    ["negative zeros", [-0, -0]],
    ["one zero", [0]],
    ["equal positive numbers", [3, 3]],
    ["equal negative numbers", [-3, -3]],
    ["one number", [0.25]],
    ["NaN and infinities only", [NaN, Infinity, -Infinity]],
    ["a zero among NaN and infinities", [0, NaN, Infinity, -Infinity]],
    ["the smallest subnormals", [-MIN, 0, MIN]],
    ["subnormals", [1e-310, 2e-310, -3e-320]],
    ["the largest doubles", [-MAX, MAX, 0, MAX / 2]],
    ["the largest and the smallest double", [MAX, MIN]],
    ["no numbers", []],
  ])("has valid colors with readable text for %s", (_name, values) => {
    for (const heat of HEATS) {
      const paint = heatScale(heat, values);
      for (const value of [...values, 0, NaN, Infinity]) {
        const { background, text } = paint(value);
        const { r, g, b } = rgb(background);
        expect([r, g, b].every(Number.isFinite), `${heat} ${value}: ${background}`).toBe(true);
        expect(background, `${heat} ${value}`).not.toMatch(/^(?:#000|rgb\(0, 0, 0\))/);
        expect(contrast(background, text), `${heat} ${value}`).toBeGreaterThanOrEqual(4.5);
      }
    }
  });

  it("paints a zero in the color that a zero has beside other numbers", () => {
    for (const heat of HEATS) {
      const zero = heatScale(heat, [1, -1, 0])(0);
      for (const values of [[0], [0, 0, 0], [-0], [NaN, 0, Infinity], []])
        expect(heatScale(heat, values)(0), `${heat} ${values}`).toEqual(zero);
    }
  });

  it.each([1, -1])("tells numbers apart near the ends of the doubles, with the sign of %i", (sign) => {
    const parts = [1, 0.5, 0.25].map((part) => sign * part);
    const heats = sign > 0 ? (["signed", "loss"] as const) : (["signed", "log"] as const);
    for (const heat of heats) {
      const expected = backgrounds(heat, parts);
      expect(new Set(expected).size).toBe(3);
      for (const unit of [MAX, 2 ** -1060, 1])
        expect(
          backgrounds(
            heat,
            parts.map((part) => part * unit),
          ),
          `${heat} ${unit}`,
        ).toEqual(expected);
    }
  });

  it("keeps numbers outside of a heat's range at its end", () => {
    expect(backgrounds("loss", [-1, 0])[0]).toBe(backgrounds("loss", [0])[0]);
    expect(backgrounds("log", [1, 0])[0]).toBe(backgrounds("log", [0])[0]);
    expect(backgrounds("share", [2, 1])[0]).toBe(backgrounds("share", [1])[0]);
  });
});
