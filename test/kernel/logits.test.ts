/** Transforms of logits against float64: tanh and its derivative over their whole range, and the numbers at its ends. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LogitTransform } from "../../src/kernel/logits.ts";
import { transformGradStep, transformStep } from "../../src/kernel/logits.ts";
import { runToEnd } from "../../src/kernel/step.ts";
import type { FloatDType } from "../../src/tensor/dtype.ts";
import { inRegion, kernel, place, read } from "./place.ts";

const DIGITS: Readonly<Record<FloatDType, number>> = { float64: 52, float32: 23, float16: 10, bfloat16: 7 };
/** Units in the last place of the dtype. A half type has its own rounding beside that of float32. */
const MOST_ULPS = 4;

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
  it.each([{ softcap: 1 }, { softcap: 2.5, temperature: 0.75 }])("softcap %j", (by) => {
    const { softcap, temperature = 1 } = by as { softcap: number; temperature?: number };
    const { x, y, grad } = transform(dtype, inputs, { softcap, temperature });
    x.forEach((value, at) => {
      const u = value / softcap;
      expect(ulps(y[at]!, (softcap * Math.tanh(u)) / temperature, dtype), `tanh of ${u}`).toBeLessThanOrEqual(
        MOST_ULPS,
      );
      const e = Math.exp(-2 * Math.abs(u));
      const slope = (4 * e) / (1 + e) ** 2 / temperature;
      // The rounding of u by one unit changes exp(-2|u|) by 2|u| units. Below the normal numbers of float16, only the
      // absolute error counts.
      const least = dtype === "float16" ? 2 ** -24 : 0;
      expect(Math.abs(grad[at]! - slope), `slope at ${u}`).toBeLessThanOrEqual(
        Math.max(least, (MOST_ULPS + 2 * Math.abs(u)) * slope * 2 ** -DIGITS[dtype]),
      );
    });
  });

  it("keeps NaN and the sign of zero, and caps infinities", () => {
    const { y, grad } = transform(dtype, [Number.NaN, Infinity, -Infinity, 0, -0], {
      softcap: 2,
      temperature: undefined,
    });
    expect(y).toEqual([Number.NaN, 2, -2, 0, -0]);
    expect(grad).toEqual([Number.NaN, 0, 0, 1, 1]);
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
