/** The kernel of kl_div against the float64 judge, over random dtypes, counts and divisions into steps. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Sum } from "../../src/kernel/fold.ts";
import { NO_SUM, totalOf } from "../../src/kernel/fold.ts";
import type { KlDiv, KlDivState } from "../../src/kernel/kl-div.ts";
import { klDivStep } from "../../src/kernel/kl-div.ts";
import type { FloatDType } from "../../src/tensor/dtype.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { partOf } from "../../src/tensor/tensor.ts";
import * as oracle from "../support/oracle.ts";
import { uniform } from "../support/random.ts";
import { inRegion, kernel, place, read } from "./place.ts";

const DTYPES = ["float64", "float32", "float16", "bfloat16"] as const;
/** Error of a few roundings, relative to 1 and the larger operands. */
const TOLERANCE = { float64: 1e-13, float32: 2e-6, float16: 8e-3, bfloat16: 6e-2 } as const;

interface Question {
  readonly x: readonly number[];
  readonly t: readonly number[];
  readonly g: readonly number[];
  readonly logTarget: boolean;
  readonly budget: number;
}

const question: fc.Arbitrary<Question> = fc
  .record({
    count: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 500, max: 1600 })),
    logTarget: fc.boolean(),
    budget: fc.constantFrom(1, 7, 513, 1 << 20),
    seed: fc.nat(),
  })
  .map(({ count, logTarget, budget, seed }) => {
    const numbers = uniform(seed | 1);
    const list = (make: () => number): number[] => Array.from({ length: count }, make);
    return {
      x: list(() => -8 * numbers()),
      // Far from 0, whose logarithm would exceed float16's tolerance.
      t: list(() => (logTarget ? -6 * numbers() : 0.05 + numbers())),
      g: list(() => 2 * numbers() - 1),
      logTarget,
      budget,
    };
  });

function promote(a: FloatDType, b: FloatDType): FloatDType {
  if (a === b) return a;
  return a === "float64" || b === "float64" ? "float64" : "float32";
}

/** Runs the kernel to its end over parts of `each` elements; returns the total. */
function run(
  { gradOutputScalar = 1, ...operands }: Omit<KlDiv, "count"> & Partial<KlDivState>,
  count: number,
  budget: number,
  each = count,
): Sum {
  const state = { gradOutputScalar, sum: NO_SUM };
  const at = kernel.exports.outputAt;
  for (let first = 0; first === 0 || first < count; first += Math.max(each, 1)) {
    const n = Math.min(each, count - first);
    const part = (tensor: Tensor): Tensor => partOf(tensor, first, n);
    const places = {
      ...operands,
      count: n,
      x: part(operands.x),
      target: part(operands.target),
      losses: operands.losses && part(operands.losses),
      gradInput: operands.gradInput && part(operands.gradInput),
      gradTarget: operands.gradTarget && part(operands.gradTarget),
      gradOutput: operands.gradOutput && part(operands.gradOutput),
    };
    const step = klDivStep(kernel, at, places, state);
    while (!step(budget));
  }
  return state.sum;
}

interface Answer {
  readonly sum: Sum;
  readonly losses: number[];
  readonly gradInput: number[];
  readonly gradTarget: number[];
}

/** Asks the kernel for the sum and then, in place, for losses and gradients; also asks the judge, who gets the stored operands. */
function ask(
  asked: Question,
  xDType: FloatDType,
  tDType: FloatDType,
  each?: number,
): { got: Answer; want: oracle.OracleLoss } {
  const { logTarget, budget } = asked;
  const count = asked.x.length;
  const lossDType = promote(xDType, tDType);
  return inRegion((region) => {
    const x = place(region, xDType, [count], asked.x);
    const target = place(region, tDType, [count], asked.t);
    const g = place(region, lossDType === "float64" ? "float64" : "float32", [count], asked.g);
    const losses = place(region, lossDType, [count], Array(count).fill(9));
    const want = oracle.klDiv(read(x), read(target), { logTarget, g: read(g) });
    const common = { x, target, logTarget, lossDType };
    const sum = run(common, count, budget, each);
    const grads = { gradInput: x, gradTarget: target, gradOutput: g };
    run({ ...common, ...grads, losses }, count, budget, each);
    const got = { sum, losses: read(losses), gradInput: read(x), gradTarget: read(target) };
    return { got, want };
  });
}

