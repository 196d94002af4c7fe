/** Every command and every answer of the README, run, and its figures beside those of bench/RESULTS.md. */
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

it("has the commands that .ci/run runs, the start first", () => {
  expect(blocks[0]!.text).toBe("npm ci && npm start\n");
  expect(blocks.some(({ text }) => text === "npm ci && npm test\n")).toBe(true);
  const gate = readPage(".ci/run");
  expect(gate).toContain("npm ci && exec npm start;");
  expect(gate).toContain("\nnpm ci && npm test ");
  expect(readme).toContain("`npm run test:clients`");
  expect(gate).toContain("\nnpm run --silent test:clients ");
});

it("is short enough to be read to its end", () => {
  expect(readme.split("\n").length).toBeLessThanOrEqual(110);
});

it("shows the playground, light and dark, in small pictures", () => {
  const paths = [...readme.matchAll(/(?:src|srcset)="([^"]+)"/g)].map(([, path]) => path!);
  expect(paths.map((path) => /-(\w+)\.webp$/.exec(path)?.[1])).toEqual(["dark", "light"]);
  for (const path of paths) {
    const bytes = readFileSync(new URL(`../../${path}`, import.meta.url));
    expect(bytes.toString("latin1", 8, 12)).toBe("WEBP");
    expect(bytes.length).toBeLessThan(150_000);
  }
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

it.each([
  ["worst error of gradient over 10^4 rows", "PyTorch"],
  ["cross_entropy 64x128256", "PyTorch"],
  ["4 GiB of float32 logits, the loss", "its own idle"],
])("states of %s what bench/RESULTS.md measured", (measure, peer) => {
  const rows = readPage("bench/RESULTS.md")
    .split("\n")
    .filter((line) => /^\| P\d/.test(line))
    .map((line) => line.split(" | "));
  const [, , ours, , theirs] = rows.find(
    ([, name, , beside]) => name!.startsWith(measure) && beside === peer,
  )!;
  expect(readme).toContain(ours);
  if (peer === "PyTorch") expect(readme).toMatch(new RegExp(`PyTorch(?:'s)? ${theirs}`));
});

it("counts the cases of test/conformance as CONTRIBUTING.md does", () => {
  const [, count] = /results for ([\d,]+) cases/.exec(readPage("CONTRIBUTING.md"))!;
  expect(readme).toContain(`compare ${count} cases`);
});
