/** PyTorch's cases through the packed library in Node, Deno, Bun and Cloudflare's workerd, each with the bits of this process. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Report } from "./conformance.ts";
import { expectReport } from "./expected.ts";
import { NO_TOOLS, reportOf, run, toolPath, useProject } from "./project.ts";
import { startWorker } from "./worker.ts";

const project = useProject();

it("runs in this Node", async () => {
  await expectReport(await reportOf(project(), process.execPath, ["program.js"]));
}, 60_000);

const OLD_NODE = "/usr/bin/node";

it("runs in Node 20, with the plain build because its relaxed SIMD is behind a flag", async ({ skip }) => {
  const version = await run(OLD_NODE, ["--version"]).catch(() => undefined);
  skip(!version?.stdout.startsWith("v20."), "the system has no Node 20");
  await expectReport(await reportOf(project(), OLD_NODE, ["program.js"]), "kernel-plain.wasm");
}, 60_000);

it.for([process.execPath, OLD_NODE])("is required by CommonJS in %s", async (node, { skip }) => {
  skip(!existsSync(node), "there is no such Node");
  const { stdout } = await run(node, ["required.cjs"], { cwd: project() });
  expect(Number(stdout)).toBe(Math.LN2);
});

it("runs in Deno, which may read its own files only if it is allowed", async ({ skip }) => {
  const deno = toolPath(".bin/deno");
  if (deno === undefined) return skip(`Deno: ${NO_TOOLS}`);
  await expectReport(await reportOf(project(), deno, ["run", "--allow-read", "program.js"]));
}, 60_000);

it("runs in Bun", async ({ skip }) => {
  const bun = toolPath(".bin/bun");
  if (bun === undefined) return skip(`Bun: ${NO_TOOLS}`);
  await expectReport(await reportOf(project(), bun, ["program.js"]), "kernel-plain.wasm");
}, 60_000);

it("runs in workerd, which compiles nothing at run time", async ({ skip }) => {
  const sources = ["worker.js", "conformance.js", "cases.js"].map(
    (path) => [path, readFileSync(join(project(), path), "utf8")] as const,
  );
  const worker = await startWorker(project(), sources);
  if (worker === undefined) return skip(`Miniflare: ${NO_TOOLS}`);
  try {
    const response = await worker.dispatchFetch("http://localhost/");
    await expectReport((await response.json()) as Report);
  } finally {
    await worker.dispose();
  }
}, 60_000);
