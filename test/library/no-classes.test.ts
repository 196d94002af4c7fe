/** Inputs without classes whose class dimension is not PyTorch's, against PyTorch's rules for `input.movedim(dim, 1)`. */
import { crossEntropy, nllLoss } from "lossd";
import { describe, expect, it } from "vitest";

const IGNORED = -100n;

const losses = (operation: typeof nllLoss, shape: readonly number[], dim: number) => {
  const targetShape = shape.toSpliced(dim, 1);
  const positions = targetShape.reduce((count, size) => count * size, 1);
  const target = {
    dtype: "int64",
    shape: targetShape,
    data: new BigInt64Array(positions).fill(IGNORED),
  } as const;
  const input = { dtype: "float64", shape, data: new Float64Array(0) } as const;
  return operation(input, target, { dim, reduction: "none" }).losses!.data;
};

describe.each([
  ["crossEntropy", crossEntropy as typeof nllLoss],
  ["nllLoss", nllLoss],
])("%s of ignored positions without classes", (_name, operation) => {
  it("is 0 for 2-D and 4-D inputs", () => {
    expect(losses(operation, [0, 2], 0)).toEqual(new Float64Array(2));
    expect(losses(operation, [2, 3, 4, 0], 3)).toEqual(new Float64Array(24));
  });

  it("is rejected for 3-D and 5-D inputs, as with the class dimension of PyTorch", () => {
    for (const [shape, dim] of [
      [[2, 3, 0], 2],
      [[0, 2, 3], 0],
      [[2, 3, 4, 5, 0], 4],
    ] as const)
      expect(() => losses(operation, shape, dim), `${shape}`).toThrow(
        "size mismatch (got input: [2, 0, 0, 0]",
      );
  });

  it("is empty for 3-D inputs without positions", () => {
    expect(losses(operation, [0, 3, 0], 2)).toEqual(new Float64Array(0));
  });
});
