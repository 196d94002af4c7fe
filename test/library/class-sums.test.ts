/** Sums over many classes in float64, whose equal terms all round alike: the loss of equal logits is ln C. */
import { crossEntropy, logSoftmax } from "lossd";
import { expect, it } from "vitest";

/** Units in the last place. Sums from term to term were off by 170. */
const MOST_ULPS = 30;

const CLASSES = [2, 15, 16, 17, 64, 1000, 2048, 2049, 10_000, 100_000];

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

/** Units in the last place of log(1 + T), for a row and for columns. Columns without the rounding errors of T were off by 110. */
const MOST_ULPS_OF_TAIL = 4;

it.each([
  ["rows", 1],
  ["columns", 2],
  ["wide columns", 8],
])(
  "keep the digits of logsumexp in %s, for a largest logit of 0 and up to 10^6 small ones",
  (_layout, inner) => {
    for (const classes of [1000, 20_000, 100_000, 1_000_000].filter((count) => count * inner <= 2_000_000)) {
      const data = Float64Array.from({ length: classes * inner }, (_, i) =>
        i < inner ? 0 : -16 - Math.sin(i) ** 2,
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
