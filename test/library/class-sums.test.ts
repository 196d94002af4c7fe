/** Sums over many classes in float64, whose equal terms all round alike: the loss of equal logits is ln C. */
import { crossEntropy, logSoftmax } from "lossd";
import { expect, it } from "vitest";

/** Units in the last place. Without the rounding errors of runs and blocks, sums of 10^6 terms were off by 120. */
const MOST_ULPS = 4;

const CLASSES = [2, 15, 16, 17, 64, 1000, 2048, 2049, 10_000, 100_000, 1_000_000];

const ulpsFromLog = (loss: number, classes: number): number => {
  const expected = Math.log(classes);
  return Math.abs(loss - expected) / 2 ** (Math.floor(Math.log2(expected)) - 52);
};

it.each([
  ["rows", 1],
  ["columns", 3],
])("keep their digits in %s, for probabilities and for label smoothing", (_layout, inner) => {
  for (const classes of CLASSES) {
    const shape = [1, classes, inner];
    const input = { dtype: "float64", shape, data: new Float64Array(classes * inner) } as const;
    const even = {
      dtype: "float64",
      shape,
      data: new Float64Array(classes * inner).fill(1 / classes),
    } as const;
    const first = { dtype: "int64", shape: [1, inner], data: new BigInt64Array(inner) } as const;
    for (const { losses } of [
      crossEntropy(input, even, { reduction: "none" }),
      crossEntropy(input, first, { reduction: "none", labelSmoothing: 0.5 }),
    ])
      for (const loss of losses!.data)
        expect(ulpsFromLog(Number(loss), classes), `${classes} classes`).toBeLessThanOrEqual(MOST_ULPS);
  }
});

/** Units in the last place of log(1 + T), for a row and for columns. Without the rounding errors of T, columns were off by 110, rows by 30. */
const MOST_ULPS_OF_TAIL = 4;

it.each([
  ["rows", 1],
  ["columns", 2],
  ["wide columns", 8],
])(
  "keep the digits of logsumexp in %s, for a largest logit of 0 and up to 10^6 small ones, equal and not",
  (_layout, inner) => {
    const counts = [1000, 20_000, 100_000, 1_000_000].filter((count) => count * inner <= 2_000_000);
    for (const [classes, spread] of counts.flatMap((count) => [[count, 0] as const, [count, 1] as const])) {
      const data = Float64Array.from({ length: classes * inner }, (_, i) =>
        i < inner ? 0 : -16.2 - spread * Math.sin(i) ** 2,
      );
      const { lse } = logSoftmax(
        { dtype: "float64", shape: [1, classes, inner], data },
        { dim: 1, returnLse: true },
      );
      for (let column = 0; column < inner; column++) {
        const expected = Math.log1p(tailOf(data, inner, column));
        const ulp = 2 ** (Math.floor(Math.log2(expected)) - 52);
        expect(
          Math.abs(Number(lse!.data[column]) - expected) / ulp,
          `${classes} classes`,
        ).toBeLessThanOrEqual(MOST_ULPS_OF_TAIL);
      }
    }
  },
);

/** Sums the exponentials of a column without its first, with the rounding errors (Kahan and Babuska). */
function tailOf(data: Float64Array, inner: number, column: number): number {
  let sum = 0;
  let rest = 0;
  for (let at = column + inner; at < data.length; at += inner) {
    const term = Math.exp(data[at]!);
    const total = sum + term;
    rest += sum >= term ? sum - total + term : term - total + sum;
    sum = total;
  }
  return sum + rest;
}

it("keep their digits over the picks of a sparse target, in the loss and in the gradient of other classes", () => {
  const picks = 1024;
  const classes = 2000;
  const { loss, gradInput } = crossEntropy(
    { dtype: "float64", shape: [1, classes], data: new Float64Array(classes) },
    { dtype: "int32", shape: [1, picks], data: Int32Array.from({ length: picks }, (_, pick) => pick) },
    {
      targetWeight: { dtype: "float64", shape: [1, picks], data: new Float64Array(picks).fill(0.1) },
      returnGrad: true,
    },
  );
  // 1024 times a number is exact.
  expect(Math.abs(Number(loss) / (picks * 0.1 * Math.log(classes)) - 1)).toBeLessThanOrEqual(2 ** -50);
  const other = gradInput!.data[classes - 1] as number;
  expect(Math.abs(other / ((picks * 0.1) / classes) - 1)).toBeLessThanOrEqual(2 ** -50);
});

it("keep the sign of a sum of 0, and so of the gradients for an upstream gradient of 0, as in float32", () => {
  const { gradInput } = crossEntropy(
    { dtype: "float64", shape: [1, 3], data: Float64Array.of(1, 2, 3) },
    { dtype: "int32", shape: [1], data: Int32Array.of(0) },
    {
      labelSmoothing: 0.1,
      returnGrad: true,
      gradOutput: { dtype: "float64", shape: [], data: Float64Array.of(0) },
    },
  );
  expect([...gradInput!.data]).toEqual([0, 0, 0]);
});
