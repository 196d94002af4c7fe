/** Kullback-Leibler divergence element by element: operands, sum, and steps that run in slices. */
import type { FloatDType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Sum } from "./fold.ts";
import { readSum } from "./fold.ts";
import type { Step } from "./step.ts";
import { withInit } from "./step.ts";

/** Exports of `assembly/kl-div.ts`. */
export interface KlDivExports {
  readonly klDivBytes: number;
  /** Continues for about `budget` elements and returns 1 when all are done. */
  klDivStep(kl: number, budget: number): number;
}

/** Operands of {@link klDivStep}: tensors of `count` elements. A gradient may overwrite its operand, but nothing else may overlap. */
export interface KlDiv {
  readonly count: number;
  /** Log-probabilities. */
  readonly x: Tensor;
  /** Probabilities, or log-probabilities with `logTarget`. */
  readonly target: Tensor;
  readonly logTarget: boolean;
  /** Dtype of the losses, promoted from both operands. Float64 computes in float64, others in float32. */
  readonly lossDType: FloatDType;
  /** Output for the losses. Without it, they are added to the sum. */
  readonly losses?: Tensor | undefined;
  /** Divides each loss before it is stored. Default 1. */
  readonly divisor?: number;
  /** Output for the gradient with respect to `x`, in its dtype. */
  readonly gradInput?: Tensor | undefined;
  /** Output for the gradient with respect to `target`, in its dtype. */
  readonly gradTarget?: Tensor | undefined;
  /** Upstream gradient of each loss in the compute dtype. Undefined means {@link KlDivState.gradOutputScalar} for all. */
  readonly gradOutput?: Tensor | undefined;
}

/** Numbers that are read at the first element. The sum is replaced after the last, so a step over the next elements continues it. */
export interface KlDivState {
  /** Upstream gradient of all losses. */
  gradOutputScalar: number;
  sum: Sum;
}

/** Kernel exports and memory views for the operands. */
export interface KlDivKernel {
  readonly exports: KlDivExports;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
}

/**
 * Computes `xlogy(t, t) - t * x`, or `exp(t) * (t - x)` with `logTarget`. `at` is the
 * address of `klDivBytes` bytes reserved for it. Each operation rounds to the dtype that PyTorch stores. Results are bit-identical for every division into steps, and for every division of the elements if
 * their steps share a `state`.
 */
export function klDivStep(kernel: KlDivKernel, at: number, operands: KlDiv, state: KlDivState): Step {
  const step: Step = (budget) => {
    if (kernel.exports.klDivStep(at, budget) === 0) return false;
    state.sum = readSum(kernel.f64, at / 8 + LOSS_SUM);
    return true;
  };
  return withInit(() => writeRecord(kernel, at, operands, state), step);
}

// Field offsets of class KlDiv in assembly/kl-div.ts: 64-bit words first, then 32-bit words.
const LOSS_SUM = 2;
const WORDS = 8;

function writeRecord({ f64, i32 }: KlDivKernel, at: number, kl: KlDiv, state: Readonly<KlDivState>): void {
  const { x, target, divisor = 1 } = kl;
  const { gradOutputScalar, sum } = state;
  f64.set([gradOutputScalar, divisor, sum.sum, sum.rest], at / 8);
  const words = [
    kl.count,
    Number(kl.logTarget),
    x.address,
    DTYPES[x.dtype].code,
    target.address,
    DTYPES[target.dtype].code,
    kl.losses?.address ?? 0,
    DTYPES[kl.lossDType].code,
    kl.gradInput?.address ?? 0,
    kl.gradTarget?.address ?? 0,
    kl.gradOutput?.address ?? 0,
    0,
  ];
  i32.set(words, at / 4 + WORDS);
}
