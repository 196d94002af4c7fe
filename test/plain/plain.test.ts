/** The kernels without relaxed SIMD: beside this file, those of test/kernel, test/properties and test/conformance run with them. */

import { readFileSync } from "node:fs";
import { expect, it, vi } from "vitest";
import { hasFusedSteps, hasRelaxedSimd, hasSimd } from "../../src/kernel/simd.ts";

it("takes the plain build where the engine has no relaxed SIMD", async () => {
  expect([hasSimd(), hasRelaxedSimd(), hasFusedSteps()]).toEqual([true, false, false]);
  // A process compiles once.
  vi.resetModules();
  const { loadKernel } = await import("../../src/kernel/load.ts");
  const relaxed = readFileSync(new URL("../../src/kernel/kernel.wasm", import.meta.url));
  const compiled: unknown[] = [];
  const { Module } = WebAssembly;
  WebAssembly.Module = class extends Module {
    constructor(bytes: BufferSource) {
      super(bytes);
      compiled.push(bytes);
    }
  };
  expect(Object.keys(loadKernel(1 << 20).exports)).toContain("crossEntropyStep");
  WebAssembly.Module = Module;
  expect(compiled).toHaveLength(1);
  expect(relaxed.equals(compiled[0] as Buffer)).toBe(false);
});
