/** The colours of numbers, and the text on them. */
import { expect, it } from "vitest";
import { contrast, heatScale } from "../../playground/heat-map.ts";

it("every colour of every heat has a text of 4.5:1 or more on it", () => {
  for (const heat of ["signed", "share", "log", "loss"] as const) {
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
