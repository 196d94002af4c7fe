/** The folds against the float64 judge, over random layouts, dtypes and operands. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Fold, Sum } from "../../src/kernel/fold.ts";
import type { DType, FloatDType } from "../../src/tensor/dtype.ts";
import { expectSame } from "../support/almost.ts";
import type { Layout, OracleLoss } from "../support/oracle.ts";
import * as oracle from "../support/oracle.ts";
import { normals } from "../support/random.ts";
import { fold, inRegion, place, read } from "./place.ts";

const DTYPES = ["float64", "float32", "float16", "bfloat16"] as const;
/** Relative and absolute error: a few units in the last place of what each dtype stores. */
const TOLERANCE = { float64: 1e-12, float32: 2e-6, float16: 4e-3, bfloat16: 3e-2 } as const;

/** Rows and columns; classes from 1 to a few, and over one block of 2,048. */
const layout: fc.Arbitrary<Layout> = fc.oneof(
  fc.record({
    outer: fc.integer({ min: 1, max: 6 }),
    classes: fc.integer({ min: 1, max: 40 }),
    inner: fc.constant(1),
  }),
  fc.record({
    outer: fc.integer({ min: 1, max: 4 }),
    classes: fc.integer({ min: 1, max: 40 }),
    inner: fc.integer({ min: 2, max: 70 }),
  }),
  fc.record({
    outer: fc.integer({ min: 1, max: 2 }),
    classes: fc.integer({ min: 2040, max: 5000 }),
    inner: fc.constantFrom(1, 1, 2, 17),
  }),
);

/** Terms of one sign: a sum that cancels has no digits that two ways of rounding could share. */
const positive = (count: number, seed: number): number[] => normals(count, seed, 1).map(Math.abs);

interface Question {
  readonly layout: Layout;
  readonly seed: number;
  readonly scale: number;
  readonly smoothing: number;
  readonly weighted: boolean;
  readonly inPlace: boolean;
  readonly budget: number;
}

const question: fc.Arbitrary<Question> = fc.record({
  layout,
  seed: fc.nat(),
  scale: fc.constantFrom(0.1, 1, 8),
  smoothing: fc.constantFrom(0, 0, 0.1, 1),
  weighted: fc.boolean(),
  inPlace: fc.boolean(),
  budget: fc.constantFrom(1, 7, 1000, 1 << 20),
});

type Index = "nll" | "crossEntropy";
type Op = Index | "softTarget";

interface Answer extends OracleLoss {
  readonly lossSum: Sum;
}

/** Asks the kernels and the judge the same question; the judge gets the operands as the dtype stores them. */
function ask(op: Op, dtype: FloatDType, asked: Question): { got: Answer; want: OracleLoss } {
  const { layout, seed, smoothing, weighted, inPlace, budget } = asked;
  // The smooth term of 4,100 classes is stored too, and must stay below float16's 65,504.
  const scale = dtype === "float16" ? Math.min(asked.scale, 1) : asked.scale;
  const { outer, classes, inner } = layout;
  const count = outer * classes * inner;
  const positions = outer * inner;
  const compute = dtype === "float64" ? "float64" : "float32";
  const shape = [outer, classes, inner];
  return inRegion((region) => {
    const put = (type: DType, sizes: number[], list: number[]) => place(region, type, sizes, list);
    const x = put(dtype, shape, normals(count, seed, scale));
    const weight = weighted ? put(compute, [classes], positive(classes, seed + 1)) : undefined;
    const gradOutput = put(compute, [positions], normals(positions, seed + 2, 1));
    const soft = op === "softTarget";
    const indices = normals(positions, seed + 3, 1).map(
      (value) => Math.floor(Math.abs(value) * 1e6) % (classes + 1),
    );
    const target = soft ? put(dtype, shape, positive(count, seed + 4)) : put("int64", [positions], indices);
    const losses = put(dtype, [positions], Array(positions).fill(9));
    const out = inPlace ? x : put(dtype, shape, Array(count).fill(9));
    const gradTarget = soft ? (inPlace ? target : put(dtype, shape, Array(count).fill(9))) : undefined;

    const ones = Array(classes).fill(1);
    const judged = {
      weight: weight ? read(weight) : ones,
      ignoreIndex: classes,
      g: read(gradOutput),
      smoothing,
    };
    const [xs, ts] = [read(x), soft ? read(target) : indices];
    const want =
      op === "nll"
        ? oracle.nll(xs, ts, layout, judged)
        : soft
          ? oracle.softTarget(xs, ts, layout, judged)
          : oracle.crossEntropy(xs, ts, layout, judged);

    const operands: Fold = {
      axis: { outer, length: classes, inner },
      wide: compute === "float64",
      x,
      out,
      target,
      gradTarget,
      weight,
      losses,
      gradOutput,
      lossDType: dtype,
      smoothing: op === "nll" ? 0 : smoothing,
      ignoreIndex: BigInt(classes),
    };
    const { loss } = fold(region, op, operands, budget);
    const got = {
      losses: read(losses),
      gradInput: read(out),
      gradTarget: gradTarget ? read(gradTarget) : [],
      lossSum: loss,
    };
    return { got, want };
  });
}

