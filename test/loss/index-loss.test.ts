/** Losses over class indices whose logits come some rows at a time: the bits of one fold over all of them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runToEnd } from "../../src/kernel/step.ts";
import type { IndexLoss, SparseTarget } from "../../src/loss/index-loss.ts";
import { IndexPlan } from "../../src/loss/index-loss.ts";
import { SCRATCH_BYTES } from "../../src/loss/plan.ts";
import type { PositionTerms } from "../../src/loss/position-terms.ts";
import { NO_TERMS } from "../../src/loss/position-terms.ts";
import { lossShapeOf } from "../../src/loss/shift.ts";
import type { Region } from "../../src/tensor/arena.ts";
import type { FloatDType } from "../../src/tensor/dtype.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { axisOf, byteLength, elementCount } from "../../src/tensor/tensor.ts";
import { inRegion, kernel, place } from "../kernel/place.ts";
import { uniform } from "../support/random.ts";

const shapes = fc.constantFrom(
  [9, 5],
  [7, 60],
  [300, 3],
  [5000, 3, 3],
  [5, 2500],
  [2, 70_001],
  [6, 4, 3],
  [4, 700, 5],
  [5, 21, 9, 7],
  [3, 900, 70],
);
/** Shape with its class dimension, PyTorch's or the last. */
const layouts = fc
  .record({ shape: shapes, last: fc.boolean(), shift: fc.nat(3) })
  .map(({ shape, last, shift }) => {
    const classAxis = last ? shape.length - 1 : 1;
    const length = shape.at(-2)!;
    const shifts = classAxis === shape.length - 1 && shift > 0;
    return { shape, classAxis, shift: shifts ? { length, by: Math.min(shift, length) } : undefined };
  });
const asked = fc.record({
  dtype: fc.constantFrom<FloatDType[]>("float32", "float64", "float16", "bfloat16"),
  layout: layouts,
  /** Dtype of the losses. */
  to: fc.constantFrom<FloatDType[]>("float32", "float64", "float16", "bfloat16"),
  transform: fc.constantFrom(undefined, { softcap: 3, temperature: 0.5 }),
  op: fc.constantFrom("nll" as const, "crossEntropy" as const, "sparseTarget" as const),
  hasTerms: fc.boolean(),
  reduction: fc.constantFrom("none" as const, "mean" as const, "sum" as const),
  smoothing: fc.constantFrom(0, 0.1),
  weighted: fc.boolean(),
  returnGrad: fc.boolean(),
  cuts: fc.array(fc.nat(300), { maxLength: 4 }),
  seed: fc.nat(),
});

/** Numbers in [-4, 4) that repeat for a seed. */
function numbers(seed: number, count: number): number[] {
  const random = uniform(seed | 1);
  return Array.from({ length: count }, () => Math.floor(random() * 2 ** 24) / 2 ** 21 - 4);
}

function bytesOf({ dtype, shape, address }: Tensor): string {
  return Buffer.from(kernel.u8.subarray(address, address + byteLength({ dtype, shape }))).toString("base64");
}

interface Question extends Pick<IndexLoss, "transform" | "op" | "reduction" | "smoothing" | "returnGrad"> {
  readonly weightComesLast?: boolean;
  readonly dtype: FloatDType;
  readonly to: FloatDType;
  readonly layout: Pick<IndexLoss, "classAxis" | "shift"> & { readonly shape: readonly number[] };
  readonly weighted: boolean;
  readonly hasTerms: boolean;
  readonly seed: number;
}

/** Classes of each position of a sparse target. */
const PICKS = 3;

/** All terms that an operation has. */
function termsOf(
  region: Region,
  op: IndexLoss["op"],
  positions: readonly number[],
  seed: number,
): PositionTerms {
  const sampleWeight = place(region, "float32", positions, numbers(seed + 5, elementCount(positions)));
  if (op === "nll") return { ...NO_TERMS, sampleWeight };
  return {
    sampleWeight,
    zLossScale: 0.01,
    returnZLoss: true,
    returnPredictions: true,
    returnCorrect: op === "crossEntropy",
  };
}

