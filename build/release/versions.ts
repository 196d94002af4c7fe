/** Finds every place that states the version of the project, and compares them. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { hasUnreleased, versionsOf } from "./changelog.ts";

/** Version that a place states. */
export interface Statement {
  readonly place: string;
  readonly version: string | undefined;
}

/**
 * Returns the versions of package.json, the npm packages in `folders`, the image, the chart, the OpenAPI documents and the changelog.
 * Generated SDKs have the version of their document. Throws if a file is missing.
 */
export function statedVersions(root: string, folders: readonly string[]): Statement[] {
  const read = (file: string): string => {
    if (!existsSync(join(root, file))) throw new Error(`${file}: expected a file, got none`);
    return readFileSync(join(root, file), "utf8");
  };
  const statements: Statement[] = [];
  const state = (file: string, key: string, version: unknown): void => {
    statements.push({ place: `${file}: ${key}`, version: typeof version === "string" ? version : undefined });
  };
  const image = (file: string): void => state(file, "image", /image: lossd:(\S+)/.exec(read(file))?.[1]);

  for (const folder of new Set([".", ...folders])) {
    const file = join(folder, "package.json");
    state(file, "version", JSON.parse(read(file)).version);
  }
  const lock = JSON.parse(read("package-lock.json"));
  state("package-lock.json", "version", lock.version);
  state("package-lock.json", 'packages[""]', lock.packages[""].version);
  for (const document of ["openapi/openapi.json", "openapi/openapi-3.0.json"])
    state(document, "info.version", JSON.parse(read(document)).info.version);
  const chart = parse(read("deploy/helm/lossd/Chart.yaml"));
  for (const key of ["version", "appVersion"]) state("deploy/helm/lossd/Chart.yaml", key, chart[key]);
  const kustomization = parse(read("deploy/kubernetes/kustomization.yaml"));
  state("deploy/kubernetes/kustomization.yaml", "newTag", kustomization.images[0].newTag);
  image("deploy/kubernetes/deployment.yaml");
  image("deploy/kserve/inferenceservice.yaml");
  state("CHANGELOG.md", "newest version", versionsOf(read("CHANGELOG.md"))[0]);
  return statements;
}

/** Returns what disagrees with `version`, and with a release if `tag` is given, as sentences. */
export function disagreements(root: string, folders: readonly string[], tag?: string): string[] {
  const [first, ...others] = statedVersions(root, folders);
  const expected = first!.version;
  const found = others
    .filter(({ version }) => version !== expected)
    .map(({ place, version }) => `${place}: expected ${expected}, got ${version ?? "none"}`);
  if (tag === undefined) return found;
  if (tag !== `v${expected}`) found.unshift(`tag: expected v${expected}, got ${tag}`);
  if (hasUnreleased(readFileSync(join(root, "CHANGELOG.md"), "utf8")))
    found.push(`CHANGELOG.md: expected nothing under "## Unreleased" in a release`);
  return found;
}
