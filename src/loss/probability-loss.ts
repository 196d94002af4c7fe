/** Cross entropy with probability targets, after PyTorch's checks. */

import type { FoldState, Sum } from "../kernel/fold.ts";
import { foldStep, NO_SUMS, totalOf } from "../kernel/fold.ts";
import type { LossKernel } from "../kernel/kernel.ts";
import type { LogitTransform } from "../kernel/logits.ts";
import type { Step } from "../kernel/step.ts";
import { once } from "../kernel/step.ts";
import { sampleSumStep } from "../kernel/targets.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import { isFloat } from "../tensor/dtype.ts";
import type { Axis, Scalar, Tensor } from "../tensor/tensor.ts";
import { axisOf, elementCount, partOf } from "../tensor/tensor.ts";
import type { GradOutputPlan } from "./grad-output.ts";
import { checkGradOutput, GradOutputReader, planGradOutput, promote } from "./grad-output.ts";
import type { LossResult } from "./loss-result.ts";
import type { ComputeDType } from "./numbers.ts";
import { castStep, computeDType, planCast, roundTo } from "./numbers.ts";
import type { Output, Plan, RowsRun, Run, Slot } from "./plan.ts";
import { atSlot, Layout, SCRATCH_BYTES } from "./plan.ts";
import type { PositionTerms, TermsPlan } from "./position-terms.ts";
import { planTerms, TermsRun } from "./position-terms.ts";
import type { Reduction } from "./reduction.ts";
import type { PiecePlan } from "./row-pieces.ts";
import { foldRows, planPieces } from "./row-pieces.ts";

/** Checked operands. `target` has the input's shape, and a `smoothing` of 0 disables it. */
export interface ProbabilityLoss {
  readonly input: Tensor;
  /** Dtype to which the input is cast. */
  readonly dtype: FloatDType;
  /** Class dimension. */
  readonly classAxis: number;
  readonly transform: LogitTransform | undefined;
  readonly target: Tensor & { dtype: FloatDType };
  readonly terms: PositionTerms;
  readonly weight: Tensor | undefined;
  readonly gradOutput: Tensor | undefined;
  readonly reduction: Reduction;
  readonly smoothing: number;
  readonly returnGrad: boolean;
  readonly returnGradTarget: boolean;
}

/** Plans a loss with checked operands. Rejects an upstream gradient that does not fit. The gradients overwrite the operands. */
export class ProbabilityPlan implements Plan<LossResult> {
  readonly loss: ProbabilityLoss;
  readonly input: Tensor;
  readonly axis: Axis;
  /** Dtype of the losses. */
  readonly dtype: FloatDType;
  readonly compute: ComputeDType;
  readonly outputs: readonly Output<keyof LossResult>[];
  readonly rowsOutput: "gradInput" | undefined;
  readonly bytes: number;
  readonly window = undefined;
  readonly scratch: Slot;
  readonly castWeight: Slot<ComputeDType> | undefined;
  readonly lossShape: readonly number[];
  readonly terms: TermsPlan;
  readonly pieces: PiecePlan | undefined;
  readonly losses: Slot | undefined;
  readonly gradOutput: GradOutputPlan | undefined;
  readonly warnings: readonly string[];

