/** lossd-core as npm would publish it: what is in it, how large it is, and its types. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { publint } from "publint";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { VERSION } from "../../src/version.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const CORE = join(ROOT, "dist/core");
const KiB = 1024;
const run = promisify(execFile);

let folder: string;
let tarball: string;
let files: string[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lossd-core-"));
  const { stdout } = await run("npm", ["pack", CORE, "--json", "--pack-destination", folder]);
  const [packed] = Object.values(JSON.parse(stdout)) as { files: { path: string }[] }[];
  files = packed!.files.map(({ path }) => path);
  tarball = join(folder, `lossd-core-${VERSION}.tgz`);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

it("holds the entries, their common code, both builds of the kernels, types and texts, and nothing else", () => {
  expect(files.toSorted()).toEqual([
    "LICENSE",
    "README.md",
    "browser.js",
    "index.d.ts",
    "kernel-plain.wasm",
    "kernel.wasm",
    "library/init.d.ts",
    "library/losses.d.ts",
    "library/types.d.ts",
    "loss/loss-error.d.ts",
    "losses.js",
    "node.js",
    "package.json",
    "slim.js",
    "tensor/dtype.d.ts",
    "workerd.js",
  ]);
});

it("has nothing that publint finds fault with", async () => {
  const { buffer } = new Uint8Array(readFileSync(tarball));
  expect((await publint({ pack: { tarball: buffer } })).messages).toEqual([]);
});

it("has no dependencies, and the exports of lossd", () => {
  const own = JSON.parse(readFileSync(join(CORE, "package.json"), "utf8"));
  const { exports, version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  expect(own).toMatchObject({ name: "lossd-core", version });
  expect(own).not.toHaveProperty("dependencies");
  expect(own.exports).toEqual(JSON.parse(JSON.stringify(exports).replaceAll("./dist/core/", "./")));
  expect(own.sideEffects).toEqual(["./browser.js", "./node.js", "./workerd.js"]);
});

describe("size", () => {
  const gzipped = (file: string): number => gzipSync(readFileSync(join(CORE, file)), { level: 9 }).length;

  it.each(["kernel.wasm", "kernel-plain.wasm"])(
    "is at most 43 KiB compressed for a page that loads %s",
    (kernel) => {
      expect(gzipped("browser.js") + gzipped("losses.js") + gzipped(kernel)).toBeLessThanOrEqual(43 * KiB);
    },
  );

  it("is at most 76 KiB for the packed file, which has both builds, types and the license", () => {
    expect(statSync(tarball).size).toBeLessThanOrEqual(76 * KiB);
  });
});

/** A consumer's program, which uses every way of loading. */
const USE = `import { crossEntropy, init, initSync, type ArrayTensor, type InitOptions, type KernelSource } from "lossd-core";
import { klDiv } from "lossd-core/slim";
const input: ArrayTensor<"float32"> = { dtype: "float32", shape: [1, 2], data: new Float32Array([0, 0]) };
const target: ArrayTensor<"int64"> = { dtype: "int64", shape: [1], data: new BigInt64Array([1n]) };
const options: InitOptions = { maxBytes: 2 ** 26 };
const sources: KernelSource[] = ["/kernel.wasm", new Uint8Array(), new ArrayBuffer(0), Promise.resolve("/kernel.wasm")];
for (const source of sources) await init(source, options);
initSync(new Uint8Array(), options);
// @ts-expect-error: a number is no source
await init(1);
// @ts-expect-error: a URL has to be fetched
initSync("/kernel.wasm");
export const loss: number | undefined = crossEntropy(input, target).loss;
export const gradient: Float32Array | undefined = klDiv(input, input, { returnGrad: true }).gradInput?.data;
`;
const USE_DOM = `import { init, initSync } from "lossd-core";
const module: WebAssembly.Module = await WebAssembly.compileStreaming(fetch("/kernel.wasm"));
initSync(module);
await init(module);
await init(new URL("kernel.wasm", import.meta.url));
await init(fetch("/kernel.wasm"));
await init(await fetch("/kernel.wasm"));
`;

describe("types", () => {
  beforeAll(async () => {
    const modules = join(folder, "node_modules");
    mkdirSync(modules);
    await run("tar", ["-xzf", tarball, "-C", modules]);
    renameSync(join(modules, "package"), join(modules, "lossd-core"));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
    writeFileSync(join(folder, "use.ts"), USE);
    writeFileSync(join(folder, "use-dom.ts"), USE_DOM);
  });

  it.each([
    ["without the DOM and without @types/node", { module: "nodenext", lib: ["es2024"] }, ["use.ts"]],
    ["for a bundler", { module: "esnext", moduleResolution: "bundler", lib: ["es2024"] }, ["use.ts"]],
    ["with the DOM", { module: "nodenext", lib: ["es2024", "dom"] }, ["use.ts", "use-dom.ts"]],
  ])(
    "suffice %s",
    async (_, options, sources) => {
      const strict = {
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        target: "esnext",
        types: [],
      };
      const project = { compilerOptions: { ...strict, ...options }, files: sources };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(project));
      const tsc = join(ROOT, "node_modules/.bin/tsc");
      const output = await run(tsc, ["-p", folder]).then(
        ({ stdout }) => stdout,
        ({ stdout }: { stdout: string }) => stdout,
      );
      expect(output).toBe("");
    },
    30_000,
  );
});
