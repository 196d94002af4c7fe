/** `shift`: the bits of the loss without it, over the rows that have a target. */
import fc from "fast-check";
import type { ArrayTensor } from "lossd";
import { crossEntropy } from "lossd";
import { expect, it } from "vitest";

type Floats = Float64Array | Float32Array;

/** Result of any dtype. */
type Result = Record<string, unknown> & { readonly gradInput: { shape: number[]; data: Floats } };
const lossOf = crossEntropy as unknown as (input: object, target: ArrayTensor, options: object) => Result;

const asked = fc.record({
  /** Sequences, their length, and classes: short and long rows, below and above the pieces in which rows are folded. */
  shape: fc.constantFrom(
    [1, 1, 4],
    [3, 2, 5],
    [9, 7, 3],
    [6000, 2, 3],
    [5000, 3, 3],
    [70, 50, 11],
    [3, 400, 64],
    [2, 5, 9000],
    [2, 3, 40_000],
    [0, 3, 2],
  ),
  by: fc.integer({ min: 1, max: 7 }),
  dtype: fc.constantFrom("float64" as const, "float32" as const),
  reduction: fc.constantFrom("none", "mean", "sum"),
  hasTerms: fc.boolean(),
  rowOptions: fc.constantFrom({}, { dtype: "float64" as const }, { temperature: 2, softcap: 3 }),
  returnGrad: fc.boolean(),
});

function floats(dtype: "float64" | "float32", shape: readonly number[], seed: number) {
  const count = shape.reduce((product, size) => product * size, 1);
  const numbers = Float64Array.from({ length: count }, (_, i) => ((i * 7919 + seed) % 1013) / 101 - 5);
  return { dtype, shape, data: dtype === "float64" ? numbers : Float32Array.from(numbers) };
}

/** Positions `from` to `to` of each sequence of `length` positions with `width` elements each. */
function cut<Data extends Floats | Int32Array>(
  data: Data,
  [length, width]: readonly [number, number],
  [from, to]: readonly [number, number],
): Data {
  const isIn = (position: number): boolean => position >= from && position < to;
  return data.filter((_, i) => isIn(Math.floor(i / width) % length)) as Data;
}

it("has the bits of the loss over the rows with a target, and a gradient of 0 for the others", () => {
  fc.assert(
    fc.property(asked, ({ shape, dtype, reduction, returnGrad, hasTerms, rowOptions, ...rest }) => {
      const [count, length, classes] = shape as [number, number, number];
      const by = Math.min(rest.by, length);
      const kept = length - by;
      const input = floats(dtype, shape, 0);
      const targets = Int32Array.from({ length: count * length }, (_, i) =>
        i % 9 === 4 ? -100 : i % classes,
      );
      const sampleWeight = floats("float64", [count, length], 3);
      const terms = { lseSquareScale: 0.01, returnZLoss: true, returnPredictions: true, returnCorrect: true };
      const options = {
        dim: -1,
        reduction,
        returnGrad,
        ...rowOptions,
        ...(hasTerms && terms),
        ...(returnGrad &&
          reduction === "none" && { gradOutput: floats(rowOptions.dtype ?? dtype, [count, kept], 5) }),
      };
      const { gradInput, ...shifted } = lossOf(
        input,
        { dtype: "int32", shape: [count, length], data: targets },
        { ...options, shift: by, ...(hasTerms && { sampleWeight }) },
      );
      const keptWeight = {
        dtype: "float64",
        shape: [count, kept],
        data: cut(sampleWeight.data, [length, 1], [by, length]),
      };
      const { gradInput: expected, ...plain } = lossOf(
        { dtype, shape: [count, kept, classes], data: cut(input.data, [length, classes], [0, kept]) },
        { dtype: "int32", shape: [count, kept], data: cut(targets, [length, 1], [by, length]) },
        { ...options, ...(hasTerms && { sampleWeight: keptWeight }) },
      );
      expect(shifted).toEqual(plain);
      if (!returnGrad) return;
      expect(gradInput.shape).toEqual(shape);
      expect(cut(gradInput.data, [length, classes], [0, kept])).toEqual(expected.data);
      const others = cut(gradInput.data, [length, classes], [kept, length]);
      expect(others.every((value) => Object.is(value, 0))).toBe(true);
    }),
    { numRuns: 150 },
  );
}, 60_000);
