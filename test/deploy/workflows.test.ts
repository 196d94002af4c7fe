/** The workflows of .github: pinned, with the least permissions, and of commands that exist. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { isAbsent } from "./objects.ts";

const ROOT = join(import.meta.dirname, "../..");
const FOLDER = join(ROOT, ".github/workflows");

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly needs?: string | readonly string[];
  readonly permissions: Readonly<Record<string, string>>;
  readonly environment?: string;
  readonly "timeout-minutes": number;
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly on: { readonly push: { readonly tags?: readonly string[] } };
  readonly permissions: object;
  readonly concurrency: { readonly group: string; readonly "cancel-in-progress": unknown };
  readonly env?: { readonly PACKAGES?: string };
  readonly jobs: Readonly<Record<string, Job>>;
}

const files = readdirSync(FOLDER);
const textOf = (file: string): string => readFileSync(join(FOLDER, file), "utf8");
const workflowOf = (file: string): Workflow => parse(textOf(file));
const { scripts, devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

describe.each(files)("%s", (file) => {
  const { permissions, concurrency, jobs } = workflowOf(file);
  const steps = Object.values(jobs).flatMap((job) => job.steps);

  it("gives no job more than it asks for, and every job a time limit", () => {
    expect(permissions).toEqual({});
    expect(concurrency.group).not.toBe("");
    for (const [name, job] of Object.entries(jobs)) {
      expect(job.permissions, name).toBeDefined();
      expect(job["timeout-minutes"], name).toBeLessThanOrEqual(45);
    }
  });

  it("pins every action by its commit, with the version that Renovate updates", () => {
    const used = [...textOf(file).matchAll(/uses: (.*)$/gm)].map(([, action]) => action!);
    expect(used.length).toBeGreaterThan(0);
    for (const action of used) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    const { extends: presets } = JSON.parse(readFileSync(join(ROOT, "renovate.json"), "utf8"));
    expect(presets).toEqual(
      expect.arrayContaining(["helpers:pinGitHubActionDigests", "customManagers:githubActionsVersions"]),
    );
  });

  it("leaves no token in the clone, and runs the Node of the tests and the image", () => {
    const of = (action: string) => steps.filter(({ uses }) => uses?.startsWith(`actions/${action}@`));
    for (const step of of("checkout")) expect(step.with).toEqual({ "persist-credentials": false });
    for (const step of of("setup-node"))
      expect(step.with).toMatchObject({ "node-version": devDependencies.node });
  });

  it("runs scripts that exist", () => {
    const text = steps.map(({ run = "" }) => run).join("\n");
    for (const [, script] of text.matchAll(/npm run (?:-s )?([\w:]+)/g))
      expect(scripts).toHaveProperty(script!);
    for (const [, path] of text.matchAll(/(?:node |^)((?:build|\.ci)\/[\w./-]+)/gm))
      expect(existsSync(join(ROOT, path!)), path).toBe(true);
  });

  it("passes actionlint", ({ skip }) => {
    skip(isAbsent("actionlint", "--version"), "there is no actionlint");
    expect(spawnSync("actionlint", [join(FOLDER, file)]).stdout.toString()).toBe("");
  });

  it("passes zizmor, which looks for weaknesses, in its strictest form", ({ skip }) => {
    skip(isAbsent("zizmor", "--version"), "there is no zizmor");
    const { stdout, status } = spawnSync("zizmor", [
      "--offline",
      "--persona",
      "pedantic",
      join(FOLDER, file),
    ]);
    expect(stdout.toString()).toContain("No findings to report");
    expect(status).toBe(0);
  });
});

describe("ci.yaml", () => {
  it("runs .ci/run, and builds the image for both architectures", () => {
    const text = textOf("ci.yaml");
    expect(text).toContain("run: .ci/run\n");
    expect(text).toContain("docker buildx build --platform linux/amd64,linux/arm64 .\n");
  });
});

describe("release.yaml", () => {
  const { on, concurrency, env, jobs } = workflowOf("release.yaml");

  /** All jobs that must have succeeded before a job begins. */
  function earlier(name: string): string[] {
    const needs = [jobs[name]!.needs ?? []].flat();
    return [...needs, ...needs.flatMap(earlier)];
  }

  it("begins at the tag of a version, and never stops halfway", () => {
    expect(on).toEqual({ push: { tags: ["v[0-9]+.[0-9]+.[0-9]+"] } });
    expect(concurrency["cancel-in-progress"]).toBe(false);
  });

  it("checks versions and everything else before it publishes, each time in an environment", () => {
    expect(jobs.verify!.permissions).toEqual({ contents: "read" });
    const commands = jobs.verify!.steps.map(({ run }) => run);
    expect(commands).toContain('node build/release/check.ts "$GITHUB_REF_NAME"');
    expect(commands).toEqual(expect.arrayContaining(["npm run ok", "npm run test:clients"]));
    const publishing = Object.entries(jobs).filter(([, { permissions }]) =>
      Object.values(permissions).includes("write"),
    );
    expect(publishing.map(([name]) => name)).toEqual(["npm", "image", "chart", "release"]);
    for (const [name, { environment }] of publishing) {
      expect(earlier(name), name).toContain("verify");
      expect(environment, name).toMatch(/^(?:npm|ghcr|release)$/);
    }
    expect(earlier("release")).toEqual(expect.arrayContaining(["npm", "image", "chart"]));
  });

  it("publishes the npm packages by a list that ends with this one", () => {
    expect(env!.PACKAGES!.split(" ").at(-1)).toBe(".");
    const { run } = jobs.npm!.steps.at(-1)!;
    expect(run).toContain("for folder in $PACKAGES; do");
    expect(run).toContain("npm publish --provenance --access public");
    expect(JSON.stringify(jobs)).not.toMatch(/secrets\./);
  });

  it("publishes the image for both architectures, with SBOM, provenance and signature", () => {
    const text = jobs.image!.steps.map(({ run = "", uses = "" }) => run + uses).join("\n");
    expect(text).toContain("--platform linux/amd64,linux/arm64");
    expect(text).toContain("--sbom=true --provenance=mode=max");
    expect(text).toContain('cosign sign --yes --recursive "$IMAGE@$DIGEST"');
    expect(text).toContain("actions/attest-build-provenance@");
  });
});
