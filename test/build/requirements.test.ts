/** What `npm start` and `npm run build` say of a checkout that lacks something: what, and the command that mends it. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { unmetRequirement } from "../../build/requirements.mjs";

const ROOT = join(import.meta.dirname, "../..");
const MANIFEST = {
  engines: { node: ">=24" },
  dependencies: { fastify: "5.0.0" },
  devDependencies: { node: "24.0.0", rolldown: "1.0.0" },
};

/** A checkout with some packages, and with the runtime's binary where its install script has run. */
function makeCheckout(packages: Readonly<Record<string, string>> | undefined, hasRuntime = false): string {
  const root = mkdtempSync(join(tmpdir(), "lossd-requirements-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  writeFileSync(join(root, "package.json"), JSON.stringify(MANIFEST));
  if (packages === undefined) return root;
  mkdirSync(join(root, "node_modules"));
  for (const [name, version] of Object.entries(packages)) {
    mkdirSync(join(root, "node_modules", name, "bin"), { recursive: true });
    writeFileSync(join(root, "node_modules", name, "package.json"), JSON.stringify({ version }));
  }
  if (hasRuntime) writeFileSync(join(root, "node_modules/node/bin/node"), "");
  return root;
}

const SERVICE = { fastify: "5.0.0" };
const TOOLS = { ...SERVICE, rolldown: "1.0.0" };
const ALL = { ...TOOLS, node: "24.0.0" };
const OMIT = "npm ci --include=dev";

it.each([
  ["nothing, after npm ci", ALL, "24.1.0", {}, undefined],
  ["nothing, on a Node of one's own without the npm package node", TOOLS, "26.0.0", {}, undefined],
  ["the packages, before npm ci", undefined, "20.1.0", {}, "the packages are not installed; run: npm ci"],
  [
    "the packages, before npm ci, where NODE_ENV=production",
    undefined,
    "24.1.0",
    { NODE_ENV: "production" },
    `the packages are not installed; run: ${OMIT}`,
  ],
  [
    "the tools, after npm ci --omit=dev, on Node 24",
    SERVICE,
    "24.1.0",
    {},
    `the package rolldown is not installed, and the build needs the development packages; run: ${OMIT}`,
  ],
  [
    "Node 24, after npm ci --omit=dev",
    SERVICE,
    "20.1.0",
    {},
    `expected Node 24 or later, got 20.1.0; the npm package node brings it, a development package that is not installed; run: ${OMIT}`,
  ],
  [
    "Node 24, after npm ci --ignore-scripts",
    ALL,
    "20.1.0",
    {},
    "expected Node 24 or later, got 20.1.0; the install script that fetches it has not run (--ignore-scripts); run: npm rebuild node --ignore-scripts=false, or use a Node of your own",
  ],
  ["nothing, after npm ci --ignore-scripts on Node 24", ALL, "24.1.0", {}, undefined],
  [
    "a package of this commit, after a pull",
    { ...ALL, fastify: "4.9.0" },
    "24.1.0",
    {},
    "expected the package fastify 5.0.0, got 4.9.0; run: npm ci",
  ],
])("finds missing: %s", (_what, packages, nodeVersion, env, message) => {
  const root = makeCheckout(packages);
  expect(unmetRequirement({ root, nodeVersion, development: true, env })).toBe(message);
});

it("says how to reach the Node that npm has brought, where another one runs the script", () => {
  const root = makeCheckout(ALL, true);
  const message = unmetRequirement({ root, nodeVersion: "20.1.0", development: false, env: {} });
  expect(message).toBe(
    "expected Node 24 or later, got 20.1.0; npm puts the right one on the PATH; run: npm start",
  );
});

it("needs no tools to start what is built", () => {
  const root = makeCheckout(SERVICE);
  expect(unmetRequirement({ root, nodeVersion: "24.1.0", development: false, env: {} })).toBe(undefined);
});

/** A Node before 24 on the PATH, beside the one that npm scripts get. */
function olderNode(): string | undefined {
  const folders = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !folder.includes("node_modules"));
  for (const folder of [...folders, "/usr/bin", "/usr/local/bin"]) {
    const { stdout } = spawnSync(join(folder, "node"), ["--version"], { encoding: "utf8" });
    if (/^v(?:20|22)\./.test(stdout ?? "")) return join(folder, "node");
  }
  return undefined;
}

it("is told by npm start, npm test and npm run build on Node 20, in one line and without a stack", (context) => {
  const node = olderNode();
  if (node === undefined) return context.skip("there is no older Node here");
  const root = mkdtempSync(join(tmpdir(), "lossd-requirements-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const name of ["package.json", "build"])
    cpSync(join(ROOT, name), join(root, name), { recursive: true });
  const env = { PATH: [dirname(node), "/usr/bin", "/bin"].join(delimiter), HOME: root };
  for (const command of [["start"], ["test"], ["run", "build"]]) {
    const { status, stderr } = spawnSync("npm", command, { cwd: root, env, encoding: "utf8" });
    expect(stderr.split("\n").filter((line) => line !== "" && !line.startsWith("npm "))).toEqual([
      "lossd: the packages are not installed; run: npm ci",
    ]);
    expect(status).toBe(1);
  }
  expect(execFileSync(node, ["--check", join(root, "build/start.mjs")], { encoding: "utf8" })).toBe("");
}, 120_000);
