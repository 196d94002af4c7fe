/** A consumer's project: lossd-core installed from its packed file, and a program that runs PyTorch's cases with it. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { build } from "rolldown";
import { afterAll, beforeAll } from "vitest";
import { FILES, readLines } from "../conformance/read-cases.ts";
import type { Report } from "./conformance.ts";

export const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, "../..");
const TOOLS = join(import.meta.dirname, "tools/node_modules");

/** Prints the report, or keeps it for a page's test. `lossd` is the specifier of the library. */
const program = (lossd: string, load: string): string => `import * as lossd from "${lossd}";
import { runCases } from "./conformance.js";
import cases from "./cases.js";
${load}
const report = await runCases(lossd, cases);
if (typeof document === "undefined") console.log(JSON.stringify(report));
else globalThis.report = report;
`;

/** Programs of the project by their file. */
const PROGRAMS = {
  "program.js": program("lossd-core", ""),
  // As for runtimes without top-level await in dependencies, and for bundlers that do not copy files.
  "slim.js": program("lossd-core/slim", 'await lossd.init(new URL("./kernel.wasm", import.meta.url));'),
  "worker.js": `import * as lossd from "lossd-core";
import { runCases } from "./conformance.js";
import cases from "./cases.js";
export default { fetch: async () => Response.json(await runCases(lossd, cases)) };
`,
  "required.cjs": `const { crossEntropy } = require("lossd-core");
const input = { dtype: "float64", shape: [1, 2], data: Float64Array.of(0, 0) };
console.log(crossEntropy(input, { dtype: "int64", shape: [1], data: BigInt64Array.of(1n) }).loss);
`,
} as const;

/** Returns the path of a tool of tools/package.json, or undefined if it is not installed. */
export function toolPath(path: string): string | undefined {
  const file = join(TOOLS, path);
  return existsSync(file) ? file : undefined;
}

/** Reason for a skipped test. */
export const NO_TOOLS = "it is not installed; run: npm ci --prefix test/runtimes/tools";

/** Makes the project before the tests of a file. Returns a function that returns its folder. */
export function useProject(): () => string {
  let folder: string;
  beforeAll(async () => {
    folder = await makeProject();
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return () => folder;
}

async function makeProject(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "lossd-runtimes-"));
  const core = join(ROOT, "dist/core");
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  await run("npm", ["pack", core, "--pack-destination", folder], { cwd: folder });
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  await run("tar", ["-xzf", join(folder, tarball!), "-C", modules]);
  renameSync(join(modules, "package"), join(modules, "lossd-core"));
  await build({
    input: join(import.meta.dirname, "conformance.ts"),
    logLevel: "silent",
    platform: "neutral",
    output: { file: join(folder, "conformance.js"), format: "esm", codeSplitting: false },
  });
  // As they stand, because JSON.stringify writes -0 as 0.
  writeFileSync(join(folder, "cases.js"), `export default [${FILES.flatMap(readLines).join()}];\n`);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  for (const [file, text] of Object.entries(PROGRAMS)) writeFileSync(join(folder, file), text);
  return folder;
}

/** Runs a program of the project to its end and returns its report. */
export async function reportOf(folder: string, command: string, args: readonly string[]): Promise<Report> {
  const { stdout } = await run(command, args, { cwd: folder, maxBuffer: 1 << 26 });
  return JSON.parse(stdout) as Report;
}
