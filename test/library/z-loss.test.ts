/** The z-loss, `scale * torch.logsumexp(logits) ** 2`, of lines with numbers that are not finite, and its gradient, and that of logsumexp itself, beside a dominant logit. */
import fc from "fast-check";
import type { ArrayTensor } from "lossd";
import { crossEntropy, logSoftmax } from "lossd";
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

/** Makes a tensor of a float dtype. */
const floatsOf =
  (dtype: "float64" | "float32") =>
  (data: Iterable<number>, shape: readonly number[]): ArrayTensor<"float64" | "float32"> =>
    dtype === "float64"
      ? { dtype, shape, data: Float64Array.from(data) }
      : { dtype, shape, data: Float32Array.from(data) };

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
        const floats = floatsOf(dtype);
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

/** Multiples of 1/256, whose differences float32 has exactly. */
const between = (min: number, max: number) =>
  fc.integer({ min: 256 * min, max: 256 * max }).map((n) => n / 256);

const dominated = fc.record({
  logit: between(-5, 5),
  gaps: fc.array(between(-40, 0), { minLength: 1, maxLength: 100 }),
  target: fc.nat(),
  scale: fc.constantFrom(1e-30, 1e-8, 1e-4, 0.01, 1),
  weight: fc.constantFrom(1, 0.25, 0),
  upstream: fc.constantFrom(1, -2),
  dtype: fc.constantFrom("float64" as const, "float32" as const),
  isLast: fc.boolean(),
});

/** (p - [c = y]) * weight * g + 2 * scale * lse * p * g for one line, in float64, without a difference of equal numbers. */
function judgeGradient(
  x: readonly number[],
  y: number,
  scale: number,
  weight: number,
  g: number,
): { gradient: number; size: number }[] {
  const max = Math.max(...x);
  const terms = x.map((value) => Math.exp(value - max));
  const tail = terms.toSpliced(terms.indexOf(1), 1).reduce((a, b) => a + b, 0);
  const [lse, sum] = [max + Math.log1p(tail), 1 + tail];
  const others = terms.reduce((a, b, c) => (c === y ? a : a + b), 0) / sum;
  return terms.map((term, c) => {
    const picked = (c === y ? -others : term / sum) * weight * g;
    const pull = 2 * scale * (term / sum) * g;
    // The exponentials are rounded before their logarithm, which may cancel the maximum.
    const size = Math.abs(picked) + Math.abs(pull) * (Math.abs(lse) + tail / sum);
    return { gradient: picked + pull * lse, size };
  });
}

it("has a gradient that keeps the target's 1 - p, whatever the scale", () => {
  fc.assert(
    fc.property(dominated, ({ logit, gaps, target, scale, weight, upstream, dtype, isLast }) => {
      const classes = gaps.length + 1;
      const y = target % classes;
      const x = gaps.map((gap) => logit + gap).toSpliced(y, 0, logit);
      const floats = floatsOf(dtype);
      const { gradInput } = crossEntropy(
        floats(x, isLast ? [1, classes] : [1, classes, 1]),
        { dtype: "int64", shape: isLast ? [1] : [1, 1], data: BigInt64Array.of(BigInt(y)) },
        {
          reduction: "sum",
          returnGrad: true,
          gradOutput: floats([upstream], []),
          lseSquareScale: scale,
          weight: floats(new Array(classes).fill(weight), [classes]),
        },
      );
      // Each of the two terms may be off by a few units in the last place; the smallest numbers are subnormal.
      const relative = dtype === "float64" ? 2e-14 : 8e-7;
      judgeGradient(x, y, scale, weight, upstream).forEach(({ gradient, size }, c) => {
        const error = Math.abs(Number(gradInput!.data[c]) - gradient);
        expect(error, `class ${c}`).toBeLessThanOrEqual(relative * size + 1e-43);
      });
    }),
    { numRuns: 1000 },
  );
});

const KINDS = ["probabilities", "a sparse target", "a smoothed class"] as const;

it.each(KINDS)("has a gradient of its own where that of %s is 0", (kind) => {
  fc.assert(
    fc.property(
      fc.constantFrom("float64" as const, "float32" as const),
      fc.integer({ min: 1, max: 70 }),
      between(-5, 5),
      fc.constantFrom(1e-8, 1e-4, 1),
      fc.boolean(),
      (dtype, classes, logit, scale, isLast) => {
        const floats = floatsOf(dtype);
        // The others have a probability of 0 beside 1, and 1 class is its own smoothed target.
        const x = Array.from({ length: kind === "a smoothed class" ? 1 : classes }, (_, c) =>
          c === 0 ? logit : logit - 100,
        );
        const shape = isLast ? [1, x.length] : [1, x.length, 1];
        const inner = isLast ? [] : [1];
        const picked = (more: number[]) =>
          ({ dtype: "int64", shape: [1, ...more], data: BigInt64Array.of(0n) }) as const;
        const options = { returnGrad: true, lseSquareScale: scale, reduction: "sum" } as const;
        const input = floats(x, shape);
        const { gradInput } =
          kind === "probabilities"
            ? crossEntropy(
                input,
                floats(
                  x.map((_, c) => Number(c === 0)),
                  shape,
                ),
                options,
              )
            : kind === "a sparse target"
              ? crossEntropy(input, picked([1, ...inner]), {
                  ...options,
                  targetWeight: floats([1], [1, 1, ...inner]),
                })
              : crossEntropy(input, picked(inner), { ...options, labelSmoothing: 0.25 });
        const expected = 2 * scale * logit;
        const relative = dtype === "float64" ? 1e-15 : 3e-7;
        expect(Math.abs(Number(gradInput!.data[0]) - expected)).toBeLessThanOrEqual(
          relative * Math.abs(expected) + 1e-38,
        );
      },
    ),
    { numRuns: 300 },
  );
});

it("of log_softmax keeps the gradient of logsumexp where that of the output is 0", () => {
  const gradLse = 0.00666;
  for (const dtype of ["float32", "float64"] as const) {
    const floats = floatsOf(dtype);
    const input = floats([60, -60], [1, 2]);
    const index = { dtype: "int64", shape: [1, 1], data: BigInt64Array.of(0n) } as const;
    const common = { dim: 1, returnLse: true, returnGrad: true, gradLse: floats([gradLse], [1]) } as const;
    for (const { gradInput } of [
      logSoftmax(input, { ...common, gradOutput: floats([1, 0], [1, 2]) }),
      logSoftmax(input, { ...common, index, gradOutput: floats([1], [1, 1]) }),
    ])
      expect(gradInput!.data[0]).toBe(dtype === "float64" ? gradLse : Math.fround(gradLse));
  }
});
