/** CONTRIBUTING.md names what is there. */
import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const page = readFileSync(new URL("../../CONTRIBUTING.md", import.meta.url), "utf8");
const { scripts } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

it("names files and folders that exist", () => {
  const paths = [...page.matchAll(/`((?:src|test|docs|build|bench)\/[\w./-]*)`|\]\(([\w./-]+)\)/g)].map(
    ([, code, link]) => code ?? link!,
  );
  expect(paths.length).toBeGreaterThan(30);
  for (const path of paths) expect(existsSync(new URL(`../../${path}`, import.meta.url)), path).toBe(true);
});

it("names commands that exist", () => {
  for (const [, name] of page.matchAll(/npm run ([\w:]+)/g)) expect(Object.keys(scripts)).toContain(name);
});

it("counts the cases of test/conformance", () => {
  const files = [
    "torch-cases.jsonl",
    "torch2-cases.jsonl",
    "torch2-grid.jsonl",
    "torch2-options.jsonl",
    "kl-div-cases.jsonl",
    "gather-cases.jsonl",
  ];
  const lines = files.flatMap((file) =>
    readFileSync(new URL(`../conformance/${file}`, import.meta.url), "utf8")
      .trim()
      .split("\n"),
  );
  const [, count] = /PyTorch's results for ([\d,]+) cases/.exec(page)!;
  expect(Number(count!.replace(",", ""))).toBe(lines.length);
});
