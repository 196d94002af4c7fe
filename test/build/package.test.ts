/** The package as npm would publish it: what is in it, and that it works where nothing else is. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { publint } from "publint";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { VERSION } from "../../src/version.ts";
import { blocksOf, readPage } from "../support/blocks.ts";
import { packageOf, specifiersOf } from "../support/imports.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const run = promisify(execFile);

let folder: string;
let files: string[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lossd-package-"));
  // The build has just been made.
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: ROOT,
  });
  const [packed] = Object.values(JSON.parse(stdout)) as { files: { path: string }[] }[];
  files = packed!.files.map(({ path }) => path);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

it("holds the built server and library, the contract, the licence and what describes them, and nothing else", () => {
  const built = readdirSync(join(ROOT, "dist"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1))
    .filter((path) => !path.startsWith("dist/cache/") && path !== "dist/sources.sha256")
    // Those of lossd-core.
    .filter((path) => !/^dist\/core\/(?:LICENSE|README\.md|package\.json)$/.test(path));
  const others = [
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "openapi/openapi-3.0.json",
    "openapi/openapi.json",
    "openapi/openapi.yaml",
    "package.json",
  ];
  expect(files.toSorted()).toEqual([...built, ...others].sort());
});

it("has a server in ASCII, because Node keeps any other source in two bytes for each character", () => {
  const server = readFileSync(join(ROOT, "dist/cli/run.js"));
  expect(server.findIndex((byte) => byte > 127)).toBe(-1);
});

it("has nothing that publint finds fault with", async () => {
  const { buffer: tarball } = new Uint8Array(readFileSync(join(folder, `lossd-${VERSION}.tgz`)));
  const { messages } = await publint({ pack: { tarball } });
  expect(messages).toEqual([]);
});

it("asks for the Node that its entry asks for", () => {
  const { engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const [, needed] = /^const MIN_NODE_MAJOR = (\d+);$/m.exec(
    readFileSync(join(ROOT, "src/main.ts"), "utf8"),
  )!;
  expect(engines.node).toBe(`>=${needed}`);
});

/** Packages that built files ask for and do without, each with the reason. */
const DONE_WITHOUT: Readonly<Record<string, string>> = {
  "supports-color": "debug, which is bundled, asks for it in a try and then prints without colours",
};

it("declares every package that its built files import", () => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const scripts = files.filter((path) => /^dist\/.*\.js$/.test(path));
  const needed = scripts
    .flatMap((path) => specifiersOf(join(ROOT, path)))
    .map((specifier) => packageOf(specifier, builtinModules))
    .filter((name) => name !== undefined);
  // Of the bundle there has to be something to see.
  expect(needed).toEqual(expect.arrayContaining(["thread-stream"]));
  const undeclared = needed.filter((name) => !(name in dependencies) && !(name in DONE_WITHOUT));
  expect(undeclared).toEqual([]);
  for (const name of Object.keys(DONE_WITHOUT)) expect(needed).toContain(name);
});

it("can be started by its name after every build", () => {
  expect(statSync(join(ROOT, "dist/main.js")).mode & 0o111).toBe(0o111);
});

/** A consumer's program, which has types for all that it gets. */
const USE = `import { crossEntropy, type ArrayTensor, type CrossEntropyOptions } from "lossd";
const input: ArrayTensor = { dtype: "float32", shape: [1, 2], data: new Float32Array([0, 0]) };
const target: ArrayTensor = { dtype: "int64", shape: [1], data: new BigInt64Array([1n]) };
const options: CrossEntropyOptions = { weight: undefined, labelSmoothing: 0, ignoreIndex: -100, returnGrad: true };
const { loss, gradInput } = crossEntropy(input, target, options);
const gradient: Float32Array | undefined = gradInput?.data;
if (gradient?.length !== 2) throw new Error("no gradient");
console.log(loss);
`;

it("installed elsewhere, it serves, checks itself, and is a library with types", async (context) => {
  const away = join(folder, "away");
  const tarball = join(folder, `lossd-${VERSION}.tgz`);
  const npm = [
    "install",
    "--prefix",
    away,
    "--ignore-scripts",
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
    tarball,
  ];
  await run("npm", npm, { cwd: folder }).catch((error: Error) => {
    if (/ENOTFOUND|EAI_AGAIN|ENOTCACHED|ECONNREFUSED/.test(error.message))
      context.skip("no registry can be reached");
    throw error;
  });
  const program = join(away, "node_modules/.bin/lossd");
  const env = { PATH: `${resolve(process.execPath, "..")}:${process.env.PATH}` };
  expect((await run(program, ["--version"], { env })).stdout).toBe(`${VERSION}\n`);
  const server = spawn(program, ["--port", "0", "--workers", "2", "--drain-lag-ms", "0"], { env });
  onTestFinished(() => void server.kill("SIGKILL"));
  const url = await new Promise<string>((found) => {
    createInterface(server.stdout).on("line", (line) => {
      const address = /http:\/\/[\d.]+:\d+/.exec(line);
      if (address) found(address[0]);
    });
  });
  expect((await run(program, ["check", url], { env })).stdout).toContain("checks passed");
  expect((await fetch(`${url}/docs/`)).status).toBe(200);
  server.kill("SIGTERM");
  expect(await once(server, "exit")).toEqual([0, null]);

  await run("npm", ["pkg", "set", "type=module"], { cwd: away });
  writeFileSync(join(away, "use.ts"), USE);
  const { stdout } = await run(process.execPath, [join(away, "use.ts")]);
  expect(Number(stdout)).toBeCloseTo(Math.LN2, 6);
  const blocks = blocksOf(readPage("docs/library.md")).filter(({ language }) => language === "ts");
  for (const [at, { text }] of blocks.entries()) writeFileSync(join(away, `block-${at}.ts`), text);
  const sources = ["use.ts", ...blocks.map((_, at) => `block-${at}.ts`)];
  // As strict as a consumer can be, and without the DOM's types.
  const flags =
    "--strict --exactOptionalPropertyTypes --noEmit --module nodenext --target esnext --lib es2024 --types node";
  const types = ["--typeRoots", join(ROOT, "node_modules/@types")];
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  await run(tsc, [...flags.split(" "), ...types, ...sources], { cwd: away, env });
}, 120_000);