/** Every element within the tolerance, relative to the largest of what is wanted. */
function expectClose(name: string, got: readonly number[], want: readonly number[], tolerance: number): void {
  const scale = want.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const at = want.findIndex((value, index) => !(Math.abs(got[index]! - value) <= tolerance * scale));
  expect(at < 0 ? "close" : `${name}[${at}] is ${got[at]}, not ${want[at]}`).toBe("close");
  expect(got.length).toBe(want.length);
}

describe.each(DTYPES)("in %s", (dtype) => {
  const tolerance = TOLERANCE[dtype];

  it.each(["nll", "crossEntropy", "softTarget"] as const)(
    "%s, its gradients and its losses are the judge's",
    (op) => {
      fc.assert(
        fc.property(question, (asked) => {
          const { got, want } = ask(op, dtype, asked);
          expectClose("losses", got.losses, want.losses, tolerance);
          expectClose("gradInput", got.gradInput, want.gradInput, tolerance);
          expectClose("gradTarget", got.gradTarget, want.gradTarget, tolerance);
        }),
        { numRuns: 40 },
      );
    },
  );

  it.each(["nll", "crossEntropy", "softTarget"] as const)(
    "%s gives the same bits for any budget, in place or not",
    (op) => {
      fc.assert(
        fc.property(question, (asked) => {
          const whole = ask(op, dtype, { ...asked, budget: 2 ** 30, inPlace: false }).got;
          for (const inPlace of [true, false]) {
            const { got } = ask(op, dtype, { ...asked, inPlace });
            for (const name of ["losses", "gradInput", "gradTarget"] as const)
              expectSame(got[name], whole[name]);
            expect(got.lossSum).toEqual(whole.lossSum);
          }
        }),
        { numRuns: 25 },
      );
    },
  );

  it("logSoftmax and its gradient are the judge's, in place", () => {
    fc.assert(
      fc.property(question, ({ layout, seed, scale, budget }) => {
        const { outer, classes, inner } = layout;
        const count = outer * classes * inner;
        const shape = [outer, classes, inner];
        inRegion((region) => {
          const x = place(region, dtype, shape, normals(count, seed, scale));
          const go = place(region, dtype, shape, normals(count, seed + 1, 1));
          const [xs, gs] = [read(x), read(go)];
          const common = { axis: { outer, length: classes, inner }, wide: dtype === "float64", x };
          fold(region, "logSoftmax", { ...common, out: x }, budget);
          expectClose("output", read(x), oracle.logSoftmax(xs, layout), tolerance);
          const stored = read(x);
          fold(region, "logSoftmaxGrad", { ...common, target: go, out: go }, budget);
          expectClose("gradient", read(go), oracle.logSoftmaxGrad(stored, gs, layout), tolerance);
        });
      }),
      { numRuns: 40 },
    );
  });
});

