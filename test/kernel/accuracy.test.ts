/** What float32 and float64 keep: small losses beside a dominant logit, subnormal numbers, and sums over many positions. */
import { describe, expect, it } from "vitest";
import { NO_SUMS, totalOf } from "../../src/kernel/fold.ts";
import { fold, inRegion, kernel, place, read } from "./place.ts";

const CLASSES = [
  2, 3, 7, 10, 16, 31, 48, 49, 64, 100, 129, 300, 512, 1000, 2048, 2049, 5000, 32_000, 131_072,
];
const GAPS = [0, 1e-3, 0.1, 0.5, 1, 2, 5, 8, 12, 15, 16.6, 17.4, 20, 25, 30, 35, 40];
/** No class. */
const ignoreIndex = -100n;
/** Units in the last place: a rounded loss, and the rounding of sixteen additions, some of which err alike. */
const MOST_ULPS = 8;

/** -log p of the class 0 and p - 1, in float64: `others` are the differences of the other logits to that one. */
function judge(others: Float32Array): { loss: number; gradient: number } {
  let [sum, lost] = [0, 0];
  for (const difference of others) {
    const term = Math.exp(difference);
    const total = sum + term;
    lost += sum >= term ? sum - total + term : term - total + sum;
    sum = total;
  }
  const tail = sum + lost;
  return { loss: Math.log1p(tail), gradient: -tail / (1 + tail) };
}

const ulps = (got: number, want: number): number =>
  Math.abs(got - want) / 2 ** (Math.max(Math.floor(Math.log2(Math.abs(want))), -126) - 23);

/** The loss and the target's gradient of one dominant logit, of class `at`, over equal or spread others, in rows or in columns. */
function foldDominant(others: Float32Array, at: number, inner: number): { loss: number; gradient: number } {
  return inRegion((region) => {
    const classes = others.length + 1;
    const x = place(region, "float32", [1, classes, inner], []);
    const from = x.address / 4;
    for (let c = 0; c < classes; c++) {
      const logit = c === at ? 0 : others[c < at ? c : c - 1]!;
      kernel.f32.fill(logit, from + c * inner, from + (c + 1) * inner);
    }
    const target = place(region, "int32", [inner], Array(inner).fill(at));
    const losses = place(region, "float32", [inner], Array(inner).fill(9));
    const axis = { outer: 1, length: classes, inner };
    fold(region, "crossEntropy", {
      axis,
      wide: false,
      x,
      out: x,
      target,
      losses,
      lossDType: "float32",
      ignoreIndex,
    });
    return { loss: read(losses)[inner - 1]!, gradient: kernel.f32[from + at * inner + inner - 1]! };
  });
}

describe("cross_entropy of float32 with a dominant target", () => {
  it.each([
    ["rows", 1],
    ["5 columns", 5],
    ["16 columns", 16],
  ] as const)(
    `has its loss and its gradient within ${MOST_ULPS} units in the last place: 2 to 131,072 classes, gaps from 0 to 40, the target first, in the middle or last, in %s`,
    (_name, inner) => {
      for (const classes of CLASSES.filter((c) => c * inner <= 131_072)) {
        for (const [g, gap] of GAPS.entries()) {
          for (const spread of [0, 1]) {
            const others = Float32Array.from(
              { length: classes - 1 },
              (_, c) => -gap - spread * (1 + Math.sin(c * c + g)),
            );
            const want = judge(others);
            // All places for short lines; one of three, by turns, for long ones.
            const places = [0, classes >> 1, classes - 1];
            for (const at of classes > 1000 ? [places[g % 3]!] : places) {
              const got = foldDominant(others, at, inner);
              const name = `${classes} classes, gap ${gap}, spread ${spread}, target ${at}`;
              expect(ulps(got.loss, want.loss), `loss: ${name}`).toBeLessThanOrEqual(MOST_ULPS);
              expect(ulps(got.gradient, want.gradient), `gradient: ${name}`).toBeLessThanOrEqual(MOST_ULPS);
            }
          }
        }
      }
    },
  );

  it("rounds the loss of a row of 2 to 64 classes nearly once: within 1 unit in the last place for gaps from 0 to 5", () => {
    let worst = 0;
    for (let classes = 2; classes <= 64; classes++) {
      for (const gap of GAPS.filter((g) => g <= 5)) {
        const others = Float32Array.from(
          { length: classes - 1 },
          (_, c) => -gap - 0.5 * (1 + Math.sin(c * c + classes)),
        );
        worst = Math.max(worst, ulps(foldDominant(others, classes >> 1, 1).loss, judge(others).loss));
      }
    }
    expect(worst).toBeLessThanOrEqual(1);
  });

  it("counts each of several largest logits: C equal ones have the loss log C, for 2 to 3,000 classes", () => {
    for (const classes of [2, 10, 48, 49, 1000, 3000]) {
      for (const inner of [1, 5, 16]) {
        const { loss } = foldDominant(new Float32Array(classes - 1), classes >> 1, inner);
        expect(ulps(loss, Math.log(classes)), `${classes} x ${inner}`).toBeLessThanOrEqual(2);
      }
    }
  });
});

