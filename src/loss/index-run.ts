/** Runs the losses over class indices, see {@link IndexPlan}. */
import type { FoldState, Sum } from "../kernel/fold.ts";
import { foldStep, NO_SUMS, totalOf } from "../kernel/fold.ts";
import type { LossKernel } from "../kernel/kernel.ts";
import type { Step } from "../kernel/step.ts";
import { once } from "../kernel/step.ts";
import { checkTargetsStep, sampleSumStep, weighLossesStep } from "../kernel/targets.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import type { Scalar, Tensor } from "../tensor/tensor.ts";
import { elementCount, partOf } from "../tensor/tensor.ts";
import { GradOutputReader } from "./grad-output.ts";
import type { IndexLoss, IndexPlan, SparseTarget } from "./index-loss.ts";
import { LossError } from "./loss-error.ts";
import type { LossResult } from "./loss-result.ts";
import { castStep, roundTo } from "./numbers.ts";
import type { RowsRun, Run } from "./plan.ts";
import { atSlot } from "./plan.ts";
import { TermsRun } from "./position-terms.ts";
import { foldRows } from "./row-pieces.ts";
import { shiftStep, unshiftedIndex } from "./shift.ts";

function whyTotalIsZero({ weight, terms, sparse }: IndexLoss): string {
  if (weight !== undefined || terms.sampleWeight !== undefined)
    return "the weights of the targets add up to 0";
  return sparse === undefined
    ? "every target equals ignore_index"
    : "no position has a class other than ignore_index";
}

/** Checks every target, then computes loss and gradient in one pass over the rows. */
export class IndexRun implements Run<LossResult> {
  readonly begin: readonly Step[];
  readonly end: readonly Step[];
  readonly #plan: IndexPlan;
  readonly #kernel: LossKernel;
  readonly #scratch: number;
  readonly #block: number;
  /** Weight in the compute dtype. */
  readonly #weight: Tensor | undefined;
  /** Target of each loss. */
  readonly #target: Tensor;
  readonly #losses: Tensor | undefined;
  readonly #terms: TermsRun;
  readonly #gradTargetWeight: Tensor | undefined;
  readonly #gradOutput: GradOutputReader | undefined;
  /** Known after `begin` unless the weight comes last. */
  #totalWeight: Scalar | undefined;
  readonly #state: FoldState = { gradOutputScalar: 0, sums: NO_SUMS };

  constructor(plan: IndexPlan, kernel: LossKernel, block: number) {
    this.#plan = plan;
    this.#kernel = kernel;
    this.#block = block;
    this.#scratch = block + plan.scratch.offset;
    this.#target = plan.shiftedTarget === undefined ? plan.loss.target : atSlot(block, plan.shiftedTarget);
    this.#weight = plan.castWeight === undefined ? plan.loss.weight : atSlot(block, plan.castWeight);
    this.#losses = plan.losses && atSlot(block, plan.losses);
    this.#gradOutput = plan.gradOutput && new GradOutputReader(plan.gradOutput, kernel, block, this.#scratch);
    this.#terms = new TermsRun(plan.terms, kernel, block);
    this.#gradTargetWeight = plan.gradTargetWeight && atSlot(block, plan.gradTargetWeight);
    this.begin = this.#beginSteps();
    this.end = plan.weightComesLast ? this.#weighSteps() : [];
  }

