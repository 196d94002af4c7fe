/** Transforms of logits against float64: tanh and its derivative over their whole range, and the numbers at its ends. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LogitTransform } from "../../src/kernel/logits.ts";
import { transformGradStep, transformStep } from "../../src/kernel/logits.ts";
import { runToEnd } from "../../src/kernel/step.ts";
import type { FloatDType } from "../../src/tensor/dtype.ts";
import { inRegion, kernel, place, read } from "./place.ts";

const DIGITS: Readonly<Record<FloatDType, number>> = { float64: 52, float32: 23, float16: 10, bfloat16: 7 };
/** Units in the last place of the dtype. Two of those of float64 are the error of the reference. */
const MOST_ULPS: Readonly<Record<FloatDType, number>> = { float64: 4, float32: 2.5, float16: 1, bfloat16: 1 };
/** Units in the last place of the slope at 0, beside those from the rounding of x / softcap. */
const MOST_SLOPE_ULPS = 4;

const ulps = (got: number, want: number, dtype: FloatDType): number =>
  Math.abs(got - want) / 2 ** (Math.max(Math.floor(Math.log2(Math.abs(want))), -14) - DIGITS[dtype]);

/** Divides as PyTorch does: in float32 for the half types, which are then rounded a second time. */
const quotient = (value: number, by: number, dtype: FloatDType): number =>
  dtype === "float64" ? value / by : Math.fround(value / by);

/** Magnitudes from 1e-4 to 40, three hundred to a factor of ten. */
const inputs = Array.from({ length: 1681 }, (_, at) => 10 ** (at / 300 - 4)).flatMap((x) => [x, -x]);

function transform(dtype: FloatDType, numbers: readonly number[], by: LogitTransform) {
  return inRegion((region) => {
    const x = place(region, dtype, [numbers.length], numbers);
    const y = place(region, dtype, [numbers.length], numbers);
    const after = place(region, dtype, [1], [7]);
    const grad = place(region, dtype, [numbers.length], Array(numbers.length).fill(1));
    runToEnd([transformStep(kernel, y, by), transformGradStep(kernel, x, grad, by)]);
    expect(read(after)).toEqual([7]);
    return { x: read(x), y: read(y), grad: read(grad) };
  });
}

describe.each(Object.keys(DIGITS) as FloatDType[])("%s", (dtype) => {
  it.each([{ softcap: 1 }, { softcap: 2.5, temperature: 0.75 }, { softcap: 30 }, { softcap: 1000 }])(
    "softcap %j",
    (by) => {
      const { softcap, temperature = 1 } = by as { softcap: number; temperature?: number };
      const { x, y, grad } = transform(dtype, inputs, { softcap, temperature });
      x.forEach((value, at) => {
        const u = value / softcap;
        expect(
          ulps(y[at]!, (softcap * Math.tanh(u)) / temperature, dtype),
          `tanh of ${u}`,
        ).toBeLessThanOrEqual(MOST_ULPS[dtype]);
        const e = Math.exp(-2 * Math.abs(u));
        const slope = (4 * e) / (1 + e) ** 2 / temperature;
        // The rounding of u by one unit changes exp(-2|u|) by 2|u| units. Below the normal numbers of float16, only the
        // absolute error counts.
        const least = dtype === "float16" ? 2 ** -24 : 0;
        expect(Math.abs(grad[at]! - slope), `slope at ${u}`).toBeLessThanOrEqual(
          Math.max(least, (MOST_SLOPE_ULPS + 2 * Math.abs(u)) * slope * 2 ** -DIGITS[dtype]),
        );
      });
    },
  );

  it("keeps NaN and the sign of zero, and caps infinities", () => {
    const { y, grad } = transform(dtype, [Number.NaN, Infinity, -Infinity, 0, -0], {
      softcap: 2,
      temperature: undefined,
    });
    expect(y).toEqual([Number.NaN, 2, -2, 0, -0]);
    expect(grad).toEqual([Number.NaN, 0, 0, 1, 1]);
  });

  it("keeps the order of thousands of neighbors around the ends of its forms", () => {
    for (const softcap of [1, 2.5, 15.5, 30, 50]) {
      const neighbors = [0.2, 0.45, 0.5, 0.55, 0.75, 0.9, 0.99, 1, 1.1, 2].flatMap((u) => {
        const step = u * softcap * 2 ** -DIGITS[dtype];
        return Array.from({ length: 1000 }, (_, at) => u * softcap + (at - 500) * step);
      });
      const { x, y } = transform(dtype, neighbors, { softcap, temperature: undefined });
      const swapped = y.filter((value, at) => at > 0 && x[at]! >= x[at - 1]! && value < y[at - 1]!);
      expect(swapped, `${softcap}`).toEqual([]);
    }
  });

  it("keeps logits that a softcap from 1e30 on does not change, whose quotient underflows", () => {
    const least = { float64: 5e-324, float32: 2 ** -149, float16: 2 ** -24, bfloat16: 2 ** -133 }[dtype];
    const numbers = [0, -0, least, -least, 3 * least, 0.25, -700, 65504];
    for (const softcap of [1e30, 3e38, 1e39, Number.MAX_VALUE]) {
      const { x, y, grad } = transform(dtype, numbers, { softcap, temperature: undefined });
      expect(y, `${softcap}`).toEqual(x);
      expect(grad, `${softcap}`).toEqual(numbers.map(() => 1));
    }
  });

  it("divides by a temperature alone as PyTorch does, any number at a time", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { maxLength: 3000 }),
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        fc.constantFrom(1, 7, 2000),
        (numbers, temperature, budget) => {
          inRegion((region) => {
            const tensor = place(region, dtype, [numbers.length], numbers);
            const by = dtype === "float64" ? temperature : Math.fround(temperature);
            const want = read(tensor).map((value) => quotient(value, by, dtype));
            const rounded = read(place(region, dtype, [numbers.length], want));
            const step = transformStep(kernel, tensor, { softcap: undefined, temperature });
            while (!step(budget));
            expect(read(tensor)).toEqual(rounded);
          });
        },
      ),
      { numRuns: 20 },
    );
  });

  it("gives the same bits for any division into steps", () => {
    const numbers = inputs.slice(0, 331);
    const by = { softcap: 2, temperature: 3 };
    const whole = transform(dtype, numbers, by).y;
    const parts = inRegion((region) => {
      const y = place(region, dtype, [numbers.length], numbers);
      const step = transformStep(kernel, y, by);
      while (!step(7));
      return read(y);
    });
    expect(parts).toEqual(whole);
  });
});

it("rounds the quotient of a half number to float32 first, as PyTorch does", () => {
  // PyTorch 2.15: torch.tensor([-129 * 2**-24]).half() / 0.01. Rounded once, it would be the next number.
  const { y } = transform("float16", [-129 * 2 ** -24], { softcap: undefined, temperature: 0.01 });
  expect(y).toEqual([-0.0007686614990234375]);
});
