/** The pages of docs/ for newcomers: every block is run (those of SDKs by test/sdk), every number is the server's, every link leads somewhere. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { lossesPicture } from "../../build/pictures.ts";
import { CROSS_ENTROPY, KL_DIV, LOG_SOFTMAX, NLL_LOSS } from "../../src/library/check.ts";
import { VERSION } from "../../src/version.ts";
import { expectAlmost } from "../support/almost.ts";
import type { Block } from "../support/blocks.ts";
import { blocksOf, expectPrinted, numbersIn, readPage, runBlock } from "../support/blocks.ts";
import { useService } from "../support/service.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PAGES = [
  "docs/start.md",
  "docs/losses.md",
  "docs/options.md",
  "docs/command-line.md",
  "docs/recipes.md",
  "docs/from-pytorch.md",
  "docs/library.md",
];
const service = useService();

/** What cannot be run here, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  "npm ci && npm start": "it is how this test's server was built; .ci/run does it on a clean clone",
  "docker build": "there is no container engine; test/build/image.test.ts rehearses the image",
  "npm pack":
    "packing builds under the feet of the other tests; test/build/package.test.ts installs the package elsewhere",
  "npm init -y":
    "it would make this repository another package; test/build/package.test.ts installs the file elsewhere",
  "npm run -s sdk": "test/sdk runs it",
  "cat > sdk/": "test/sdk runs it",
  "kubectl apply": "there is no cluster; test/deploy validates the manifests",
};

/** Languages of the blocks that test/runtimes runs: pages and Workers. */
const RUN_ELSEWHERE = ["html", "js"];

const isAbsent = (program: string, ...args: string[]): boolean => spawnSync(program, args).status !== 0;

describe.each(PAGES)("%s", (page) => {
  const blocks = blocksOf(readPage(page));
  const runs = blocks.flatMap((block, at) =>
    ["sh", "ts", "python"].includes(block.language) ? [{ block, next: blocks[at + 1] as Block }] : [],
  );

  for (const { block, next } of runs) {
    const [title = ""] = block.text.trim().split("\n");
    if (Object.keys(NOT_RUN).some((begin) => block.text.startsWith(begin))) continue;
    it(`runs ${block.language}: ${title.slice(0, 80)}`, async ({ skip }) => {
      if (block.text.includes("import torch")) {
        skip(isAbsent("python3", "-c", "import torch"), "python3 has no torch");
        // Beside it stands the request that gives the same.
        const at = blocks.indexOf(block);
        const [answer] = [JSON.parse(blocks[at + 2]!.text)];
        const [printed] = numbersIn(await runBlock(block, service().url));
        expectAlmost(printed, answer.loss ?? answer.grad_input[0][0]);
        return;
      }
      if (block.text.includes("go run")) skip(isAbsent("go", "version"), "there is no Go");
      const printed = await runBlock(block, service().url);
      if (block.text.includes("lossd -- check")) expect(printed).toMatch(/(\d+) of \1 checks passed/);
      else if (next.language === "json") expectAlmost(JSON.parse(printed), JSON.parse(next.text));
      else {
        expect(next.language).toBe("text");
        expectPrinted(printed, next.text);
      }
    }, 60_000);
  }

  it("has no block that nobody runs", () => {
    for (const { language } of blocks)
      expect(["sh", "ts", "python", "json", "text", ...RUN_ELSEWHERE]).toContain(language);
  });
});

it("the tables of docs/losses.md are the server's numbers", async () => {
  const page = readPage("docs/losses.md");
  const table = (name: string): number[][] => {
    const [, text] = new RegExp(`<!-- table: ${name} -->\\n\\n((?:\\|.*\\n)+)`).exec(page)!;
    const rows = text!.trim().split("\n").slice(2);
    return rows.map((row) => row.split("|").slice(2, -1).map(Number));
  };
  const short = (rows: readonly (readonly number[])[]): number[][] =>
    rows.map((row) => row.map((value) => Number(value.toPrecision(4))));
  const ask = async (operation: string, body: object) =>
    (await service().post(`/v1/${operation}`, body)).json;
  const input = table("input");
  const target = [0, 0, 0];
  const { output } = await ask("log_softmax", { input, dim: 1 });
  expect(table("log")).toEqual(short(output));
  expect(table("softmax")).toEqual(short(output.map((row: number[]) => row.map(Math.exp))));
  const { losses } = await ask("cross_entropy", { input, target, reduction: "none" });
  expect(table("losses")).toEqual(short(losses.map((loss: number) => [loss])));
  const { grad_input } = await ask("cross_entropy", { input, target, return_grad: true });
  expect(table("gradient")).toEqual(short(grad_input));
});

it("the picture of docs/losses.md is what `npm run pictures` draws", () => {
  expect(readPage("docs/pictures/losses.svg")).toBe(lossesPicture());
});

const ALL = readdirSync(join(ROOT, "docs"))
  .filter((file) => file.endsWith(".md"))
  .map((file) => `docs/${file}`);

it.each(["README.md", "CONTRIBUTING.md", "SECURITY.md", "PROMISES.md", ...ALL])(
  "every link of %s leads to a file",
  (page) => {
    for (const [, link] of readPage(page).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)) {
      expect(existsSync(join(ROOT, dirname(page), link!)), link).toBe(true);
    }
  },
);

it("docs/library.md lists every option, with its function", () => {
  const rows = [...readPage("docs/library.md").matchAll(/^\| `(\w+)` \| `([^`]*)` \| (.*?) \|/gm)];
  const listed = rows.flatMap(([, name, , functions]) =>
    functions!.split(", ").map((each) => `${each} ${name}`),
  );
  const tables = { logSoftmax: LOG_SOFTMAX, nllLoss: NLL_LOSS, crossEntropy: CROSS_ENTROPY, klDiv: KL_DIV };
  const options = Object.entries(tables).flatMap(([name, table]) =>
    Object.keys(table).map((option) => `\`${name}\` ${option}`),
  );
  expect(listed.sort()).toEqual(options.sort());
});

it("docs/library.md installs the files that npm pack makes now", () => {
  expect(readPage("docs/library.md")).toContain(
    `/lossd-core-${VERSION}.tgz"      # or lossd-${VERSION}.tgz\n`,
  );
});

it("docs/README.md lists every page", () => {
  const index = readPage("docs/README.md");
  for (const page of ALL) if (!page.endsWith("README.md")) expect(index).toContain(`(${page.slice(5)})`);
});
