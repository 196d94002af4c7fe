/** Folds over rows: operands, sums, and steps that run them in slices. */

import type { FloatDType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import type { Step } from "./step.ts";
import { withInit } from "./step.ts";

/** Bytes of a fold's record, `foldBytes` of every kernel, for plans, which are made before a kernel is known. */
export const FOLD_BYTES = 608;

/** Exports of `assembly/fold.ts` and `nll.ts`. A step continues for about `budget` elements and returns 1 when the fold is done. */
export interface FoldExports {
  readonly foldBytes: number;
  logSoftmaxStep(fold: number, budget: number): number;
  logSoftmaxGradStep(fold: number, budget: number): number;
  nllStep(fold: number, budget: number): number;
  crossEntropyStep(fold: number, budget: number): number;
  softTargetStep(fold: number, budget: number): number;
  sparseTargetStep(fold: number, budget: number): number;
}

/** Names of the folds. */
export type FoldName =
  | "logSoftmax"
  | "logSoftmaxGrad"
  | "nll"
  | "crossEntropy"
  | "softTarget"
  | "sparseTarget";

/** Operands of a fold. An output may overwrite the operand of the same shape, but nothing else may overlap. */
export interface Fold {
  /** Class axis of `x`. */
  readonly axis: Axis;
  /** Whether to compute in float64, which a single float64 operand requires. Otherwise float32. */
  readonly wide: boolean;
  /** Logits, or log-probabilities for nll and logSoftmaxGrad. */
  readonly x: Tensor;
  /** Output for log-probabilities, or for the gradient with respect to `x` in its dtype. */
  readonly out?: Tensor | undefined;
  /** Class indices, probabilities, or the upstream gradient for logSoftmaxGrad. */
  readonly target?: Tensor | undefined;
  /** Output for the gradient with respect to probabilities. */
  readonly gradTarget?: Tensor | undefined;
  /** Weight of each class in the compute dtype. */
  readonly weight?: Tensor | undefined;
  /** Output for the loss of each position. */
  readonly losses?: Tensor | undefined;
  /** Dtype of each loss. */
  readonly lossDType?: FloatDType;
  /** Upstream gradient of each position in the compute dtype. Undefined means {@link FoldState.gradOutputScalar} for all. */
  readonly gradOutput?: Tensor | undefined;
  /** Label smoothing, 0 for none. */
  readonly smoothing?: number;
  readonly ignoreIndex?: bigint;
  /** Factor of each position in the compute dtype. Default 1. */
  readonly sampleWeight?: Tensor | undefined;
  /** Scale of the z-loss, `scale * logsumexp ** 2`, which is added to each loss, and its output in `lossDType`. */
  readonly zLossScale?: number;
  readonly zLosses?: Tensor | undefined;
  /** Weights of sparse targets, which have `picks` classes per position, and output for their gradients in its dtype. */
  readonly picks?: number | undefined;
  readonly targetWeight?: Tensor | undefined;
  readonly gradTargetWeight?: Tensor | undefined;
  /** Outputs for the class of each position's largest logit, int64, and whether it is the target, uint8. */
  readonly predictions?: Tensor | undefined;
  readonly correct?: Tensor | undefined;
}

/** Numbers that a fold reads when it begins. It replaces the sums when it ends, so a fold of the next rows continues them. */
export interface FoldState {
  /** Upstream gradient of all positions. */
  gradOutputScalar: number;
  sums: FoldSums;
}

/**
 * Float64 sum with the rounding errors of its additions, which {@link totalOf} adds. Both are passed on, so that the
 * bits of a sum do not depend on its division.
 */
export interface Sum {
  readonly sum: number;
  readonly rest: number;
}

/** Empty sum. */
export const NO_SUM: Sum = { sum: 0, rest: 0 };

/** Returns the value of a sum. Ignores the errors of an infinite sum because they are Infinity - Infinity = NaN. */
export function totalOf({ sum, rest }: Sum): number {
  return Number.isFinite(sum) ? sum + rest : sum;
}

/** Sums of the losses and of the smooth terms of label smoothing. */
export interface FoldSums {
  readonly loss: Sum;
  readonly smooth: Sum;
  /** z-losses of the positions. */
  readonly zLoss: Sum;
}

/** Sums before the first row. */
export const NO_SUMS: FoldSums = { loss: NO_SUM, smooth: NO_SUM, zLoss: NO_SUM };

/** Kernel exports and memory views for the operands of a fold. */
export interface FoldKernel {
  readonly exports: FoldExports;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
  readonly f64: Float64Array;
}

// Field offsets of class Fold in assembly/struct.ts, held by test/kernel/records.test.ts: 64-bit words first, then 32-bit words.
const GRAD_OUTPUT_SCALAR = 0;
const SMOOTHING = 1;
const IGNORE_INDEX = 2;
const LOSS_SUM = 3;
const SMOOTH_SUM = 5;
const Z_LOSS_SCALE = 7;
const Z_LOSS_SUM = 8;
const WORDS = 20;

/**
 * Runs a fold. `at` is the address of `foldBytes` bytes reserved for it. Results are bit-identical for every division into steps, and for
 * every division of the rows if their folds share a `state`.
 */
export function foldStep(
  kernel: FoldKernel,
  at: number,
  name: FoldName,
  fold: Fold,
  state?: FoldState,
): Step {
  if (hasNoResult(fold)) return () => true;
  const write = foldWriter(kernel, at, fold);
  const step = kernel.exports[`${name}Step`];
  const fields = at / 8;
  return withInit(
    () => write(state),
    (budget) => {
      if (step(at, budget) === 0) return false;
      const { f64 } = kernel;
      if (state !== undefined) {
        state.sums = {
          loss: readSum(f64, fields + LOSS_SUM),
          smooth: readSum(f64, fields + SMOOTH_SUM),
          zLoss: readSum(f64, fields + Z_LOSS_SUM),
        };
      }
      return true;
    },
  );
}

/** Whether tensors are empty and no line has a result of its own. Such a fold is skipped because it may have billions of lines. */
function hasNoResult({ axis, losses, correct, gradTargetWeight }: Fold): boolean {
  const { outer, length, inner } = axis;
  return outer * length * inner === 0 && !(losses ?? correct ?? gradTargetWeight);
}

export function readSum(f64: Float64Array, index: number): Sum {
  return { sum: f64[index]!, rest: f64[index + 1]! };
}

export function writeSum(f64: Float64Array, index: number, { sum, rest }: Sum): void {
  f64[index] = sum;
  f64[index + 1] = rest;
}

/** Returns a function that writes the record of a fold without progress. */
export function foldWriter(
  kernel: FoldKernel,
  at: number,
  fold: Fold,
): (state?: Readonly<FoldState>) => void {
  const { axis, x, target, smoothing = 0, ignoreIndex = 0n, zLossScale = 0 } = fold;
  const words = Int32Array.of(
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
    fold.gradOutput?.address ?? 0,
    fold.sampleWeight?.address ?? 0,
    fold.zLosses?.address ?? 0,
    fold.picks ?? 0,
    fold.targetWeight?.address ?? 0,
    DTYPES[fold.targetWeight?.dtype ?? x.dtype].code,
    fold.gradTargetWeight?.address ?? 0,
    fold.predictions?.address ?? 0,
    fold.correct?.address ?? 0,
  );
  return ({ gradOutputScalar, sums } = { gradOutputScalar: 1, sums: NO_SUMS }) => {
    const { u8, i32, i64, f64, exports } = kernel;
    const fields = at / 8;
    u8.fill(0, at, at + exports.foldBytes);
    f64[fields + GRAD_OUTPUT_SCALAR] = gradOutputScalar;
    f64[fields + SMOOTHING] = smoothing;
    i64[fields + IGNORE_INDEX] = ignoreIndex;
    writeSum(f64, fields + LOSS_SUM, sums.loss);
    writeSum(f64, fields + SMOOTH_SUM, sums.smooth);
    f64[fields + Z_LOSS_SCALE] = zLossScale;
    writeSum(f64, fields + Z_LOSS_SUM, sums.zLoss);
    i32.set(words, at / 4 + WORDS);
  };
}
