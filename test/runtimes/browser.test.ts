/** PyTorch's cases in Chromium: the packed library as it is, and bundled by Vite, webpack and esbuild. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it as anywhere, expect } from "vitest";
import { HAS_CHROMIUM, useBrowser } from "../support/chromium.ts";
import type { Report } from "./conformance.ts";
import { expectReport } from "./expected.ts";
import { NO_TOOLS, run, toolPath, useProject } from "./project.ts";
import type { SiteOptions } from "./site.ts";
import { startSite } from "./site.ts";

const project = useProject();
const browser = useBrowser();
const it = anywhere.skipIf(!HAS_CHROMIUM);

/** What a page runs, and where it finds it. */
interface PageOptions extends Omit<SiteOptions, "page"> {
  /** Script of the page, a module. */
  readonly script: string;
  readonly importMap?: Readonly<Record<string, string>>;
}

/** Returns what a page's script has put into `report`, and the paths that it has requested. */
async function visit<Result = Report>({
  script,
  importMap: imports = {},
  ...site
}: PageOptions): Promise<{ report: Result; requests: readonly string[] }> {
  const { url, requests, stop } = await startSite({
    ...site,
    page: `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module" src="${script}"></script>`,
  });
  const page = await browser().newPage();
  const faults: string[] = [];
  page.on("pageerror", ({ message }) => faults.push(message));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  try {
    await page.goto(url);
    const report = await page
      .waitForFunction(() => (globalThis as { report?: unknown }).report, undefined, { timeout: 60_000 })
      .catch((error: Error) => {
        throw new Error(`${error.message}: ${faults.join()}`);
      });
    return { report: (await report.jsonValue()) as Result, requests };
  } finally {
    await page.close();
    stop();
  }
}

const CORE = "/node_modules/lossd-core/";
const importMap = { "lossd-core": `${CORE}browser.js` };
const kernelsIn = (requests: readonly string[]): string[] =>
  requests.filter((path) => path.endsWith(".wasm"));

it.each([
  ["compiles the kernels while they arrive", {}],
  ["takes them from a server that does not know their type", { ".wasm": "application/octet-stream" }],
])(
  "runs without a bundler and %s, one file of them",
  async (_, types) => {
    const { report, requests } = await visit({ folder: project(), script: "/program.js", importMap, types });
    expect(kernelsIn(requests)).toEqual([`${CORE}kernel.wasm`]);
    await expectReport(report);
  },
  90_000,
);

it("runs without top-level await in the library, its kernels passed to init", async () => {
  copyFileSync(join(project(), CORE, "kernel.wasm"), join(project(), "kernel.wasm"));
  const slim = { "lossd-core/slim": `${CORE}slim.js` };
  await expectReport((await visit({ folder: project(), script: "/slim.js", importMap: slim })).report);
}, 90_000);

it("runs bundled by Vite, which emits the kernels", async ({ skip }) => {
  const vite = toolPath("vite/bin/vite.js");
  if (vite === undefined) return skip(`Vite: ${NO_TOOLS}`);
  writeFileSync(join(project(), "index.html"), '<script type="module" src="/program.js"></script>\n');
  await run(process.execPath, [vite, "build", "--outDir", "vite"], { cwd: project() });
  const folder = join(project(), "vite");
  const [, script] = /src="(.*?)"/.exec(readFileSync(join(folder, "index.html"), "utf8"))!;
  const { report, requests } = await visit({ folder, script: script! });
  expect(kernelsIn(requests)).toHaveLength(1);
  await expectReport(report);
}, 90_000);

it("runs bundled by webpack, which emits the kernels", async ({ skip }) => {
  const webpack = toolPath("webpack/lib/index.js");
  if (webpack === undefined) return skip(`webpack: ${NO_TOOLS}`);
  const folder = join(project(), "webpack");
  const config = {
    mode: "production",
    context: project(),
    entry: "./program.js",
    output: { path: folder, publicPath: "/" },
  };
  writeFileSync(
    join(project(), "webpack.cjs"),
    `require(${JSON.stringify(webpack)})(${JSON.stringify(config)}, (error, stats) => {
  if (error || stats.hasErrors()) throw error ?? new Error(stats.toString("errors-only"));
});
`,
  );
  await run(process.execPath, ["webpack.cjs"], { cwd: project() });
  const { report, requests } = await visit({ folder, script: "/main.js" });
  expect(kernelsIn(requests)).toHaveLength(1);
  await expectReport(report);
}, 90_000);

it("runs bundled by esbuild, which needs the kernels copied beside its output", async ({ skip }) => {
  const esbuild = toolPath(".bin/esbuild");
  if (esbuild === undefined) return skip(`esbuild: ${NO_TOOLS}`);
  const folder = join(project(), "esbuild");
  await run(esbuild, ["program.js", "--bundle", "--format=esm", "--minify", `--outdir=${folder}`], {
    cwd: project(),
  });
  copyFileSync(join(project(), CORE, "kernel.wasm"), join(folder, "kernel.wasm"));
  await expectReport((await visit({ folder, script: "/program.js" })).report);
}, 90_000);

it("names the missing feature in an engine without SIMD", async () => {
  writeFileSync(
    join(project(), "none.js"),
    `WebAssembly.validate = () => false;
globalThis.report = await import("lossd-core").then(() => "loaded", ({ message }) => message);
`,
  );
  const { report } = await visit<string>({ folder: project(), script: "/none.js", importMap });
  expect(report).toBe("the kernels need WebAssembly with SIMD, which this engine does not have");
}, 30_000);
