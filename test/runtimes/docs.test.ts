/** The examples of docs/library.md and of lossd-core's README that need a page, a Worker, or the packed library. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Block } from "../support/blocks.ts";
import { blocksOf, readPage } from "../support/blocks.ts";
import { HAS_CHROMIUM, useBrowser } from "../support/chromium.ts";
import { NO_TOOLS, run, toolPath, useProject } from "./project.ts";
import { startSite } from "./site.ts";
import { startWorker } from "./worker.ts";

const project = useProject();
const browser = useBrowser();

/** The only block of a language, and the block behind it, which has its result. */
function exampleOf(page: string, language: string): { readonly text: string; readonly result: string } {
  const blocks = blocksOf(readPage(page));
  const found = blocks.flatMap((block, at) => (block.language === language ? [at] : []));
  expect(found).toHaveLength(1);
  const [block, next] = blocks.slice(found[0]!) as [Block, Block];
  return { text: block.text, result: next.text.trim() };
}

it("docs/library.md: the page shows its loss", async ({ skip }) => {
  skip(!HAS_CHROMIUM, "chromium is not installed");
  const { text, result } = exampleOf("docs/library.md", "html");
  const site = await startSite({ folder: project(), page: text });
  const page = await browser().newPage();
  try {
    await page.goto(site.url);
    await expect.poll(() => page.textContent("output")).toBe(result);
  } finally {
    await page.close();
    site.stop();
  }
}, 30_000);

it("docs/library.md: the Worker returns log-probabilities", async ({ skip }) => {
  const { text, result } = exampleOf("docs/library.md", "js");
  const worker = await startWorker(project(), [["worker.js", text]]);
  if (worker === undefined) return skip(`Miniflare: ${NO_TOOLS}`);
  try {
    const response = await worker.dispatchFetch("http://localhost/", { method: "POST", body: "[0,0]" });
    expect(await response.json()).toEqual(JSON.parse(result));
  } finally {
    await worker.dispose();
  }
}, 30_000);

it.for(["node", "deno", "bun"])("lossd-core's README: %s prints the loss", async (runtime, { skip }) => {
  const { text, result } = exampleOf("src/runtimes/README.md", "js");
  writeFileSync(join(project(), "readme.js"), text);
  const program = runtime === "node" ? process.execPath : toolPath(`.bin/${runtime}`);
  if (program === undefined) return skip(`${runtime}: ${NO_TOOLS}`);
  const args = runtime === "deno" ? ["run", "--allow-read", "readme.js"] : ["readme.js"];
  expect((await run(program, args, { cwd: project() })).stdout.trim()).toBe(result);
});
