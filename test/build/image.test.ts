/** The image's rules, read off the Dockerfile, and a rehearsal of what it starts: production files only, nothing written. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { ENGINE_FLAGS } from "../../src/server/cluster.ts";
import { HEAP_FLAG } from "../../src/server/new-space.ts";
import { startProcess } from "../support/process.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const dockerfile = readFileSync(join(ROOT, "Dockerfile"), "utf8");
const packageJson = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
/** Stages with their base, and the platform that the base is pulled for. */
const stages = dockerfile
  .split(/^FROM /m)
  .slice(1)
  .map((text) => {
    const [, platform, base] = /^(?:--platform=(\S+) )?(\S+)/.exec(text)!;
    return { text, platform, base: base! };
  });
const last = stages.at(-1)!.text;

/** Folders of the packages that the image has. */
const productionFolders = (): string[] =>
  execFileSync("npm", ["ls", "--omit=dev", "--all", "--parseable"], { cwd: ROOT, encoding: "utf8" })
    .trim()
    .split("\n")
    .slice(1);

/** Folders of compiled code in the build. */
const compiledCode = (): string[] => readdirSync(join(ROOT, "dist/cache"));

it("is built in stages on one pinned Node 24", () => {
  expect(stages.length).toBeGreaterThan(1);
  expect(new Set(stages.map(({ base }) => base)).size).toBe(1);
  // A digest may follow.
  expect(stages[0]!.base.split("@")[0]).toBe(`node:${packageJson.devDependencies.node}-bookworm-slim`);
  expect(packageJson.devDependencies.node).toMatch(/^24\.\d+\.\d+$/);
});

describe("for another architecture", () => {
  it("runs every step on the machine that builds, and none in the last stage", () => {
    for (const { text, platform } of stages)
      expect(platform, text).toBe(/^RUN /m.test(text) ? "$BUILDPLATFORM" : undefined);
  });

  it("copies files that depend on no architecture", () => {
    const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
    const production = Object.entries<Record<string, unknown>>(packages).filter(([, { dev }]) => !dev);
    expect(production.length).toBeGreaterThan(50);
    for (const [name, entry] of production)
      for (const field of ["cpu", "os", "libc"]) expect(entry, name).not.toHaveProperty(field);
    for (const folder of productionFolders()) {
      const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
      expect(files.filter((file) => /\.node$|(?:^|\/)(?:binding\.gyp|prebuilds)$/.test(file))).toEqual([]);
    }
    const dist = readdirSync(join(ROOT, "dist"), { recursive: true, encoding: "utf8" });
    expect(dist.filter((file) => file.endsWith(".node"))).toEqual([]);
  });

  it("has compiled code of the building machine only in a folder that other machines do not read", () => {
    expect(compiledCode()).toEqual([
      expect.stringMatching(new RegExp(`^${process.version}-${process.arch}-`)),
    ]);
  });
});

it("compiles code as the user that runs it, because Node keeps the code of each user apart", () => {
  const [, user] = /^USER (\w+)$/m.exec(last)!;
  const [build] = stages.filter(({ text }) => text.includes("RUN npm run build"));
  expect(build!.text.split("RUN npm run build")[0]).toMatch(new RegExp(`^USER ${user}$`, "m"));
  expect(compiledCode()).toEqual([expect.stringMatching(new RegExp(`-${process.getuid!()}$`))]);
});

it("runs as a user, listens on all interfaces, has a health check, needs no shell", () => {
  expect(last).toMatch(/^USER 1000$/m);
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
  for (const { text } of stages.filter(({ text: stage }) => !stage.includes(" AS build")))
    for (const [, options] of text.matchAll(/^COPY (.*)$/gm))
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
    for (const folder of productionFolders()) cpSync(folder, folder.replace(ROOT, app), { recursive: true });
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
