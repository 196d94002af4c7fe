/** docs/performance.md's figures are those of bench/RESULTS.md, and its arithmetic is right. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
const page = read("docs/performance.md");
const results = read("bench/RESULTS.md");

it.each([
  ["JSON cross_entropy 3x5"],
  ["JSON cross_entropy 64x1000"],
  ["JSON log_softmax 64x1000"],
  ["safetensors cross_entropy 64x131072"],
])("%s is what the benchmark measured, within 10 %", (measure) => {
  const line = page.split("\n").find((row) => row.startsWith(`| ${measure}`))!;
  const stated = Number(line.split("|")[3]!.trim().replace(",", ""));
  const row = results.split("\n").find((text) => text.includes(`| ${measure}`))!;
  const measured = Number(/\| (\d+) requests\/s/.exec(row)![1]);
  expect(Math.abs(stated / measured - 1)).toBeLessThan(0.1);
});

it("a million requests a second take the cores that the figures give", () => {
  const small = 36_100 * 0.65;
  expect(Math.abs(23_500 / small - 1)).toBeLessThan(0.02);
  expect(page).toContain(`10^6 / 23,500 = ${Math.ceil(10 ** 6 / 23_500)} cores`);
});

it("has every line of bench/RESULTS.md that a bar asks something of, and no other", () => {
  const bars = (text: string): string[][] =>
    text
      .split("\n")
      .filter((line) => /^\| P\d/.test(line))
      .map((line) =>
        line
          .split("|")
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );
  const asked = bars(results).filter((row) => row[8] !== "for information");
  const rows = asked.map(([bar, measure, ours, peer, theirs, ratio, , reach, verdict]) =>
    [bar, measure, ours, `${peer} ${theirs}`, ratio, reach, verdict].join(" | "),
  );
  expect(bars(page).map((row) => row.join(" | "))).toEqual(rows);
});
