/** Class indices and the weights of their positions: checks and sums, in slices. */
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount } from "../tensor/tensor.ts";
import type { Sum } from "./fold.ts";
import { NO_SUM, readSum, writeSum } from "./fold.ts";
import type { Step } from "./step.ts";
import { sliced } from "./step.ts";

/** Exports of `assembly/targets.ts`. */
export interface TargetExports {
  /**
   * Adds the weights of all targets that are not ignored, times their `samples` (1 each if an address is 0), to the sum
   * at `result`. Returns the index of the first invalid target, or -1.
   */
  checkTargets(
    target: number,
    dtype: number,
    n: number,
    classes: number,
    ignoreIndex: bigint,
    weight: number,
    samples: number,
    wide: number,
    result: number,
  ): number;
  /**
   * Adds the `samples` (1 each if 0) of `n` positions from `first` on to the sum at `result`. With a `target` of `picks`
   * classes per position, leaves out positions whose classes are all ignored.
   */
  addSamples(
    target: number,
    dtype: number,
    first: number,
    n: number,
    picks: number,
    inner: number,
    ignoreIndex: bigint,
    samples: number,
    wide: number,
    result: number,
  ): void;
  /** Multiplies losses in place by the weights of their classes and adds them to the sum at `result`. */
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

/** Kernel exports and memory views for class indices. */
export interface TargetKernel {
  readonly exports: TargetExports;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
  readonly f64: Float64Array;
}

/** Step over `count` elements that `add` adds to a {@link Sum} at the address `result`. */
function sumStep(
  { f64 }: TargetKernel,
  result: number,
  count: number,
  add: (at: number, n: number) => void,
  onSum?: (sum: Sum) => void,
  cost?: number,
): Step {
  const addNext = (at: number, n: number): void => {
    if (at === 0) writeSum(f64, result / 8, NO_SUM);
    add(at, n);
    if (at + n === count) onSum?.(readSum(f64, result / 8));
  };
  return sliced(count, addNext, cost);
}

/** Operands of {@link checkTargetsStep}. */
export interface TargetCheck {
  readonly classes: number;
  /** Class indices, int64, int32 or uint8. */
  readonly target: Tensor;
  /** Weight of each class in the compute dtype. */
  readonly weight: Tensor | undefined;
  /** Factor of each target in the compute dtype. */
  readonly sampleWeight?: Tensor | undefined;
  readonly ignoreIndex: bigint;
  /** Called for the first invalid target in row-major order. */
  readonly reject: (element: number, value: bigint) => never;
}

/**
 * Checks class indices in row-major order and sums the weights of all that are not ignored. `result` is the address of
 * a {@link Sum}.
 */
export function checkTargetsStep(
  kernel: TargetKernel,
  result: number,
  { classes, target, weight, sampleWeight, ignoreIndex, reject }: TargetCheck,
  onSum?: (totalWeight: Sum) => void,
): Step {
  const { code, bytes } = DTYPES[target.dtype];
  const count = elementCount(target.shape);
  const factors = weight ?? sampleWeight;
  const wide = Number(factors?.dtype === "float64");
  const weights = weight?.address ?? 0;
  const sampleBytes = sampleWeight === undefined ? 0 : DTYPES[sampleWeight.dtype].bytes;
  const add = (at: number, n: number): void => {
    const from = target.address + at * bytes;
    const samples = sampleWeight === undefined ? 0 : sampleWeight.address + at * sampleBytes;
    const bad = kernel.exports.checkTargets(
      from,
      code,
      n,
      classes,
      ignoreIndex,
      weights,
      samples,
      wide,
      result,
    );
    if (bad >= 0) reject(at + bad, readIndex(kernel, target, at + bad));
  };
  return sumStep(kernel, result, count, add, onSum);
}

/** Positions whose sample weights are added up. */
export interface SampleSum {
  readonly positions: number;
  /** Factor of each position in the compute dtype. Undefined means 1. */
  readonly sampleWeight: Tensor | undefined;
  /** Sparse target with the classes per position, of which those with `ignoreIndex` do not count. */
  readonly sparse?: { readonly target: Tensor; readonly picks: number; readonly inner: number } | undefined;
  readonly ignoreIndex?: bigint;
}

/** Adds up the sample weights of the positions that count. `result` is the address of a {@link Sum}. */
export function sampleSumStep(
  kernel: TargetKernel,
  result: number,
  { positions, sampleWeight, sparse, ignoreIndex = 0n }: SampleSum,
  onSum: (total: Sum) => void,
): Step {
  const target = sparse?.target;
  const code = DTYPES[target?.dtype ?? "int64"].code;
  const wide = Number(sampleWeight?.dtype === "float64");
  const samples = sampleWeight?.address ?? 0;
  const { picks = 0, inner = 1 } = sparse ?? {};
  const from = target?.address ?? 0;
  const add = (at: number, n: number): void => {
    kernel.exports.addSamples(from, code, at, n, picks, inner, ignoreIndex, samples, wide, result);
  };
  return sumStep(kernel, result, positions, add, onSum, picks + 1);
}

function readIndex(kernel: TargetKernel, { dtype, address }: Tensor, element: number): bigint {
  if (dtype === "int64") return kernel.i64[address / 8 + element]!;
  if (dtype === "int32") return BigInt(kernel.i32[address / 4 + element]!);
  if (dtype === "uint8") return BigInt(kernel.u8[address + element]!);
  throw new Error(`no class index has dtype ${dtype}`);
}

/** Operands of {@link weighLossesStep}: losses and targets of the same positions. */
export interface LossWeighing {
  readonly losses: Tensor;
  readonly target: Tensor;
  /** Weight of each class in the compute dtype. */
  readonly weight: Tensor;
  readonly ignoreIndex: bigint;
}

/**
 * Multiplies unweighted losses in place by the weights of their classes and sums them, with the same bits as a weighted
 * fold. `result` is the address of a {@link Sum}.
 */
export function weighLossesStep(
  kernel: TargetKernel,
  result: number,
  { losses, target, weight, ignoreIndex }: LossWeighing,
  onSum: (lossSum: Sum) => void,
): Step {
  const [loss, index] = [DTYPES[losses.dtype], DTYPES[target.dtype]];
  const wide = Number(weight.dtype === "float64");
  const count = elementCount(losses.shape);
  const weigh = (at: number, n: number): void => {
    kernel.exports.weighLosses(
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
  };
  return sumStep(kernel, result, count, weigh, onSum);
}
