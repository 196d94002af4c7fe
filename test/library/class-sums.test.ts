/** Sums over many classes in float64, whose equal terms all round alike: the loss of equal logits is ln C. */
import { crossEntropy } from "lossd";
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
