/** Lines of one class, whose probability is 1: weights, label smoothing and sparse targets give them no gradient. */
import fc from "fast-check";
import { crossEntropy } from "lossd";
import { expect, it } from "vitest";

const number = fc.double({ min: -8, max: 8, noNaN: true });
const cases = fc.record({
  lines: fc.integer({ min: 1, max: 9 }),
  wide: fc.boolean(),
  smoothing: fc.oneof(fc.constant(0), fc.double({ min: 1e-3, max: 1, noNaN: true })),
  weight: fc.double({ min: 0.01, max: 10, noNaN: true }),
  picks: fc.integer({ min: 0, max: 5 }),
  numbers: fc.array(number, { minLength: 60, maxLength: 60 }),
});

it("have a gradient of exactly 0", () => {
  fc.assert(
    fc.property(cases, ({ lines, wide, smoothing, weight, picks, numbers }) => {
      const floats = (shape: number[], from: number) => {
        const count = shape.reduce((product, size) => product * size, 1);
        const some = Array.from({ length: count }, (_, i) => numbers[(from + i) % numbers.length]!);
        return wide
          ? ({ dtype: "float64", shape, data: Float64Array.from(some) } as const)
          : ({ dtype: "float32", shape, data: Float32Array.from(some) } as const);
      };
      const indices = (shape: number[]) => {
        const count = shape.reduce((product, size) => product * size, 1);
        return { dtype: "int32", shape, data: new Int32Array(count) } as const;
      };
      const input = floats([lines, 1], 0);
      const each = { reduction: "none", returnGrad: true, gradOutput: floats([lines], 9) } as const;
      const weighted = {
        ...each,
        weight: { ...floats([1], 0), data: wide ? Float64Array.of(weight) : Float32Array.of(weight) },
      } as typeof each;
      const results = [
        crossEntropy(input, indices([lines]), { ...weighted, labelSmoothing: smoothing }),
        crossEntropy(input, floats([lines, 1], 20), { ...weighted, labelSmoothing: smoothing }),
        crossEntropy(input, indices([lines, picks]), {
          ...weighted,
          targetWeight: floats([lines, picks], 13),
        }),
      ];
      for (const { gradInput } of results)
        expect(Array.from(gradInput!.data as Float64Array, (value) => value + 0)).toEqual(
          new Array(lines).fill(0),
        );
    }),
    { numRuns: 300 },
  );
});