  rows(address: number, first: number, count: number): RowsRun {
    const { axis, loss, pieces } = this.#plan;
    const input = { dtype: loss.input.dtype, shape: [count * axis.length * axis.inner], address };
    const fold = (x: Tensor, kept: number, size: number): Step => this.#fold(x, kept, size);
    const rows = { input, first, count, returnsGrad: loss.returnGrad, fold };
    return foldRows(this.#kernel, pieces, this.#block, rows);
  }

  /** Folds `count` rows `x` in place, of which the first has the target of row `kept`. */
  #fold(x: Tensor, kept: number, count: number): Step {
    const { op, dtype, sparse, returnGrad, smoothing, ignoreIndex } = this.#plan.loss;
    const { length, inner } = this.#plan.axis;
    const part = (tensor: Tensor): Tensor => partOf(tensor, kept * inner, count * inner);
    const targetPart = (tensor: Tensor): Tensor => {
      const { picks: perPosition = 1 } = sparse ?? {};
      return partOf(tensor, kept * perPosition * inner, count * perPosition * inner);
    };
    const each = this.#gradOutput?.each;
    const fold = {
      axis: { outer: count, length, inner },
      wide: this.#plan.compute === "float64",
      x,
      out: returnGrad ? x : undefined,
      target: targetPart(this.#target),
      picks: sparse?.picks,
      targetWeight: sparse && targetPart(sparse.weight),
      gradTargetWeight: this.#gradTargetWeight && targetPart(this.#gradTargetWeight),
      weight: this.#plan.weightComesLast ? undefined : this.#weight,
      losses: this.#losses && part(this.#losses),
      lossDType: dtype,
      gradOutput: each && part(each),
      smoothing,
      ignoreIndex,
      ...this.#terms.operands(part),
    };
    return foldStep(this.#kernel, this.#scratch, op, fold, this.#state);
  }

  get warnings(): readonly string[] {
    const { loss, lossShape, warnings } = this.#plan;
    if (loss.reduction !== "mean" || this.#totalWeight?.value !== 0) return warnings;
    if (elementCount(lossShape) === 0)
      return [...warnings, "the mean over no elements is 0/0 = NaN, as in PyTorch"];
    return [...warnings, `${whyTotalIsZero(loss)}, so the mean divides by 0, as in PyTorch`];
  }

  known(): Partial<LossResult> {
    return this.#totalWeight === undefined ? {} : { totalWeight: this.#totalWeight };
  }

  result(): LossResult {
    const { warnings } = this;
    const totalWeight = this.#totalWeight!;
    const { reduction, smoothing, terms, dtype } = this.#plan.loss;
    const gradTargetWeight = this.#gradTargetWeight;
    const more = { ...this.#terms.results(), ...(gradTargetWeight && { gradTargetWeight }) };
    if (reduction === "none") return { losses: this.#losses!, totalWeight, ...more, warnings };
    const { sums } = this.#state;
    let value = this.#reduced(sums.loss);
    if (smoothing > 0) {
      const smooth = this.#reduced(sums.smooth);
      value = (1 - smoothing) * value + (smoothing / this.#plan.axis.length) * smooth;
    }
    const { zLossScale, returnZLoss } = terms;
    const zLoss = zLossScale > 0 ? { dtype, value: this.#reduced(sums.zLoss) } : undefined;
    if (zLoss !== undefined) value += zLoss.value;
    return {
      loss: this.#round(dtype, value),
      ...(returnZLoss && zLoss && { zLoss }),
      totalWeight,
      ...more,
      warnings,
    };
  }

  /** Reduces and rounds a sum over the positions as PyTorch stores it. */
  #reduced(sum: Sum): number {
    const { compute, loss } = this.#plan;
    return this.#round(loss.dtype, this.#round(compute, totalOf(sum)).value / this.#divisor()).value;
  }

  #divisor(): number {
    return this.#plan.loss.reduction === "mean" ? this.#totalWeight!.value : 1;
  }

  /** Steps before the rows. A weight that comes last is cast and summed at the end, where the targets are checked again. */
  #beginSteps(): readonly Step[] {
    const { weightComesLast, gradFault } = this.#plan;
    const { shift, target, sparse } = this.#plan.loss;
    const steps: Step[] = [
      once(() => {
        this.#state.sums = NO_SUMS;
        this.#totalWeight = undefined;
      }),
    ];
    if (shift !== undefined) steps.push(shiftStep(this.#kernel, target, this.#target, shift));
    if (weightComesLast) steps.push(this.#checkTargets(undefined));
    else {
      const setTotal = (total: Sum): void => this.#setTotal(total);
      steps.push(...this.#castWeight(), ...this.#terms.begin);
      if (sparse === undefined) steps.push(this.#checkTargets(this.#weight, setTotal));
      else {
        steps.push(this.#checkTargets(undefined));
        steps.push(this.#sumSamples(sparse, setTotal));
      }
    }
    if (gradFault !== undefined) {
      steps.push(() => {
        throw gradFault;
      });
    }
    if (this.#gradOutput !== undefined)
      steps.push(...this.#gradOutput.begin(this.#state, () => this.#divisor()));
    return steps;
  }

  /** Sums the sample weights of all positions with a kept class. */
  #sumSamples({ picks }: SparseTarget, onSum: (total: Sum) => void): Step {
    const { lossShape, axis, loss } = this.#plan;
    return sampleSumStep(
      this.#kernel,
      this.#scratch,
      {
        // Without picks no position is kept, and a shape may have billions of them.
        positions: picks === 0 ? 0 : elementCount(lossShape),
        sampleWeight: this.#terms.sampleWeight,
        sparse: { target: this.#target, picks, inner: axis.inner },
        ignoreIndex: loss.ignoreIndex,
      },
      onSum,
    );
  }

  #weighSteps(): Step[] {
    const { ignoreIndex } = this.#plan.loss;
    const operands = { losses: this.#losses!, target: this.#target, weight: this.#weight!, ignoreIndex };
    const weigh = weighLossesStep(this.#kernel, this.#scratch, operands, (loss) => {
      this.#state.sums = { ...NO_SUMS, loss };
    });
    const check = this.#checkTargets(this.#weight, (total) => this.#setTotal(total));
    return [...this.#castWeight(), check, weigh];
  }

  #castWeight(): Step[] {
    const { castWeight, loss } = this.#plan;
    return castWeight === undefined ? [] : [castStep(this.#kernel, loss.weight!, this.#weight!)];
  }

  /** Sums the weights of all targets that are not ignored. Rejects the first target in row-major order that is no class. */
  #checkTargets(weight: Tensor | undefined, onSum?: (total: Sum) => void): Step {
    const { ignoreIndex, shift, sparse } = this.#plan.loss;
    const classes = this.#plan.axis.length;
    const reject = (element: number, value: bigint): never => {
      throw new LossError(
        "target_out_of_bounds",
        "target",
        `Target ${value} is out of bounds. Expected a class index in [0, ${classes - 1}] or ignore_index (${ignoreIndex})`,
        unshiftedIndex(element, shift),
      );
    };
    // A sparse target's classes have weights of their own.
    const sampleWeight = sparse === undefined ? this.#terms.sampleWeight : undefined;
    const check = { classes, target: this.#target, weight, sampleWeight, ignoreIndex, reject };
    return checkTargetsStep(this.#kernel, this.#scratch, check, onSum);
  }

  #setTotal(total: Sum): void {
    this.#totalWeight = this.#round(this.#plan.compute, totalOf(total));
  }

  #round(dtype: FloatDType, value: number): Scalar {
    return roundTo(this.#kernel, this.#scratch, dtype, value);
  }
}
