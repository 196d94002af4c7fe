/**
 * Factors and terms of single positions, shared by the losses over class indices and over probabilities: sample
 * weights, the z-loss, and predictions.
 */
import type { Fold } from "../kernel/fold.ts";
import type { LossKernel } from "../kernel/kernel.ts";
import type { Step } from "../kernel/step.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { sameShape } from "../tensor/tensor.ts";
import { floatFault, formatShape, LossError } from "./loss-error.ts";
import type { ComputeDType } from "./numbers.ts";
import { castStep, planCast } from "./numbers.ts";
import type { Layout, Output, Slot } from "./plan.ts";
import { atSlot } from "./plan.ts";
import type { Reduction } from "./reduction.ts";
import type { Shift } from "./shift.ts";
import { shiftStep } from "./shift.ts";

/** Option of both losses. */
export interface SampleOptions {
  /**
   * Factor of each position's loss, in the target's shape without classes, any float dtype. The mean divides by the sum
   * of the factors, each times the weight of its target's class. Default 1 each.
   */
  readonly sampleWeight?: Tensor | undefined;
}

/** Options of `cross_entropy`. */
export interface TermOptions extends SampleOptions {
  /**
   * Scale of the z-loss, `lseSquareScale * logsumexp(logits) ** 2`, which is added to the loss of each position that is
   * not ignored (PaLM, arXiv 2204.02311). From 0 on, finite. Default 0.
   */
  readonly lseSquareScale?: number | undefined;
  /** Also returns the z-loss, which is part of the loss. */
  readonly returnZLoss?: boolean | undefined;
  /** Also returns the class of each position's largest logit, the first of equal ones. */
  readonly returnPredictions?: boolean | undefined;
  /** Also returns whether that class is the target. Class indices only. */
  readonly returnCorrect?: boolean | undefined;
}

/** Checked options. */
export interface PositionTerms {
  readonly sampleWeight: Tensor | undefined;
  readonly zLossScale: number;
  readonly returnZLoss: boolean;
  readonly returnPredictions: boolean;
  readonly returnCorrect: boolean;
}

/** Options of a loss without terms. */
export const NO_TERMS: PositionTerms = {
  sampleWeight: undefined,
  zLossScale: 0,
  returnZLoss: false,
  returnPredictions: false,
  returnCorrect: false,
};

/**
 * Checks the options for positions of shape `positions`. Rejects sample weights of another shape or dtype, a negative or
 * infinite scale, a z-loss without scale, predictions without classes, and `returnCorrect` unless targets are indices.
 */
export function checkTerms(
  options: TermOptions,
  positions: readonly number[],
  classes: number,
  isIndex: boolean,
): PositionTerms {
  const { lseSquareScale = 0, returnZLoss = false, returnPredictions = false } = options;
  const { returnCorrect = false } = options;
  checkSampleWeight(options.sampleWeight, positions);
  if (!(lseSquareScale >= 0 && Number.isFinite(lseSquareScale))) {
    throw new LossError(
      "option_out_of_range",
      "lse_square_scale",
      `lse_square_scale must be finite and at least 0. Got: ${lseSquareScale}`,
    );
  }
  if (returnZLoss && lseSquareScale === 0) {
    throw new LossError(
      "option_without_effect",
      "return_z_loss",
      "return_z_loss has no effect without lse_square_scale",
    );
  }
  if (returnCorrect && !isIndex) {
    throw new LossError(
      "option_not_applicable",
      "return_correct",
      "return_correct needs a target of one class index for each position",
    );
  }
  if ((returnPredictions || returnCorrect) && classes === 0) {
    throw new LossError(
      "shape_mismatch",
      "input",
      "argmax(): Expected the class dimension to have non-zero size: the logits of no class have no largest one",
    );
  }
  const { sampleWeight } = options;
  const hasTerms = sampleWeight !== undefined || lseSquareScale > 0 || returnPredictions || returnCorrect;
  if (!hasTerms) return NO_TERMS;
  return { sampleWeight, zLossScale: lseSquareScale, returnZLoss, returnPredictions, returnCorrect };
}

function checkSampleWeight(sampleWeight: Tensor | undefined, positions: readonly number[]): void {
  if (sampleWeight === undefined) return;
  if (!sameShape(sampleWeight.shape, positions)) {
    throw new LossError(
      "shape_mismatch",
      "sample_weight",
      `sample_weight must have the shape of the positions, ${formatShape(positions)}, got ${formatShape(sampleWeight.shape)}`,
    );
  }
  const fault = floatFault("sample_weight", sampleWeight);
  if (fault !== undefined) throw fault;
}

