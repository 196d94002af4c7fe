import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseBudget, DEFAULT_BYTES } from "../../src/server/memory-budget.ts";

const MiB = 1024 * 1024;
const NONE = 2 ** 64;

describe("the memory budget without a setting", () => {
  it.each([0, NONE, (2 * 1248 + 96) * MiB])("is 1 GiB of two workers under a limit of %d bytes", (limit) => {
    expect(chooseBudget(0, 2, limit)).toEqual({ bytes: DEFAULT_BYTES, notice: undefined });
  });

  it("is smaller under the limit of a container, and says so", () => {
    const limit = 512 * MiB;
    expect(chooseBudget(0, 1, limit)).toEqual({
      bytes: 288 * MiB,
      notice: `MEMORY_BUDGET is ${288 * MiB} bytes because of the memory limit of ${limit} bytes for 1 process`,
    });
  });

  it("fits every limit with the memory of the processes themselves, down to 16 MiB", () => {
    const limits = fc.integer({ min: 1, max: 64 * 1024 * MiB });
    fc.assert(
      fc.property(limits, fc.integer({ min: 1, max: 128 }), (limit, workers) => {
        const { bytes, notice } = chooseBudget(0, workers, limit);
        expect(bytes).toBeGreaterThanOrEqual(16 * MiB);
        expect(bytes).toBeLessThanOrEqual(DEFAULT_BYTES);
        const primary = workers > 1 ? 96 * MiB : 0;
        if (bytes > 16 * MiB) expect(workers * (bytes + 224 * MiB) + primary).toBeLessThanOrEqual(limit);
        expect(notice === undefined).toBe(bytes === DEFAULT_BYTES);
      }),
    );
  });
});

describe("a configured memory budget", () => {
  it("is taken as it is", () => {
    for (const limit of [0, NONE, 100 * MiB]) expect(chooseBudget(5 * MiB, 1, limit).bytes).toBe(5 * MiB);
  });

  it("is warned of when the limit does not cover it", () => {
    expect(chooseBudget(768 * MiB, 1, 1024 * MiB).notice).toBeUndefined();
    expect(chooseBudget(900 * MiB, 1, 1024 * MiB).notice).toBe(
      `MEMORY_BUDGET=${900 * MiB} may exceed the memory limit of ${1024 * MiB} bytes for 1 process, expected at most ${800 * MiB}`,
    );
  });
});
