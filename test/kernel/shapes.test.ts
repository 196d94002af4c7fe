/** The folds over the shapes at which they change their way: empty, short, long, narrow and wide. */
import { describe, expect, it } from "vitest";
import type { Fold } from "../../src/kernel/fold.ts";
import { NO_SUMS } from "../../src/kernel/fold.ts";
import * as oracle from "../support/oracle.ts";
import { fold, foldInSteps, inRegion, place, read } from "./place.ts";

/** Repeatable logits between -4 and 4. */
const logits = (count: number): number[] => Array.from({ length: count }, (_, at) => 4 * Math.sin(at * at));

describe("a fold of no elements", () => {
  const HUGE = 2 ** 32 - 1;

  it.each([
    ["logSoftmax", { outer: HUGE, length: 0, inner: 1 }],
    ["logSoftmax", { outer: 1, length: 0, inner: HUGE }],
    ["logSoftmax", { outer: HUGE, length: HUGE, inner: 0 }],
    ["logSoftmaxGrad", { outer: HUGE, length: 0, inner: 1 }],
    ["nll", { outer: HUGE, length: 5, inner: 0 }],
    ["crossEntropy", { outer: HUGE, length: 5, inner: 0 }],
    ["crossEntropy", { outer: 0, length: 5, inner: HUGE }],
    ["softTarget", { outer: HUGE, length: 0, inner: 1 }],
  ] as const)("%s over %o is done in its first step", (name, axis) => {
    inRegion((region) => {
      const x = place(region, "float32", [0], []);
      const operands: Fold = { axis, wide: false, x, out: x, target: x, smoothing: 0.1 };
      const { sums, steps } = foldInSteps(region, name, operands, 1000);
      expect([sums, steps]).toEqual([NO_SUMS, 1]);
    });
  });
});

describe("cross_entropy and its gradient of a line", () => {
  /** The same line in every position of a layout; one target. */
  function foldLine(dtype: "float32" | "float64", line: readonly number[], outer: number, inner: number) {
    return inRegion((region) => {
      const classes = line.length;
      const positions = outer * inner;
      const list = Array.from({ length: outer }, () =>
        line.flatMap((value) => Array(inner).fill(value)),
      ).flat();
      const x = place(region, dtype, [outer, classes, inner], list);
      const target = place(region, "uint8", [positions], Array(positions).fill(1));
      const losses = place(region, dtype, [positions], Array(positions).fill(9));
      const axis = { outer, length: classes, inner };
      const wide = dtype === "float64";
      fold(region, "crossEntropy", { axis, wide, x, out: x, target, losses, lossDType: dtype }, 1 << 20);
      return { losses: read(losses), grad: read(x) };
    });
  }

  it.each([
    ["float32", 2e-6],
    ["float64", 1e-13],
  ] as const)(
    "are the same in %s, within %f, alone, in many rows, in columns of 1 to 600 positions, for 2 to 3,000 classes",
    (dtype, tolerance) => {
      for (const classes of [2, 3, 47, 48, 49, 50, 63, 65, 300, 3000]) {
        const line = logits(classes);
        const alone = foldLine(dtype, line, 1, 1);
        const layouts = [
          [70, 1],
          [1, 2],
          [3, 5],
          [2, 15],
          [2, 16],
          [1, 63],
          [2, 67],
          [1, 600],
        ] as const;
        for (const [outer, inner] of layouts.filter(([o, i]) => o * i * classes < 4e5)) {
          const { losses, grad } = foldLine(dtype, line, outer, inner);
          const worstLoss = Math.max(...losses.map((loss) => Math.abs(loss - alone.losses[0]!)));
          const worstGrad = grad.reduce(
            (worst, g, at) => Math.max(worst, Math.abs(g - alone.grad[Math.floor(at / inner) % classes]!)),
            0,
          );
          expect(worstLoss, `${classes} classes, ${outer} x ${inner}`).toBeLessThanOrEqual(4 * tolerance);
          expect(worstGrad, `${classes} classes, ${outer} x ${inner}`).toBeLessThanOrEqual(tolerance);
        }
      }
    },
  );
});

it("log_softmax of 5 columns of 70,000 classes stops after about its budget, and goes on to the judge's result", () => {
  const layout = { outer: 1, classes: 70_000, inner: 5 };
  const axis = { outer: 1, length: layout.classes, inner: layout.inner };
  const list = logits(layout.classes * layout.inner);
  inRegion((region) => {
    const x = place(region, "float32", [1, layout.classes, layout.inner], list);
    const stored = read(x);
    const { steps: slices } = foldInSteps(region, "logSoftmax", { axis, wide: false, x, out: x }, 10_000);
    // Two sweeps over 350,000 elements in slices of 10,000; a slice ends with the block that it began.
    expect(slices).toBeGreaterThan(40);
    const [out, want] = [read(x), oracle.logSoftmax(stored, layout)];
    expect(Math.max(...want.map((value, at) => Math.abs(value - out[at]!)).slice(0, 100_000))).toBeLessThan(
      2e-6,
    );
  });
});
