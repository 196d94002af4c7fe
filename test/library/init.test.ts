/** Loading of the library's kernels by its callers. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as lossd from "lossd";
import * as slim from "lossd/slim";
import { describe, expect, it, onTestFinished } from "vitest";

const run = promisify(execFile);
const fileOf = (name: string): URL => new URL(import.meta.resolve(`lossd/${name}`));
const BYTES = readFileSync(fileOf("kernel.wasm"));
const MODULE = new WebAssembly.Module(BYTES);

const input = { dtype: "float64", shape: [1, 2], data: Float64Array.of(0, 0) } as const;
const target = { dtype: "int64", shape: [1], data: BigInt64Array.of(1n) } as const;
const lossOf = (library: typeof lossd): number | undefined => library.crossEntropy(input, target).loss;

/** Serves the kernels until the test has finished. */
async function serve(type: string, status = 200): Promise<string> {
  const server = createServer((_, response) => {
    response.writeHead(status, { "content-type": type }).end(BYTES);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/kernel.wasm`;
}

it("lossd/slim has the exports of lossd", () => {
  expect(Object.keys(slim).sort()).toEqual(Object.keys(lossd).sort());
});

it("lossd/slim throws an Error before init, and computes after it", async () => {
  // In a process of its own, because all entries share the kernels.
  const program = `import { crossEntropy, init, initSync } from "lossd/slim";
const input = { dtype: "float64", shape: [1, 2], data: Float64Array.of(0, 0) };
const target = { dtype: "int64", shape: [1], data: BigInt64Array.of(1n) };
const attempts = [() => crossEntropy(input, target), initSync, init, () => init(process.getBuiltinModule("fs").promises.readFile(process.argv[1])), () => crossEntropy(input, target).loss];
for (const attempt of attempts) {
  try {
    console.log(String(await attempt()));
  } catch (error) {
    console.log(String(error));
  }
}`;
  const args = ["--input-type=module", "--eval", program, fileURLToPath(fileOf("kernel.wasm"))];
  const { stdout } = await run(process.execPath, args, { cwd: import.meta.dirname });
  const message =
    "the kernels are not loaded, and this entry does not know their file; call init with kernel.wasm first";
  expect(stdout.trim().split("\n")).toEqual([
    ...["crossEntropy", "initSync", "init"].map((name) => `Error: ${name}: ${message}`),
    "undefined",
    String(Math.LN2),
  ]);
});

describe("init", () => {
  const sources = {
    "a module": () => MODULE,
    bytes: () => BYTES,
    "an ArrayBuffer": () => Uint8Array.from(BYTES).buffer,
    "a URL of application/wasm": () => serve("application/wasm"),
    "a URL of another type": async () => new URL(await serve("application/octet-stream")),
    "a Response": () => new Response(BYTES, { headers: { "content-type": "application/wasm" } }),
    "a promise of a Response": async () => fetch(await serve("application/wasm")),
  } as const;

  it.each(Object.entries(sources))("takes %s", async (_, source) => {
    await lossd.init(await source());
    expect(lossOf(lossd)).toBe(Math.LN2);
    await lossd.init(Promise.resolve(source()));
    expect(lossOf(lossd)).toBe(Math.LN2);
  });

  it("takes the runtime's own kernels without a source", async () => {
    await lossd.init(undefined, { maxBytes: 2 ** 22 });
    expect(lossOf(lossd)).toBe(Math.LN2);
    await lossd.init();
  });

  it("rejects what is no source with a TypeError", async () => {
    const expected = "a WebAssembly.Module, bytes, a URL, a Response, or a promise of one";
    for (const [source, got] of [
      [1, "1"],
      [{}, "an object"],
      [[], "an Array"],
    ] as const) {
      await expect(lossd.init(source as never)).rejects.toThrow(
        new TypeError(`init: source: expected ${expected}, got ${got}`),
      );
    }
    const url = "http://localhost/kernel.wasm";
    expect(() => lossd.initSync(url as never)).toThrow(
      new TypeError(`initSync: source: expected a WebAssembly.Module or bytes, got the string "${url}"`),
    );
  });

  it("rejects an error status, other bytes and the module of something else, and keeps the kernels", async () => {
    const url = await serve("application/wasm", 404);
    await expect(lossd.init(url)).rejects.toThrow(`${url}: expected the kernels, got HTTP status 404`);
    await expect(lossd.init(Uint8Array.of(1, 2, 3))).rejects.toThrow(WebAssembly.CompileError);
    const other = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    expect(() => lossd.initSync(other)).toThrow(
      "expected the module of kernel.wasm or kernel-plain.wasm, got one with other exports",
    );
    expect(lossOf(lossd)).toBe(Math.LN2);
  });

  it("names the plain build where the engine has no relaxed SIMD", async () => {
    const { validate, Module } = WebAssembly;
    onTestFinished(() => void Object.assign(WebAssembly, { validate, Module }));
    WebAssembly.validate = (bytes) => (bytes as Uint8Array).length < 50 && validate(bytes);
    WebAssembly.Module = class {
      constructor() {
        throw new WebAssembly.CompileError("invalid SIMD opcode 0x105");
      }
    } as never;
    expect(() => lossd.initSync(BYTES)).toThrow(
      "these kernels need relaxed SIMD, which this engine does not have; load kernel-plain.wasm instead",
    );
  });
});
