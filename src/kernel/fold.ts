/** The folds over rows: operands, sums, and the steps that run them in slices. */

import type { FloatDType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import { elementCount } from "../tensor/tensor.ts";
import type { Step } from "./step.ts";

/** What `assembly/fold.ts` exports. A step goes on for about `budget` elements and returns 1 when the fold is done. */
export interface FoldExports {
  readonly foldBytes: number;
  logSoftmaxStep(fold: number, budget: number): number;
  logSoftmaxGradStep(fold: number, budget: number): number;
  nllStep(fold: number, budget: number): number;
  crossEntropyStep(fold: number, budget: number): number;
  softTargetStep(fold: number, budget: number): number;
  /**
   * Adds the weights of the kept targets (1 each where `weight` is 0) to the sum at `result`; returns the index of the first
   * target that is kept but no class, or -1.
   */
  checkTargets(
    target: number,
    dtype: number,
    n: number,
    classes: number,
    ignoreIndex: bigint,
    weight: number,
    wide: number,
    result: number,
  ): number;
  /** Multiplies losses by the weights of their classes where they lie, and adds them to the sum at `result`. */
  weighLosses(
    losses: number,
    dtype: number,
    target: number,
    targetDtype: number,
    n: number,
    ignoreIndex: bigint,
    weight: number,
    wide: number,
    result: number,
  ): void;
}

/** The five folds. */
export type FoldName = "logSoftmax" | "logSoftmaxGrad" | "nll" | "crossEntropy" | "softTarget";

/** The operands of a fold. Outputs may lie where the operand of the same shape lies; nothing else may overlap. */
export interface Fold {
  /** The class axis of `x`. */
  readonly axis: Axis;
  /** Whether to compute in float64, which one float64 operand asks for; otherwise in float32. */
  readonly wide: boolean;
  /** Logits; for nll and logSoftmaxGrad log-probabilities. */
  readonly x: Tensor;
  /** Log-probabilities, or the gradient with respect to `x`, in its dtype; undefined: not wanted. */
  readonly out?: Tensor | undefined;
  /** Class indices, probabilities, or for logSoftmaxGrad the upstream gradient. */
  readonly target?: Tensor | undefined;
  /** Where the gradient with respect to probabilities goes. */
  readonly gradTarget?: Tensor | undefined;
  /** One factor for each class, in the compute type. */
  readonly weight?: Tensor | undefined;
  /** Where the loss of each position goes. */
  readonly losses?: Tensor | undefined;
  /** The dtype to which each loss is rounded. */
  readonly lossDType?: FloatDType;
  /** The upstream gradient of each position, in the compute type; undefined: `upstreamScalar` for all. */
  readonly upstream?: Tensor | undefined;
  readonly upstreamScalar?: number;
  /** Label smoothing, 0 for none. */
  readonly smoothing?: number;
  readonly ignoreIndex?: bigint;
  /** What the rows before these have added up to; default 0. */
  readonly sums?: FoldSums | undefined;
}

/**
 * A float64 sum and the rounding errors of its additions. {@link totalOf} adds the two; where a sum is handed on, both go with it, so
 * that its bits do not depend on where it was divided.
 */
export interface Sum {
  readonly sum: number;
  readonly rest: number;
}

/** The sum of no terms. */
export const NO_SUM: Sum = { sum: 0, rest: 0 };

/** The value of a sum. The errors of an infinite one are Infinity - Infinity = NaN, and do not count. */
export function totalOf({ sum, rest }: Sum): number {
  return Number.isFinite(sum) ? sum + rest : sum;
}

/** The losses added up, and the smooth terms of label smoothing. */
export interface FoldSums {
  readonly loss: Sum;
  readonly smooth: Sum;
}

/** The sums before the first row. */
export const NO_SUMS: FoldSums = { loss: NO_SUM, smooth: NO_SUM };

/** The kernels with the views of their memory that the folds' operands are written through. */
export interface FoldKernel {
  readonly run: FoldExports;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
  readonly f64: Float64Array;
}

// Places of the fields of class Fold in assembly/struct.ts: 64-bit words first, then 32-bit words.
const UPSTREAM_SCALAR = 0;
const SMOOTHING = 1;
const IGNORE_INDEX = 2;
const LOSS_SUM = 3;
const SMOOTH_SUM = 5;
const WORDS = 14;

/**
 * Runs a fold whose operands `describe` gives when the step first runs. `at` is the address of `foldBytes` bytes that nothing else uses
 * meanwhile. Where the fold is cut changes no bit of the result, and neither does folding the rows some at a time, with the sums handed on.
 */
export function foldStep(
  kernel: FoldKernel,
  at: number,
  name: FoldName,
  describe: () => Fold,
  take: (sums: FoldSums) => void,
): Step {
  const step = kernel.run[`${name}Step`];
  let isOpen = false;
  return (budget) => {
    if (!isOpen) {
      const fold = describe();
      const { outer, length, inner } = fold.axis;
      // An empty tensor may have billions of lines; without losses to write, none of them leaves a trace.
      if (outer * length * inner === 0 && fold.losses === undefined) {
        take(fold.sums ?? NO_SUMS);
        return true;
      }
      writeFold(kernel, at, fold);
      isOpen = true;
    }
    if (step(at, budget) === 0) return false;
    const { f64 } = kernel;
    take({ loss: readSum(f64, at / 8 + LOSS_SUM), smooth: readSum(f64, at / 8 + SMOOTH_SUM) });
    return true;
  };
}

function readSum(f64: Float64Array, index: number): Sum {
  return { sum: f64[index]!, rest: f64[index + 1]! };
}

function writeSum(f64: Float64Array, index: number, { sum, rest }: Sum): void {
  f64[index] = sum;
  f64[index + 1] = rest;
}

function writeFold(kernel: FoldKernel, at: number, fold: Fold): void {
  kernel.u8.fill(0, at, at + kernel.run.foldBytes);
  kernel.f64[at / 8 + UPSTREAM_SCALAR] = fold.upstreamScalar ?? 1;
  kernel.f64[at / 8 + SMOOTHING] = fold.smoothing ?? 0;
  kernel.i64[at / 8 + IGNORE_INDEX] = fold.ignoreIndex ?? 0n;
  writeSum(kernel.f64, at / 8 + LOSS_SUM, fold.sums?.loss ?? NO_SUM);
  writeSum(kernel.f64, at / 8 + SMOOTH_SUM, fold.sums?.smooth ?? NO_SUM);
  const { axis, x, target } = fold;
  const words = [
    axis.outer,
    axis.length,
    axis.inner,
    Number(fold.wide),
    x.address,
    DTYPES[x.dtype].code,
    fold.out?.address ?? 0,
    target?.address ?? 0,
    DTYPES[target?.dtype ?? x.dtype].code,
    fold.gradTarget?.address ?? 0,
    fold.weight?.address ?? 0,
    fold.losses?.address ?? 0,
    DTYPES[fold.lossDType ?? "float32"].code,
    fold.upstream?.address ?? 0,
  ];
  kernel.i32.set(words, at / 4 + WORDS);
}

/** Operands of {@link checkTargetsStep}. */
export interface TargetCheck {
  readonly classes: number;
  /** Class indices, int64, int32 or uint8. */
  readonly target: Tensor;
  /** One factor for each class, in the compute type. */
  readonly weight: Tensor | undefined;
  readonly ignoreIndex: bigint;
  /** Called for the first target, in row-major order, that is kept but no class. */
  readonly refuse: (element: number, value: bigint) => never;
}

/** Checks class indices in row-major order, and gives the sum of the weights of those that are kept. `result` is the address of a {@link Sum}. */
export function checkTargetsStep(
  kernel: FoldKernel,
  result: number,
  { classes, target, weight, ignoreIndex, refuse }: TargetCheck,
  take: (totalWeight: number) => void,
): Step {
  const { code, bytes } = DTYPES[target.dtype];
  const count = elementCount(target.shape);
  const wide = Number(weight?.dtype === "float64");
  const weights = weight?.address ?? 0;
  let at = 0;
  return (budget) => {
    if (at === 0) writeSum(kernel.f64, result / 8, NO_SUM);
    const n = Math.min(budget, count - at);
    const from = target.address + at * bytes;
    const bad = kernel.run.checkTargets(from, code, n, classes, ignoreIndex, weights, wide, result);
    if (bad >= 0) refuse(at + bad, readIndex(kernel, target, at + bad));
    at += n;
    if (at < count) return false;
    take(totalOf(readSum(kernel.f64, result / 8)));
    return true;
  };
}

function readIndex(kernel: FoldKernel, { dtype, address }: Tensor, element: number): bigint {
  if (dtype === "int64") return kernel.i64[address / 8 + element]!;
  return BigInt(dtype === "int32" ? kernel.i32[address / 4 + element]! : kernel.u8[address + element]!);
}

/** Operands of {@link weighLossesStep}: losses and targets of the same positions. */
export interface LossWeighing {
  readonly losses: Tensor;
  readonly target: Tensor;
  /** One factor for each class, in the compute type. */
  readonly weight: Tensor;
  readonly ignoreIndex: bigint;
}

/**
 * Multiplies losses that were folded without weights by the weights of their classes, where they lie, and gives their sum: the same bits
 * as a fold with the weights. `result` is the address of a {@link Sum}.
 */
export function weighLossesStep(
  kernel: FoldKernel,
  result: number,
  { losses, target, weight, ignoreIndex }: LossWeighing,
  take: (lossSum: Sum) => void,
): Step {
  const [loss, index] = [DTYPES[losses.dtype], DTYPES[target.dtype]];
  const wide = Number(weight.dtype === "float64");
  const count = elementCount(losses.shape);
  let at = 0;
  return (budget) => {
    if (at === 0) writeSum(kernel.f64, result / 8, NO_SUM);
    const n = Math.min(budget, count - at);
    kernel.run.weighLosses(
      losses.address + at * loss.bytes,
      loss.code,
      target.address + at * index.bytes,
      index.code,
      n,
      ignoreIndex,
      weight.address,
      wide,
      result,
    );
    at += n;
    if (at < count) return false;
    take(readSum(kernel.f64, result / 8));
    return true;
  };
}
