/** The package for callers in the same process, through its public name. */

import * as lossd from "lossd";
import { crossEntropy, LossRefusal, logSoftmax, nllLoss } from "lossd";
import { describe, expect, it } from "vitest";

const input = { dtype: "float32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 0, 0, 0) } as const;
const target = { dtype: "int64", shape: [2], data: BigInt64Array.of(2n, 0n) } as const;

describe("import from lossd", () => {
  it("exports exactly its public names", () => {
    expect(Object.keys(lossd).sort()).toEqual(["LossRefusal", "crossEntropy", "logSoftmax", "nllLoss"]);
  });

  it("computes a loss and its gradient and leaves the operands alone", () => {
    const before = [...input.data];
    const { loss, totalWeight, gradInput, warnings } = crossEntropy(input, target, { returnGrad: true });
    expect(loss).toBeCloseTo((0.40760597 + Math.log(3)) / 2, 6);
    expect(totalWeight).toBe(2);
    expect(gradInput).toMatchObject({ dtype: "float32", shape: [2, 3] });
    expect(gradInput!.data[5]).toBeCloseTo(1 / 6, 6);
    expect(warnings).toEqual([]);
    expect([...input.data]).toEqual(before);
  });

  it("is nllLoss of logSoftmax", () => {
    const { output } = logSoftmax(input, { dim: 1 });
    expect(nllLoss(output, target).loss).toBe(crossEntropy(input, target).loss);
  });

  it("takes any int64 as ignoreIndex and as target", () => {
    const far = 2n ** 62n + 1n;
    const kept = { ...target, data: BigInt64Array.of(2n, far) };
    expect(crossEntropy(input, kept, { ignoreIndex: far }).totalWeight).toBe(1);
    expect(() => crossEntropy(input, kept, { ignoreIndex: far - 1n })).toThrow(
      /Target 4611686018427387905 is out of bounds/,
    );
  });

  it("takes float16 and bfloat16 as their 16 bits", () => {
    const half = { dtype: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0x3c00) } as const;
    expect(logSoftmax(half, { dim: 0 }).output.data).toEqual(Uint16Array.of(0xb98c, 0xb98c));
  });

  it("refuses with a LossRefusal that names code, field and element", () => {
    const wrong = { ...target, data: BigInt64Array.of(2n, 3n) };
    expect(() => crossEntropy(input, wrong)).toThrow(LossRefusal);
    try {
      crossEntropy(input, wrong);
    } catch (error) {
      expect(error).toMatchObject({ code: "target_out_of_bounds", field: "target", element: 1 });
    }
    expect(() => crossEntropy({ ...input, shape: [2, 4] }, target)).toThrow(
      /needs 8 elements of 4 bytes, got 6 of 4/,
    );
  });
});
