/** The image's rules, read off the Dockerfile, and a rehearsal of what it starts: production files only, nothing written. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { ENGINE_FLAGS, HEAP_FLAG } from "../../src/server/cluster.ts";
import { startProcess } from "../support/process.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const dockerfile = readFileSync(join(ROOT, "Dockerfile"), "utf8");
const packageJson = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const stages = dockerfile.split(/^FROM /m).slice(1);
const last = stages.at(-1)!;

it("is built in stages on one pinned Node 24", () => {
  expect(stages.length).toBeGreaterThan(1);
  // A digest may follow.
  const bases = new Set(stages.map((stage) => stage.split(/[\s@]/)[0]));
  expect(new Set(stages.map((stage) => stage.split(/\s/)[0])).size).toBe(1);
  expect([...bases]).toEqual([expect.stringMatching(/^node:24\.\d+\.\d+-/)]);
  expect(bases).toContain(`node:${packageJson.devDependencies.node}-bookworm-slim`);
});

it("runs as a user, listens on all interfaces, has a health check, needs no shell", () => {
  expect(last).toMatch(/^USER node$/m);
  expect(last).toMatch(/\bHOST=0\.0\.0\.0\b/);
  expect(last).toMatch(/^HEALTHCHECK [^\n]*\\\n {2}CMD \["perl", "-MSocket", "-e", /m);
  const command = ["node", ...ENGINE_FLAGS, "dist/main.js"];
  expect(last).toContain(`\nCMD ${JSON.stringify(command).replaceAll(",", ", ")}\n`);
  expect(packageJson.scripts.start).toBe(`exec node ${HEAP_FLAG} build/start.mjs`);
  expect(last).not.toMatch(/^RUN /m);
});

it("has digests pinned and updated by Renovate, together with the Node of the tests", () => {
  const { extends: presets, packageRules } = JSON.parse(readFileSync(join(ROOT, "renovate.json"), "utf8"));
  expect(presets).toContain("docker:pinDigests");
  expect(packageRules).toContainEqual(
    expect.objectContaining({ matchPackageNames: ["node"], groupName: "node" }),
  );
});

it("copies no file of the clone into the image without setting its mode", () => {
  for (const stage of stages.filter((text) => !text.includes(" AS build")))
    for (const [, options] of stage.matchAll(/^COPY (.*)$/gm))
      expect(options).toMatch(/^--(?:chmod=644|from)/);
});

it("installs production dependencies without their install scripts", () => {
  expect(dockerfile).toContain("npm ci --omit=dev --ignore-scripts");
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const scripted = Object.entries<{ dev?: boolean; hasInstallScript?: boolean; optional?: boolean }>(
    lock.packages,
  ).filter(([name, { dev, hasInstallScript }]) => name !== "" && !dev && hasInstallScript);
  expect(scripted).toEqual([]);
});

it("what it holds starts on a read-only file system and stops on SIGTERM", async () => {
  const app = mkdtempSync(join(tmpdir(), "lossd-image-"));
  try {
    for (const file of ["package.json", "dist"])
      cpSync(join(ROOT, file), join(app, file), { recursive: true });
    const production = execFileSync("npm", ["ls", "--omit=dev", "--all", "--parseable"], {
      cwd: ROOT,
      encoding: "utf8",
    });
    for (const folder of production.trim().split("\n").slice(1)) {
      cpSync(folder, folder.replace(ROOT, app), { recursive: true });
    }
    // Node's permission model stands in for --read-only: reading this folder is allowed, writing nothing. It would forbid a group its
    // processes, too, so there is one.
    const flags = ["--permission", `--allow-fs-read=${app}`];
    const { url, stop } = await startProcess({ WORKERS: "1", DRAIN_LAG_MS: "0" }, { cwd: app, flags });
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    expect((await fetch(`${url}/docs/`)).status).toBe(200);
    expect(await stop()).toBe(0);
  } finally {
    rmSync(app, { recursive: true, force: true });
  }
}, 60_000);