  constructor(loss: ProbabilityLoss, warnings: readonly string[]) {
    const { input, classAxis, target, weight, reduction, gradOutput, returnGrad, returnGradTarget } = loss;
    this.loss = loss;
    this.input = input;
    this.dtype = promotedDType(loss.dtype, target.dtype, weight);
    this.compute = this.dtype === "float64" ? this.dtype : computeDType(loss, target);
    this.axis = axisOf(input.shape, classAxis);
    const lossShape = input.shape.toSpliced(classAxis, 1);
    this.lossShape = lossShape;
    const wantsGrad = returnGrad || returnGradTarget;
    if (wantsGrad) checkGradOutput(gradOutput, reduction === "none" ? lossShape : []);

    const layout = new Layout();
    this.scratch = layout.add("uint8", [SCRATCH_BYTES]);
    this.castWeight = planCast(layout, weight, this.compute);
    this.pieces = planPieces(layout, input, this.axis, loss);
    const { compute } = this;
    this.terms = planTerms(layout, loss.terms, { dtype: this.dtype, compute, reduction, lossShape });
    this.losses = reduction === "none" ? layout.add(this.dtype, lossShape) : undefined;
    this.gradOutput = wantsGrad ? planGradOutput(layout, gradOutput, this.dtype, reduction) : undefined;
    this.bytes = layout.bytes;

    const { dtype } = this;
    const isEmpty = this.axis.outer * this.axis.length * this.axis.inner === 0;
    this.warnings =
      reduction === "mean" && isEmpty
        ? [...warnings, "the mean over no elements is 0/0 = NaN, as in PyTorch"]
        : warnings;
    this.rowsOutput = returnGrad ? "gradInput" : undefined;
    this.outputs = [
      reduction === "none" ? { name: "losses", dtype, shape: lossShape } : { name: "loss", dtype, shape: [] },
      ...(loss.terms.returnZLoss && reduction !== "none"
        ? [{ name: "zLoss" as const, dtype, shape: [] }]
        : []),
      ...(loss.terms.sampleWeight === undefined
        ? []
        : [{ name: "totalWeight" as const, dtype: compute, shape: [] }]),
      ...this.terms.outputs,
      ...(returnGrad ? [{ name: "gradInput" as const, dtype: input.dtype, shape: input.shape }] : []),
      ...(returnGradTarget
        ? [{ name: "gradTarget" as const, dtype: target.dtype, shape: target.shape }]
        : []),
    ];
  }

  start(kernel: LossKernel, block: number): Run<LossResult> {
    return new ProbabilityRun(this, kernel, block);
  }
}

/** Applies `torch.promote_types` to logits, probabilities and weight. An integer weight does not widen a float. */
function promotedDType(input: FloatDType, target: FloatDType, weight: Tensor | undefined): FloatDType {
  const both = promote(input, target);
  return weight !== undefined && isFloat(weight.dtype) ? promote(both, weight.dtype) : both;
}

class ProbabilityRun implements Run<LossResult> {
  readonly begin: readonly Step[];
  readonly end: readonly Step[] = [];
  readonly #plan: ProbabilityPlan;
  readonly #kernel: LossKernel;
  readonly #block: number;
  readonly #scratch: number;
  /** Weight in the compute dtype. */
  readonly #weight: Tensor | undefined;
  readonly #losses: Tensor | undefined;
  readonly #terms: TermsRun;
  /** Sum of the sample weights. Known after `begin` if there are any. */
  #totalWeight: Scalar | undefined;
  readonly #gradOutput: GradOutputReader | undefined;
  readonly #state: FoldState = { gradOutputScalar: 0, sums: NO_SUMS };

