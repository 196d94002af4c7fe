/** The scripts of release.yaml, run with programs that only write down how they are called, because a release cannot be rehearsed. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { isAbsent } from "./objects.ts";

const ROOT = join(import.meta.dirname, "../..");

interface Step {
  readonly name?: string;
  readonly run?: string;
}

const workflow = parse(readFileSync(join(ROOT, ".github/workflows/release.yaml"), "utf8"));

/** Bash of GitHub's runners, which stops at the first failure. */
const BASH = ["--noprofile", "--norc", "-eo", "pipefail", "-c"];
const DIGEST = `sha256:${"ab".repeat(32)}`;
const VARIABLES = {
  GITHUB_REF_NAME: "v1.2.3",
  GITHUB_REPOSITORY: "Example/lossd",
  GITHUB_REPOSITORY_OWNER: "Example",
  GITHUB_SERVER_URL: "https://github.com",
  GITHUB_SHA: "0".repeat(40),
  GITHUB_ACTOR: "somebody",
  GH_TOKEN: "a-token",
  TOKEN: "a-token",
  VERSION: "1.2.3",
  IMAGE: "ghcr.io/example/lossd",
  CHARTS: "ghcr.io/example/charts",
  DIGEST,
  PACKAGES: workflow.env.PACKAGES as string,
};

/** A folder with programs that write their calls into a file and then run `bodies`, and what a step made of them. */
function runStep(job: string, name: string, bodies: Readonly<Record<string, string>> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "lossd-step-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const bin = join(folder, "bin");
  mkdirSync(bin);
  mkdirSync(join(folder, "openapi"));
  for (const file of ["openapi/openapi.json", "openapi/openapi-3.0.json"])
    writeFileSync(join(folder, file), "{}");
  for (const program of ["npm", "docker", "helm", "cosign", "gh", "node"]) {
    const note = `#!/bin/bash\necho "$(basename "$PWD") ${program} $*" >> "${folder}/calls"\n`;
    writeFileSync(join(bin, program), `${note}${bodies[program] ?? ""}\n`);
    chmodSync(join(bin, program), 0o755);
  }
  for (const each of VARIABLES.PACKAGES.split(" ")) mkdirSync(join(folder, each), { recursive: true });
  const step = (workflow.jobs[job].steps as Step[]).find((each) => each.name === name)!;
  const { status, stderr } = spawnSync("bash", [...BASH, step.run!], {
    cwd: folder,
    env: { PATH: `${bin}:/usr/bin:/bin`, GITHUB_OUTPUT: join(folder, "output"), ...VARIABLES },
    encoding: "utf8",
  });
  const read = (file: string): string[] => {
    const path = join(folder, file);
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
  };
  const calls = read("calls").map((call) =>
    call.replace(/^\S+ /, (at) => (folder.endsWith(at.trim()) ? "" : at)),
  );
  return { status, stderr, calls, output: read("output"), folder };
}

it("names the version, and image and charts in lower case", () => {
  const { output } = runStep("verify", "Name the artifacts");
  expect(output).toEqual(["version=1.2.3", "image=ghcr.io/example/lossd", "charts=ghcr.io/example/charts"]);
});

const NAME = 'case "$1" in pkg) [ "$2" = set ] || echo "\\"$(basename "$PWD")\\"";; esac';

it("publishes each package of the list in its order, with the repository that the provenance names", () => {
  const { calls, status } = runStep("npm", "Publish", { npm: NAME });
  expect(status).toBe(0);
  const published = calls.filter((call) => call.includes("npm publish"));
  expect(published).toEqual([
    "core npm publish --provenance --access public --ignore-scripts",
    "npm publish --provenance --access public --ignore-scripts",
  ]);
  expect(calls).toContain(
    "core npm pkg set repository.type=git repository.url=git+https://github.com/Example/lossd.git",
  );
});

it("skips a package that an earlier run has published, and stops at one that fails", () => {
  const npm = `${NAME}\ncase "$*" in "view core@1.2.3 version") echo 1.2.3;; esac`;
  const { calls, status } = runStep("npm", "Publish", { npm });
  expect(status).toBe(0);
  expect(calls.filter((call) => call.includes("publish"))).toEqual([
    "npm publish --provenance --access public --ignore-scripts",
  ]);
  const failing = runStep("npm", "Publish", { npm: `${NAME}\n[ "$1" != publish ]` });
  expect(failing.status).not.toBe(0);
  expect(failing.calls.filter((call) => call.includes("publish")).length).toBe(1);
});

it("takes the image's digest from what the build reports", ({ skip }) => {
  skip(isAbsent("jq", "--version"), "there is no jq");
  const docker = `[ "$2" != build ] || echo '{"containerimage.digest":"${DIGEST}"}' > metadata.json`;
  const { calls, output, status } = runStep(
    "image",
    "Build for both architectures, and push with SBOM and provenance",
    {
      docker,
    },
  );
  expect(status).toBe(0);
  expect(output).toEqual([`digest=${DIGEST}`]);
  expect(calls[1]).toMatch(
    /^docker buildx build --platform linux\/amd64,linux\/arm64 --tag ghcr\.io\/example\/lossd:1\.2\.3 /,
  );
  expect(calls[1]).toMatch(/ --push \.$/);
});

it("signs the chart by the digest that helm reports", () => {
  const helm = `echo "Pushed: ghcr.io/example/charts/lossd:1.2.3" >&2; echo "Digest: ${DIGEST}" >&2`;
  const { calls, status } = runStep("chart", "Push and sign the chart", { helm });
  expect(status).toBe(0);
  expect(calls).toEqual([
    "helm push lossd-1.2.3.tgz oci://ghcr.io/example/charts",
    `cosign sign --yes ghcr.io/example/charts/lossd@${DIGEST}`,
  ]);
  expect(runStep("chart", "Push and sign the chart", { helm: "exit 1" }).status).not.toBe(0);
});

it("collects SBOM, documents and chart, and releases them with the notes", () => {
  const helm = '[ "$1" != pull ] || touch "$6/lossd-$4.tgz"';
  const { folder, status, stderr } = runStep("release", "Collect the files", { helm, node: "echo notes" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  for (const file of ["lossd-1.2.3.cdx.json", "openapi.json", "openapi-3.0.json", "lossd-chart-1.2.3.tgz"])
    expect(existsSync(join(folder, "files", file)), file).toBe(true);
  expect(readFileSync(join(folder, "notes.md"), "utf8")).toBe("notes\n");
});
