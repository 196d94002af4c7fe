/** Tests of the engine, by which a build of the kernels is chosen. */
import { afterEach, expect, it, vi } from "vitest";
import { hasFusedSteps, hasRelaxedSimd, hasSimd } from "../../src/kernel/simd.ts";

afterEach(() => void vi.restoreAllMocks());

it.each([
  ["one rounding", 2 ** -46, true],
  ["two roundings, as JavaScriptCore does on x86", 0, false],
])("hasFusedSteps tells %s", (_, result, isFused) => {
  vi.spyOn(WebAssembly, "Instance").mockImplementation(
    class {
      readonly exports = { f: () => result };
    },
  );
  expect([hasSimd(), hasRelaxedSimd(), hasFusedSteps()]).toEqual([true, true, isFused]);
});

it("multiplies and adds (1 + 2^-23)^2 - 1 - 2^-22, which is 2^-46, or 0 if the square is rounded", () => {
  const instances = vi.spyOn(WebAssembly, "Instance");
  const isFused = hasFusedSteps();
  const { exports } = instances.mock.results[0]!.value as WebAssembly.Instance;
  expect((exports.f as () => number)()).toBe(isFused ? 2 ** -46 : 0);
});

it("has nothing without WebAssembly", () => {
  vi.stubGlobal("WebAssembly", undefined);
  expect([hasSimd(), hasRelaxedSimd(), hasFusedSteps()]).toEqual([false, false, false]);
  vi.unstubAllGlobals();
});