  constructor(plan: ProbabilityPlan, kernel: LossKernel, block: number) {
    const { castWeight, losses, gradOutput, axis, loss } = plan;
    this.#plan = plan;
    this.#kernel = kernel;
    this.#block = block;
    this.#scratch = block + plan.scratch.offset;
    this.#weight = castWeight === undefined ? loss.weight : atSlot(block, castWeight);
    this.#losses = losses && atSlot(block, losses);
    this.#gradOutput = gradOutput && new GradOutputReader(gradOutput, kernel, block, this.#scratch);
    this.#terms = new TermsRun(plan.terms, kernel, block);
    const cast = castWeight === undefined ? [] : [castStep(kernel, loss.weight!, this.#weight!)];
    const divisor = (): number => this.#totalWeight?.value ?? axis.outer * axis.inner;
    this.begin = [
      once(() => {
        this.#state.sums = NO_SUMS;
      }),
      ...cast,
      ...this.#terms.begin,
      ...this.#sumSamples(),
      ...(this.#gradOutput?.begin(this.#state, divisor) ?? []),
    ];
  }

  get warnings(): readonly string[] {
    const { loss, lossShape, warnings } = this.#plan;
    const dividesByZero = loss.reduction === "mean" && this.#totalWeight?.value === 0;
    if (!dividesByZero || elementCount(lossShape) === 0) return warnings;
    return [...warnings, "the sample weights add up to 0, so the mean divides by 0"];
  }

  /** Sums the sample weights, if there are any. */
  #sumSamples(): Step[] {
    const { sampleWeight } = this.#terms;
    if (sampleWeight === undefined) return [];
    const positions = elementCount(this.#plan.lossShape);
    const onSum = (total: Sum): void => {
      this.#totalWeight = roundTo(this.#kernel, this.#scratch, this.#plan.compute, totalOf(total));
    };
    return [sampleSumStep(this.#kernel, this.#scratch, { positions, sampleWeight }, onSum)];
  }

  rows(address: number, first: number, count: number): RowsRun {
    const { axis, loss, pieces } = this.#plan;
    const input = { dtype: loss.input.dtype, shape: [count * axis.length * axis.inner], address };
    const fold = (x: Tensor, at: number, size: number): Step => this.#fold(x, at, size);
    const rows = { input, first, count, returnsGrad: loss.returnGrad, fold };
    return foldRows(this.#kernel, pieces, this.#block, rows);
  }

  /** Folds `count` rows `x` from row `first` on, in place. */
  #fold(x: Tensor, first: number, count: number): Step {
    const { loss, axis, dtype, compute } = this.#plan;
    const { length, inner } = axis;
    const positions = (tensor: Tensor): Tensor => partOf(tensor, first * inner, count * inner);
    const target = partOf(loss.target, first * length * inner, count * length * inner);
    const each = this.#gradOutput?.each;
    const fold = {
      axis: { ...axis, outer: count },
      wide: compute === "float64",
      x,
      out: loss.returnGrad ? x : undefined,
      target,
      gradTarget: loss.returnGradTarget ? target : undefined,
      weight: this.#weight,
      losses: this.#losses && positions(this.#losses),
      lossDType: dtype,
      gradOutput: each && positions(each),
      smoothing: loss.smoothing,
      ...this.#terms.operands(positions),
    };
    return foldStep(this.#kernel, this.#scratch, "softTarget", fold, this.#state);
  }

  result(): LossResult {
    const { loss, axis, dtype, compute } = this.#plan;
    const { warnings } = this;
    const more = {
      ...(this.#totalWeight && { totalWeight: this.#totalWeight }),
      ...this.#terms.results(),
      ...(loss.returnGradTarget && { gradTarget: loss.target }),
      warnings,
    };
    if (this.#losses !== undefined) return { losses: this.#losses, ...more };
    // PyTorch divides by numel / C, which is 0 / 0 for an input without elements even if it has positions.
    const positions = axis.length === 0 ? 0 : axis.outer * axis.inner;
    const divisor = loss.reduction === "mean" ? (this.#totalWeight?.value ?? positions) : 1;
    const reduced = (sum: Sum): number => {
      const total = roundTo(this.#kernel, this.#scratch, compute, totalOf(sum)).value;
      return roundTo(this.#kernel, this.#scratch, dtype, total / divisor).value;
    };
    const { sums } = this.#state;
    const { zLossScale, returnZLoss } = loss.terms;
    const zLoss = zLossScale > 0 ? { dtype, value: reduced(sums.zLoss) } : undefined;
    const value = reduced(sums.loss) + (zLoss?.value ?? 0);
    return {
      loss: roundTo(this.#kernel, this.#scratch, dtype, value),
      ...(returnZLoss && zLoss && { zLoss }),
      ...more,
    };
  }
}