describe("gradients of exponentials below the smallest normal number", () => {
  it.each([
    ["float32", 1e38, [0, -88, -90, -100]],
    ["float64", 1e300, [0, -709, -720, -740]],
  ] as const)("log_softmax of %s keeps exp(a) * %d for subnormal exp(a)", (dtype, flow, line) => {
    for (const inner of [1, 3, 16]) {
      for (const classes of [4, 60]) {
        inRegion((region) => {
          const list = [...line, ...Array(classes - 4).fill(-Infinity)].flatMap((v) => Array(inner).fill(v));
          const go = Array(classes * inner)
            .fill(0)
            .fill(flow, 0, inner);
          const shape = [1, classes, inner];
          const [x, g] = [place(region, dtype, shape, list), place(region, dtype, shape, go)];
          const axis = { outer: 1, length: classes, inner };
          fold(region, "logSoftmaxGrad", { axis, wide: dtype === "float64", x, target: g, out: g });
          const got = read(g);
          for (const [c, a] of line.entries()) {
            if (c === 0) continue;
            // Half of exp's factors each, since JavaScript's own subnormal result has few bits.
            const want = -Math.exp(a / 2) * (Math.exp(a / 2) * flow);
            expect(Math.abs(got[c * inner]! / want - 1)).toBeLessThanOrEqual(1e-6);
          }
        });
      }
    }
  });

  it("cross_entropy keeps flows down to 2^-149 beside those of 1, in rows and columns", () => {
    for (const inner of [1, 2]) {
      inRegion((region) => {
        const x = place(region, "float32", [1, 2, inner], Array(2 * inner).fill(0));
        const gradOutput = place(region, "float32", [inner], [1e-40, 1].slice(0, inner));
        const target = place(region, "int32", [inner], Array(inner).fill(0));
        const axis = { outer: 1, length: 2, inner };
        fold(region, "crossEntropy", { axis, wide: false, x, out: x, target, gradOutput, ignoreIndex });
        const half = Math.fround(1e-40) / 2;
        const got = read(x);
        expect(Math.abs(got[0]! + half)).toBeLessThanOrEqual(2 ** -149);
        expect(Math.abs(got[inner]! - half)).toBeLessThanOrEqual(2 ** -149);
      });
    }
  });
});

describe("the sum over positions", () => {
  /** Losses of nll: 1, -1 or 0 times the log-probability. */
  function sumOf(terms: readonly number[], parts: readonly number[]): number {
    return inRegion((region) => {
      let sums = NO_SUMS;
      let first = 0;
      for (const part of parts) {
        const count = Math.min(part, terms.length - first);
        const x = place(
          region,
          "float64",
          [count, 1, 1],
          terms.slice(first, first + count).map((v) => -v),
        );
        const target = place(region, "uint8", [count], Array(count).fill(0));
        const axis = { outer: count, length: 1, inner: 1 };
        sums = fold(
          region,
          "nll",
          { axis, wide: true, x, target, lossDType: "float64", sums, ignoreIndex },
          1000,
        );
        first += count;
      }
      expect(first).toBe(terms.length);
      return totalOf(sums.loss);
    });
  }

  it("of 10^5 float64 losses of 0.1 is within 1 unit in the last place, and the same bits however rows are divided", () => {
    const terms = Array(100_000).fill(0.1);
    const whole = sumOf(terms, [terms.length]);
    // 0.1 as float64 is 0.1000000000000000055511151231257827.
    // 10^5 of them are 10,000 + 5.6e-13, and the nearest float64 is 10,000.
    expect(Math.abs(whole - 10_000)).toBeLessThanOrEqual(2 ** -39);
    expect(sumOf(terms, [1, 999, 33_000, 66_000])).toBe(whole);
  });

  it("keeps small losses between large ones of both signs: 1e16 + 1 - 1e16 is 1", () => {
    expect(sumOf([1e16, 1, -1e16], [1, 1, 1])).toBe(1);
  });

  it.each([
    [Infinity, [1, Infinity, 2]],
    [-Infinity, [1, -Infinity, -Infinity]],
    [NaN, [Infinity, -Infinity]],
    [NaN, [1, NaN]],
    [Infinity, [1.7e308, 1.7e308]],
  ])("is %d where an infinite or NaN loss makes it so", (want, terms) => {
    expect(sumOf(terms, [1, 1, 1].slice(0, terms.length))).toBe(want);
  });
});
