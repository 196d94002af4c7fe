/** The scripts of a release: versions that agree, notes of the changelog, the image in the chart. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { hasUnreleased, notesOf, versionsOf } from "../../build/release/changelog.ts";
import { pinImage } from "../../build/release/pin-image.ts";
import { disagreements, statedVersions } from "../../build/release/versions.ts";
import { VERSION } from "../../src/version.ts";
import { DEPLOY, read } from "./objects.ts";

const ROOT = join(import.meta.dirname, "../..");
const CHANGELOG = readFileSync(join(ROOT, "CHANGELOG.md"), "utf8");

const statements = statedVersions(ROOT, []);
const files = [...new Set(statements.map(({ place }) => place.split(": ")[0]!))];

/** A copy of all files that state the version, after a change of one of them. */
function project(file = "", change = (text: string): string => text): string {
  const root = mkdtempSync(join(tmpdir(), "lossd-release-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const each of files) cpSync(join(ROOT, each), join(root, each));
  const changelog = join(root, "CHANGELOG.md");
  writeFileSync(changelog, CHANGELOG.replace(/^## Unreleased\n.*?(?=^## )/ms, "## Unreleased\n\n"));
  if (file !== "") writeFileSync(join(root, file), change(readFileSync(join(root, file), "utf8")));
  return root;
}

describe("versions", () => {
  it("agree in package.json, its lock, the documents of the SDKs, the manifests, the chart and the changelog", () => {
    expect(statements.map(({ version }) => version)).toEqual(statements.map(() => VERSION));
    expect(files).toEqual([
      "package.json",
      "package-lock.json",
      "openapi/openapi.json",
      "openapi/openapi-3.0.json",
      "deploy/helm/lossd/Chart.yaml",
      "deploy/kubernetes/kustomization.yaml",
      "deploy/kubernetes/deployment.yaml",
      "deploy/kserve/inferenceservice.yaml",
      "CHANGELOG.md",
    ]);
  });

  it("agree in every package that the release publishes and the build has made", () => {
    const { PACKAGES } = parse(readFileSync(join(ROOT, ".github/workflows/release.yaml"), "utf8")).env;
    const built = PACKAGES.split(" ").filter((folder: string) =>
      existsSync(join(ROOT, folder, "package.json")),
    );
    expect(disagreements(ROOT, built)).toEqual([]);
  });

  it("are stated in no other file of deploy/", () => {
    const found = readdirSync(DEPLOY, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => readFileSync(path, "utf8").includes(VERSION))
      .map((path) => relative(ROOT, path));
    expect(found.sort()).toEqual(files.filter((file) => file.startsWith("deploy/")).sort());
  });

  it("agree with a tag of the same version, once the changelog has no unreleased changes", () => {
    expect(disagreements(project(), ["."], `v${VERSION}`)).toEqual([]);
    const unreleased = project("CHANGELOG.md", (text) =>
      text.replace("## Unreleased\n", "## Unreleased\n\n- One.\n"),
    );
    expect(disagreements(unreleased, [])).toEqual([]);
    expect(disagreements(unreleased, [], `v${VERSION}`)).toEqual([
      'CHANGELOG.md: expected nothing under "## Unreleased" in a release',
    ]);
  });

  it.each(["v9.9.9", VERSION, `v${VERSION}-rc.1`])("disagree with the tag %s", (tag) => {
    expect(disagreements(project(), [], tag)).toEqual([`tag: expected v${VERSION}, got ${tag}`]);
  });

  it.each(files.slice(1))("disagree if %s has another version", (file) => {
    const root = project(file, (text) => text.replaceAll(VERSION, "9.9.9"));
    const found = disagreements(root, []);
    expect(found.length).toBeGreaterThan(0);
    for (const sentence of found) {
      expect(sentence).toContain(`${file}: `);
      expect(sentence).toContain(`: expected ${VERSION}, got 9.9.9`);
    }
  });

  it("disagree if a package has another version, or is not built", () => {
    const root = project();
    expect(() => disagreements(root, ["core"])).toThrow("core/package.json: expected a file, got none");
    cpSync(join(ROOT, "tsconfig.json"), join(root, "core/package.json"));
    expect(disagreements(root, ["core"])).toEqual([
      `core/package.json: version: expected ${VERSION}, got none`,
    ]);
  });

  it("end the check with 1 and a sentence each", () => {
    const check = (...args: string[]) =>
      execFileSync(process.execPath, [join(ROOT, "build/release/check.ts"), ...args], {
        encoding: "utf8",
        stdio: "pipe",
      });
    expect(check()).toBe("");
    expect(() => check("v9.9.9")).toThrow(`tag: expected v${VERSION}, got v9.9.9`);
  });
});

describe("notes", () => {
  const text = "# Changelog\n\n## Unreleased\n\n## 1.1.0\n\n### Added\n\n- Two.\n\n## 1.0.0\n\n- One.\n";

  it("are the changes under the version's heading", () => {
    expect(notesOf(text, "1.1.0")).toBe("### Added\n\n- Two.");
    expect(notesOf(text, "1.0.0")).toBe("- One.");
    expect(versionsOf(text)).toEqual(["1.1.0", "1.0.0"]);
    expect(hasUnreleased(text)).toBe(false);
    expect(notesOf(CHANGELOG, VERSION)).toContain("`POST /v1/log_softmax`");
  });

  it.each(["1.2.0", "1.1", ""])("are refused for the version %j, which has no changes", (version) => {
    expect(() => notesOf(text, version)).toThrow(`expected changes under "## ${version}"`);
  });
});

describe("the image in the chart", () => {
  const values = readFileSync(join(DEPLOY, "helm/lossd/values.yaml"), "utf8");
  const digest = `sha256:${"ab".repeat(32)}`;

  it("is named by its digest, and nothing else changes", () => {
    const pinned = pinImage(values, "ghcr.io/example/lossd", digest);
    const before = read("helm/lossd/values.yaml");
    expect(parse(pinned)).toEqual({
      ...before,
      image: { ...before.image, repository: "ghcr.io/example/lossd", digest },
    });
    const comments = (text: string) => text.match(/#.*$/gm);
    expect(comments(pinned)).toEqual(comments(values));
  });

  it.each(["", "latest", "sha256:ab"])("is refused by %j", (other) => {
    expect(() => pinImage(values, "ghcr.io/example/lossd", other)).toThrow("expected a digest");
  });
});
