/** The z-loss of lines with numbers that are not finite: `scale * torch.logsumexp(logits) ** 2`. */
import fc from "fast-check";
import { crossEntropy } from "lossd";
import { expect, it } from "vitest";

const logit = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: -30, max: 30, noNaN: true }) },
  fc.constantFrom(Infinity, -Infinity, Number.NaN),
);
const line = fc
  .integer({ min: 1, max: 40 })
  .chain((classes) =>
    fc.array(
      fc.oneof(
        fc.array(logit, { minLength: classes, maxLength: classes }),
        fc.constant(Array.from({ length: classes }, () => -Infinity)),
      ),
      { minLength: 1, maxLength: 20 },
    ),
  );

/** PyTorch's logsumexp: NaN and infinite maxima are not subtracted. */
function logsumexp(values: readonly number[]): number {
  const max = Math.max(...values);
  if (!Number.isFinite(max)) return max;
  return max + Math.log(values.reduce((sum, value) => sum + Math.exp(value - max), 0));
}

it("is infinite where logsumexp is, and NaN only in a line with NaN", () => {
  fc.assert(
    fc.property(
      line,
      fc.constantFrom("float64" as const, "float32" as const),
      fc.boolean(),
      fc.boolean(),
      (lines, dtype, isLast, returnGrad) => {
        const [count, classes] = [lines.length, lines[0]!.length];
        const shape = isLast ? [count, classes] : [1, classes, count];
        const numbers = Float64Array.from({ length: count * classes }, (_, i) =>
          isLast ? lines[Math.floor(i / classes)]![i % classes]! : lines[i % count]![Math.floor(i / count)]!,
        );
        const floats = (data: Float64Array, of: number[]) =>
          dtype === "float64"
            ? { dtype, shape: of, data }
            : ({ dtype: "float32", shape: of, data: Float32Array.from(data) } as const);
        const positions = isLast ? [count] : [1, count];
        const { zLosses } = crossEntropy(
          floats(numbers, shape),
          { dtype: "int32", shape: positions, data: new Int32Array(count) },
          {
            reduction: "none",
            lseSquareScale: 0.5,
            returnZLoss: true,
            returnGrad,
            ...(returnGrad && { gradOutput: floats(new Float64Array(count).fill(1), positions) }),
          },
        );
        const round = dtype === "float64" ? Number : Math.fround;
        lines.forEach((values, i) => {
          const expected = 0.5 * logsumexp(values.map(round)) ** 2;
          const actual = Number(zLosses!.data[i]);
          if (!Number.isFinite(expected)) expect(actual).toBe(expected);
          else
            expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-6 * (expected + Math.sqrt(expected)));
        });
      },
    ),
    { numRuns: 500 },
  );
});