function expectClose(got: readonly number[], want: readonly number[], tolerance: number): void {
  expect(got.length).toBe(want.length);
  const at = want.findIndex((value, index) => !(Math.abs(got[index]! - value) <= tolerance * 8));
  expect(at < 0 ? "close" : `[${at}] is ${got[at]}, not ${want[at]}`).toBe("close");
}

const narrower = (a: FloatDType, b: FloatDType): FloatDType => (TOLERANCE[a] > TOLERANCE[b] ? a : b);

describe.each(DTYPES.flatMap((x) => DTYPES.map((t) => [x, t] as const)))(
  "of %s input and %s target",
  (x, t) => {
    it("losses and both gradients are the judge's, and the sum is the losses'", () => {
      fc.assert(
        fc.property(question, (asked) => {
          const { got, want } = ask(asked, x, t);
          const tolerance = TOLERANCE[narrower(x, t)];
          expectClose(got.losses, want.losses, tolerance);
          expectClose(got.gradInput, want.gradInput, tolerance);
          expectClose(got.gradTarget, want.gradTarget, tolerance);
          const sum = got.losses.reduce((total, loss) => total + loss, 0);
          expect(Math.abs(totalOf(got.sum) - sum)).toBeLessThan(1e-10);
        }),
        { numRuns: 20 },
      );
    });

    it("gives the same bits for any budget and any division of the elements", () => {
      fc.assert(
        fc.property(question, fc.constantFrom(1, 3, 512, 700), fc.boolean(), (plain, each, isRare) => {
          // Subnormal numbers and large arguments take another way, which must not change their neighbors.
          const rare = plain.logTarget ? 650 : 1e-310;
          const mixed = plain.t.map((value, at) => (isRare && at % 5 === 0 ? rare : value));
          const asked = { ...plain, t: mixed };
          const whole = ask({ ...asked, budget: 2 ** 30 }, x, t).got;
          expect(ask(asked, x, t).got).toEqual(whole);
          expect(ask(asked, x, t, each).got).toEqual(whole);
        }),
        { numRuns: 20 },
      );
    });
  },
);

it("stops after a block once the budget is spent", () => {
  inRegion((region) => {
    const x = place(region, "float32", [5000], Array(5000).fill(-1));
    const operands = { count: 5000, x, target: x, logTarget: true, lossDType: "float32" } as const;
    const step = klDivStep(kernel, kernel.exports.outputAt, operands, { gradOutputScalar: 1, sum: NO_SUM });
    let steps = 1;
    while (!step(1)) steps++;
    expect(steps).toBe(Math.ceil(5000 / 512));
  });
});

describe("in float64", () => {
  const single = (t: number, logTarget: boolean, input = 0): number =>
    inRegion((region) => {
      const x = place(region, "float64", [1], [input]);
      const target = place(region, "float64", [1], [t]);
      return run({ x, target, logTarget, lossDType: "float64" }, 1, 1).sum;
    });
  const ulps = (got: number, want: number): number => Math.abs(got - want) / (2 ** -52 * Math.abs(want));

  it("t * log(t) is within 2 units from the smallest subnormal up to 2^1012, and Infinity for it", () => {
    for (let exponent = -1074; exponent <= 1012; exponent += 0.37) {
      const t = 2 ** exponent;
      if (t === 1 || t < 1e-300) continue;
      expect(ulps(single(t, false), t * Math.log(t)), String(t)).toBeLessThanOrEqual(2);
    }
    expect(single(Infinity, false, -1)).toBe(Infinity);
    for (const t of [2 ** -1074, 3 * 2 ** -1074, 2 ** -1030, 2 ** -1022]) {
      // The product is a subnormal number itself, whose step is 2^-1074.
      expect(Math.abs(single(t, false) - t * Math.log(t)), String(t)).toBeLessThanOrEqual(2 ** -1074);
    }
  });

  it("exp(t) * t is within 2 units from -700 to 703, and Infinity beyond", () => {
    for (let t = -700; t < 703; t += 0.613) {
      expect(ulps(single(t, true), Math.exp(t) * t), String(t)).toBeLessThanOrEqual(2);
    }
    expect(single(710, true)).toBe(Infinity);
    expect(single(Infinity, true)).toBe(Infinity);
    expect(single(-Infinity, true)).toBeNaN();
  });
});