/** Results of the terms. */
export interface TermResults {
  /** z-loss of each position. */
  readonly zLosses?: Tensor;
  /** Class of each position's largest logit, int64. */
  readonly predictions?: Tensor;
  /** 1 where the prediction is the target, otherwise 0, uint8. */
  readonly correct?: Tensor;
}

/** Plan of the terms: sample weights as the kernels read them, and outputs. */
export interface TermsPlan {
  readonly options: PositionTerms;
  readonly shift?: Shift | undefined;
  /** Sample weights without those that a shift leaves out. */
  readonly shifted?: Slot | undefined;
  readonly cast?: Slot<ComputeDType> | undefined;
  readonly zLosses?: Slot | undefined;
  readonly predictions?: Slot | undefined;
  readonly correct?: Slot | undefined;
  readonly outputs: readonly Output<keyof TermResults>[];
}

/** What the terms need to know of their loss. */
export interface TermsLoss {
  readonly dtype: FloatDType;
  readonly compute: ComputeDType;
  readonly reduction: Reduction;
  readonly lossShape: readonly number[];
  readonly shift?: Shift | undefined;
}

/** Plan without terms. */
const NO_PLAN: TermsPlan = { options: NO_TERMS, outputs: [] };

export function planTerms(layout: Layout, terms: PositionTerms, loss: TermsLoss): TermsPlan {
  if (terms === NO_TERMS) return NO_PLAN;
  const { lossShape, shift } = loss;
  const { sampleWeight } = terms;
  const shifted = sampleWeight && shift && layout.add(sampleWeight.dtype, lossShape);
  const cast = planCast(layout, sampleWeight && { ...sampleWeight, shape: lossShape }, loss.compute);
  const returnsEach = terms.returnZLoss && loss.reduction === "none";
  const zLosses = returnsEach ? layout.add(loss.dtype, lossShape) : undefined;
  const predictions = terms.returnPredictions ? layout.add("int64", lossShape) : undefined;
  const correct = terms.returnCorrect ? layout.add("uint8", lossShape) : undefined;
  const slots = { zLosses, predictions, correct };
  const outputs = (Object.keys(slots) as (keyof typeof slots)[]).flatMap((name) =>
    slots[name] === undefined ? [] : [{ name, dtype: slots[name].dtype, shape: lossShape }],
  );
  return { options: terms, shift, shifted, cast, ...slots, outputs };
}

/** Tensors of the terms in a plan's block. */
export class TermsRun {
  /** Sample weights in the compute dtype. Valid after `begin`. */
  readonly sampleWeight: Tensor | undefined;
  readonly begin: readonly Step[] = [];
  readonly #plan: TermsPlan;
  readonly #results: TermResults = {};

  constructor(plan: TermsPlan, kernel: LossKernel, block: number) {
    this.#plan = plan;
    if (plan === NO_PLAN) return;
    const { shift, shifted, cast } = plan;
    const { sampleWeight } = plan.options;
    const kept = shifted === undefined ? sampleWeight : atSlot(block, shifted);
    this.sampleWeight = cast === undefined ? kept : atSlot(block, cast);
    this.begin = [
      ...(shift === undefined || kept === undefined ? [] : [shiftStep(kernel, sampleWeight!, kept, shift)]),
      ...(cast === undefined ? [] : [castStep(kernel, kept!, this.sampleWeight!)]),
    ];
    this.#results = {
      ...(plan.zLosses && { zLosses: atSlot(block, plan.zLosses) }),
      ...(plan.predictions && { predictions: atSlot(block, plan.predictions) }),
      ...(plan.correct && { correct: atSlot(block, plan.correct) }),
    };
  }

  /** Operands of a fold over the positions that `part` selects. */
  operands(part: (tensor: Tensor) => Tensor): Partial<Fold> | undefined {
    if (this.#plan === NO_PLAN) return undefined;
    const { zLosses, predictions, correct } = this.#results;
    return {
      sampleWeight: this.sampleWeight && part(this.sampleWeight),
      zLossScale: this.#plan.options.zLossScale,
      zLosses: zLosses && part(zLosses),
      predictions: predictions && part(predictions),
      correct: correct && part(correct),
    };
  }

  results(): TermResults {
    return this.#results;
  }
}
