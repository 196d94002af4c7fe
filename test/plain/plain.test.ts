/** The kernels without relaxed SIMD: beside this file, those of test/kernel, test/properties and test/conformance run with them. */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { loadKernel } from "../../src/kernel/kernel.ts";

it("takes the plain build where the engine refuses relaxed SIMD", () => {
  const relaxed = readFileSync(new URL("../../src/kernel/kernel.wasm", import.meta.url));
  expect(() => new WebAssembly.Module(relaxed)).toThrow(WebAssembly.CompileError);
  expect(Object.keys(loadKernel(1 << 20).run)).toContain("crossEntropyStep");
});