/** The result and the gradient of a loss whose rows are folded between `cuts`. */
function ask(region: Region, question: Question, cuts: readonly number[]): readonly unknown[] {
  const { op, dtype, to, layout, seed, weighted, returnGrad, reduction } = question;
  const { shape, classAxis } = layout;
  const isSparse = op === "sparseTarget";
  const shift = isSparse ? undefined : layout.shift;
  const { outer, length: classes } = axisOf(shape, classAxis);
  const positionShape = shape.toSpliced(classAxis, 1);
  const targetShape = isSparse ? shape.with(classAxis, PICKS) : positionShape;
  const lossShape = lossShapeOf(shape, classAxis, shift);
  const positions = elementCount(targetShape);
  const compute = to === "float64" ? to : "float32";
  const loss: IndexLoss = {
    ...question,
    dtype: to,
    sparse: isSparse
      ? {
          picks: PICKS,
          weight: place(region, dtype, targetShape, numbers(seed + 4, positions)) as SparseTarget["weight"],
          returnGrad,
        }
      : undefined,
    terms: question.hasTerms ? termsOf(region, op, positionShape, seed) : NO_TERMS,
    classAxis,
    shift,
    transform: op === "nll" ? undefined : question.transform,
    smoothing: op === "crossEntropy" ? question.smoothing : 0,
    input: place(region, dtype, shape, numbers(seed, elementCount(shape))),
    target: place(
      region,
      "int32",
      targetShape,
      numbers(seed + 1, positions).map((x) => (x >= 3 ? -100 : Math.floor(((x + 4) / 7) * classes))),
    ),
    weight: weighted ? place(region, compute, [classes], numbers(seed + 2, classes)) : undefined,
    ignoreIndex: -100n,
    gradOutput:
      reduction === "none" && returnGrad
        ? place(region, to, lossShape, numbers(seed + 3, elementCount(lossShape)))
        : undefined,
  };
  // The rows lie where they are, so the window is not used.
  const streaming = { windowBytes: 1, weightComesLast: question.weightComesLast ?? false };
  const plan = new IndexPlan(loss, [], streaming);
  const run = plan.start(kernel, region.alloc(plan.bytes));
  runToEnd(run.begin);
  const ends = [...cuts.filter((cut) => cut > 0 && cut < outer).sort((a, b) => a - b), outer];
  let first = 0;
  for (const end of ends) {
    const rows = end - first;
    const unit = (elementCount(shape) / outer) * DTYPES[dtype].bytes;
    const address = loss.input.address + first * unit;
    runToEnd(run.rows(address, first, rows).steps);
    first = end;
  }
  runToEnd(run.end);
  const result = run.result();
  return [
    String(result.loss?.value),
    String(result.totalWeight?.value),
    String(result.zLoss?.value),
    ...[result.losses, result.zLosses, result.predictions, result.correct, result.gradTargetWeight].map(
      (tensor) => tensor && bytesOf(tensor),
    ),
    returnGrad ? bytesOf(loss.input) : "",
  ];
}

it("the scratch of a plan holds the kernels' record of a fold", () => {
  expect(kernel.exports.foldBytes).toBeLessThanOrEqual(SCRATCH_BYTES);
});

describe("a loss over class indices", () => {
  it("has the same bits in one piece and in any parts, in every dtype", () => {
    fc.assert(
      fc.property(asked, ({ cuts, ...question }) => {
        const whole = inRegion((region) => ask(region, question, []));
        const parts = inRegion((region) => ask(region, question, cuts));
        expect(parts).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  }, 60_000);

  it("has the same bits where the weight comes last", () => {
    fc.assert(
      fc.property(asked, ({ cuts, ...rest }) => {
        const op = rest.op === "sparseTarget" ? "nll" : rest.op;
        const question = { ...rest, op, weighted: true, hasTerms: false, returnGrad: false, smoothing: 0 };
        const before = inRegion((region) => ask(region, question, []));
        const after = inRegion((region) => ask(region, { ...question, weightComesLast: true }, cuts));
        expect(after).toEqual(before);
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});