/** What becomes of special lines, whatever surrounds them: the line, its log-probabilities, and the gradient of ones. */
const SPECIAL: readonly [string, readonly number[], readonly number[]][] = [
  ["some -Infinity", [0, -Infinity, 0], [-Math.LN2, -Infinity, -Math.LN2]],
  ["all -Infinity", [-Infinity, -Infinity, -Infinity], [NaN, NaN, NaN]],
  ["one Infinity", [0, Infinity, 0], [NaN, NaN, NaN]],
  ["one NaN", [0, NaN, 0], [NaN, NaN, NaN]],
  ["NaN after -Infinity", [-Infinity, -Infinity, NaN], [NaN, NaN, NaN]],
  ["a difference that overflows float32", [3e38, -3e38, 3e38], [-Math.LN2, -Infinity, -Math.LN2]],
  ["a large equal shift", [1e16, 1e16, 1e16], [-Math.log(3), -Math.log(3), -Math.log(3)]],
];

describe("logSoftmax of float32", () => {
  it.each(SPECIAL)(
    "of a line with %s, as a row and as a column, beside lines that it does not touch",
    (_name, line, want) => {
      const plain = [1, 2, 3];
      for (const inner of [1, 2, 9]) {
        inRegion((region) => {
          const shape = [2, 3, inner];
          const lines =
            inner === 1
              ? [line, plain].flat()
              : Array.from({ length: 2 * 3 * inner }, (_, at) => {
                  const [c, i] = [Math.floor(at / inner) % 3, at % inner];
                  return i === 1 ? line[c]! : plain[c]!;
                });
          const x = place(region, "float32", shape, lines);
          fold(region, "logSoftmax", { axis: { outer: 2, length: 3, inner }, wide: false, x, out: x });
          const out = read(x);
          oracle.linesOf({ outer: 2, classes: 3, inner }).forEach((places, p) => {
            const special = inner === 1 ? p === 0 : p % inner === 1;
            const expected = special ? want : [-2.4076059, -1.4076059, -0.4076059];
            places.forEach((at, c) => {
              const value = expected[c]!;
              if (Number.isFinite(value)) expect(out[at]).toBeCloseTo(value, 6);
              else expect(out[at]).toBe(value);
            });
          });
        });
      }
    },
  );

  it.each([1, 2047, 2048, 2049, 4097])(
    "finds a NaN, an Infinity and a maximum at either end of %i classes",
    (classes) => {
      for (const at of [0, classes - 1]) {
        for (const [value, others] of [
          [NaN, NaN],
          [Infinity, NaN],
          [200, -200],
        ] as const) {
          inRegion((region) => {
            const list: number[] = Array(classes).fill(0);
            list[at] = value;
            const x = place(region, "float32", [1, classes, 1], list);
            fold(region, "logSoftmax", {
              axis: { outer: 1, length: classes, inner: 1 },
              wide: false,
              x,
              out: x,
            });
            const out = read(x);
            expect(out[at]).toBe(Number.isFinite(value) ? 0 : NaN);
            if (classes > 1) expect(out[at === 0 ? classes - 1 : 0]).toBe(others);
          });
        }
      }
    },
  );
});

it("exp(a) is within 1.5 units in the last place at 10^6 places of float32 in [-87.3, 0], and within 2^-149 from there to -104", () => {
  const count = 1 << 16;
  let worst = 0;
  let below = 0;
  for (let part = 0; part < 16; part++) {
    inRegion((region) => {
      const list = Array.from({ length: count }, (_, at) => Math.fround((-104 * (at + part / 16)) / count));
      // Two classes, upstream gradients -1 and 0: the gradient of the second is 0 - exp(a) * -1.
      const a = place(region, "float32", [1, 2, count], [...list, ...list]);
      const go = place(region, "float32", [1, 2, count], [...Array(count).fill(-1), ...Array(count).fill(0)]);
      const axis = { outer: 1, length: 2, inner: count };
      fold(region, "logSoftmaxGrad", { axis, wide: false, x: a, target: go, out: go });
      const got = read(go).slice(count);
      list.forEach((value, at) => {
        const want = Math.exp(value);
        const error = Math.abs(got[at]! - want);
        if (want >= 2 ** -126) worst = Math.max(worst, error / 2 ** (Math.floor(Math.log2(want)) - 23));
        else below = Math.max(below, error);
      });
    });
  }
  expect(worst).toBeLessThanOrEqual(1.5);
  expect(below).toBeLessThanOrEqual(2 ** -149);
});
