/** Every command and every answer of the README, run. */
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { expectAlmost } from "../support/almost.ts";
import { blocksOf, readPage, runBlock } from "../support/blocks.ts";
import { useService } from "../support/service.ts";

const readme = readPage("README.md");
const blocks = blocksOf(readme);
const service = useService();

const curls = blocks.flatMap(({ language, text }, at) =>
  language === "sh" && text.startsWith("curl ") ? [{ command: text, answer: blocks[at + 1]! }] : [],
);

it.each(curls.map((row) => [row.command.split("\n")[1]!, row] as const))(
  "answers %s",
  async (_title, { command, answer }) => {
    expect(answer.language).toBe("json");
    const printed = await runBlock({ language: "sh", text: command }, service().url);
    expectAlmost(JSON.parse(printed), JSON.parse(answer.text));
  },
);

it("opens with the two commands", () => {
  expect(blocks[0]!.text).toBe("npm ci && npm start\n");
  expect(blocks.some(({ text }) => text === "npm ci && npm test\n")).toBe(true);
});

it("names only scripts that exist", () => {
  const { scripts } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  for (const [, name] of readme.matchAll(/`npm run ([\w:]+)`/g)) expect(Object.keys(scripts)).toContain(name);
});

it("names only files that exist", () => {
  for (const [, path] of readme.matchAll(/`((?:src|test|docs|openapi)\/[\w./-]+)`/g)) {
    expect(existsSync(new URL(`../../${path}`, import.meta.url)), path).toBe(true);
  }
});

it("runs its library example", async () => {
  const [example] = blocks.filter(({ language }) => language === "ts");
  const text = `${example!.text}\nconsole.log(loss, gradInput.shape.join());`;
  const stdout = await runBlock({ language: "ts", text }, service().url);
  const [loss, shape] = stdout.trim().split(" ");
  expect(Number(loss)).toBeCloseTo(0.7531091, 6);
  expect(shape).toBe("2,3");
});

it("has every line of bench/RESULTS.md that a bar asks something of, and no other", () => {
  const results = readFileSync(new URL("../../bench/RESULTS.md", import.meta.url), "utf8");
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
  expect(bars(readme).map((row) => row.join(" | "))).toEqual(rows);
});
