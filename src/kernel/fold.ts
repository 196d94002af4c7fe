/** The folds: what they read and write, and how they are run in slices. */
import type { Region } from "../tensor/arena.ts";
import type { Axis } from "../tensor/axis.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount } from "../tensor/tensor.ts";

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

/** What a fold runs on. */
export interface FoldWork {
  readonly kernel: {
    readonly run: FoldExports;
    readonly u8: Uint8Array;
    readonly i32: Int32Array;
    readonly i64: BigInt64Array;
    readonly f64: Float64Array;
  };
  readonly region: Region;
}

const SUM_BYTES = 16;

/** Elements between two yields: under five milliseconds on a slow core, also for the slowest fold. */
const BUDGET = 1 << 18;

// Places of the fields of class Fold in assembly/struct.ts: 64-bit words first, then 32-bit words.
const UPSTREAM_SCALAR = 0;
const SMOOTHING = 1;
const IGNORE_INDEX = 2;
const LOSS_SUM = 3;
const SMOOTH_SUM = 5;
const WORDS = 14;

/**
 * Runs a fold, yielding between slices of about `budget` elements; where they are cut changes no bit of the result, and neither does
 * folding the rows some at a time, with the sums handed on.
 */
export function* runFold(
  work: FoldWork,
  name: FoldName,
  fold: Fold,
  budget: number = BUDGET,
): Generator<void, FoldSums> {
  const { run, f64 } = work.kernel;
  const at = work.region.scratch(run.foldBytes);
  writeFold(work.kernel, at, fold);
  const step = run[`${name}Step`];
  while (step(at, budget) === 0) yield;
  return { loss: readSum(f64, at / 8 + LOSS_SUM), smooth: readSum(f64, at / 8 + SMOOTH_SUM) };
}

function readSum(f64: Float64Array, index: number): Sum {
  return { sum: f64[index]!, rest: f64[index + 1]! };
}

function writeSum(f64: Float64Array, index: number, { sum, rest }: Sum): void {
  f64[index] = sum;
  f64[index + 1] = rest;
}

function writeFold(kernel: FoldWork["kernel"], at: number, fold: Fold): void {
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

/** What the targets of a loss add up to, or the first that is no class. */
export interface TargetCheck {
  readonly totalWeight: number;
  readonly outOfBounds?: { readonly element: number; readonly value: bigint };
}

/** Checks class indices in row-major order; those equal to `ignoreIndex` are not looked at. */
export function* checkTargets(
  { kernel, region }: FoldWork,
  axis: Axis,
  target: Tensor,
  weight: Tensor | undefined,
  ignoreIndex: bigint,
): Generator<void, TargetCheck> {
  const { code, bytes } = DTYPES[target.dtype];
  const result = region.alloc(SUM_BYTES);
  writeSum(kernel.f64, result / 8, NO_SUM);
  const count = elementCount(target.shape);
  const wide = Number(weight?.dtype === "float64");
  for (let at = 0; at < count; at += BUDGET) {
    if (at > 0) yield;
    const from = target.address + at * bytes;
    const n = Math.min(BUDGET, count - at);
    const bad = kernel.run.checkTargets(
      from,
      code,
      n,
      axis.length,
      ignoreIndex,
      weight?.address ?? 0,
      wide,
      result,
    );
    if (bad < 0) continue;
    const value = readIndex(kernel, target, at + bad);
    return { totalWeight: Number.NaN, outOfBounds: { element: at + bad, value } };
  }
  return { totalWeight: totalOf(readSum(kernel.f64, result / 8)) };
}

function readIndex(kernel: FoldWork["kernel"], { dtype, address }: Tensor, element: number): bigint {
  if (dtype === "int64") return kernel.i64[address / 8 + element]!;
  return BigInt(dtype === "int32" ? kernel.i32[address / 4 + element]! : kernel.u8[address + element]!);
}

/**
 * Multiplies losses that were folded without weights by the weights of their classes, where they lie, and adds them up: the same bits
 * as a fold with the weights gives.
 */
export function* weighLosses(
  { kernel, region }: FoldWork,
  losses: Tensor,
  target: Tensor,
  weight: Tensor,
  ignoreIndex: bigint,
): Generator<void, Sum> {
  const result = region.alloc(SUM_BYTES);
  writeSum(kernel.f64, result / 8, NO_SUM);
  const [loss, index] = [DTYPES[losses.dtype], DTYPES[target.dtype]];
  const wide = Number(weight.dtype === "float64");
  const count = elementCount(losses.shape);
  for (let at = 0; at < count; at += BUDGET) {
    if (at > 0) yield;
    kernel.run.weighLosses(
      losses.address + at * loss.bytes,
      loss.code,
      target.address + at * index.bytes,
      index.code,
      Math.min(BUDGET, count - at),
      ignoreIndex,
      weight.address,
      wide,
      result,
    );
  }
  return readSum(kernel.f64, result / 8);
}
