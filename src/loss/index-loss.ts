/** The losses over class indices: the part that `nll_loss` and `cross_entropy` share once PyTorch's checks have passed. */
import type { Sum } from "../kernel/fold.ts";
import { checkTargetsStep, foldStep, NO_SUM, NO_SUMS, totalOf, weighLossesStep } from "../kernel/fold.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Step } from "../kernel/step.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import type { Axis, Scalar, Tensor } from "../tensor/tensor.ts";
import { axisOf, partOf, sameShape } from "../tensor/tensor.ts";
import { LossError } from "./errors.ts";
import type { GradOptions, UpstreamPlan } from "./grad-output.ts";
import { gradOutputFault, planUpstream, Upstream } from "./grad-output.ts";
import { classAxis } from "./index-checks.ts";
import type { ComputeDType } from "./numbers.ts";
import { castStep, computeDType, planCast, roundTo } from "./numbers.ts";
import type { Output, Plan, RowsRun, RowWindow, Run, Slot } from "./plan.ts";
import { atSlot, Layout, planWindow, SCRATCH_BYTES } from "./plan.ts";
import type { Reduction, ReductionOptions } from "./reduction.ts";

/** The options that `nll_loss` and `cross_entropy` have in common. */
export interface LossOptions extends ReductionOptions, GradOptions {
  /** One factor for each class, (C), in the input's dtype. */
  readonly weight?: Tensor | undefined;
  /** Targets of this value give no loss and no gradient; any int64. Default -100. */
  readonly ignoreIndex?: bigint | undefined;
}

/** The result of a loss. Exactly one of `loss` (mean, sum) and `losses` (none) is there. */
export interface LossResult {
  readonly loss?: Scalar;
  /** One loss for each position: the input's shape without the class dimension. */
  readonly losses?: Tensor;
  /** Class indices only: the sum of the weights of the targets that are kept, which is the divisor of the mean. */
  readonly totalWeight?: Scalar;
  /** The input's shape and dtype. */
  readonly gradInput?: Tensor;
  /** Probabilities only: the target's shape and dtype. */
  readonly gradTarget?: Tensor;
  readonly warnings: readonly string[];
}

/** PyTorch's default for `ignore_index`. */
export const IGNORE_INDEX = -100n;

/** The operands of a loss over class indices, checked. `smoothing` 0 is off. */
export interface IndexLoss {
  readonly op: "nll" | "crossEntropy";
  readonly input: Tensor & { dtype: FloatDType };
  readonly target: Tensor;
  readonly weight: Tensor | undefined;
  readonly reduction: Reduction;
  readonly ignoreIndex: bigint;
  readonly smoothing: number;
  readonly returnGrad: boolean;
  readonly gradOutput: Tensor | undefined;
}

/** How the input of a loss over class indices is streamed. */
export interface IndexStreaming {
  readonly windowBytes: number;
  /** Whether the weight's elements come after the input's; there can be neither a gradient nor label smoothing then. */
  readonly weightComesLast: boolean;
}

/** Plans a loss whose operands have been checked. Its run refuses an upstream gradient that does not fit. */
export class IndexPlan implements Plan<LossResult> {
  readonly loss: IndexLoss;
  readonly input: Tensor & { dtype: FloatDType };
  readonly axis: Axis;
  readonly compute: ComputeDType;
  readonly weightComesLast: boolean;
  readonly outputs: readonly Output<keyof LossResult>[];
  readonly rowsOutput: "gradInput" | undefined;
  readonly bytes: number;
  readonly window: RowWindow | undefined;
  readonly scratch: Slot;
  readonly castWeight: Slot<ComputeDType> | undefined;
  readonly losses: Slot | undefined;
  readonly upstream: UpstreamPlan | undefined;
  /** Thrown once the targets have been checked: PyTorch reads them in the forward pass, and `grad_output` in the backward pass. */
  readonly gradFault: LossError | undefined;
  readonly warnings: readonly string[];

  constructor(loss: IndexLoss, warnings: readonly string[], streaming?: IndexStreaming) {
    const { input, target, weight, reduction, returnGrad, gradOutput } = loss;
    this.loss = loss;
    this.input = input;
    this.warnings = warnings;
    this.compute = computeDType(input);
    this.weightComesLast = streaming?.weightComesLast ?? false;
    this.axis = axisOf(input.shape, classAxis(input.shape));
    const lossShape = input.shape.toSpliced(classAxis(input.shape), 1);
    // The checks have said so in PyTorch's words; positions are counted by the input alone from here on.
    if (!sameShape(target.shape, lossShape))
      throw new Error(`a target of [${target.shape}] passed the checks`);
    const outputShape = reduction === "none" ? lossShape : [];
    this.gradFault = returnGrad ? gradOutputFault(gradOutput, outputShape) : undefined;
    const plansGrad = returnGrad && this.gradFault === undefined;

    const layout = new Layout();
    this.scratch = layout.add("uint8", [SCRATCH_BYTES]);
    this.window = streaming && planWindow(layout, input, this.axis, streaming.windowBytes);
    this.castWeight = planCast(layout, weight, this.compute);
    const keepsLosses = reduction === "none" || this.weightComesLast;
    this.losses = keepsLosses ? layout.add(input.dtype, lossShape) : undefined;
    this.upstream = plansGrad ? planUpstream(layout, gradOutput, input.dtype, reduction) : undefined;
    this.bytes = layout.bytes;

    this.rowsOutput = returnGrad ? "gradInput" : undefined;
    const { dtype, shape } = input;
    this.outputs = [
      reduction === "none" ? { name: "losses", dtype, shape: lossShape } : { name: "loss", dtype, shape: [] },
      { name: "totalWeight", dtype: this.compute, shape: [] },
      ...(returnGrad ? [{ name: "gradInput" as const, dtype, shape }] : []),
    ];
  }

  start(kernel: Kernel, block: number): Run<LossResult> {
    return new IndexRun(this, kernel, block);
  }
}

/** Checks every target against the classes, then folds the loss, and with it the gradient, over the rows in one pass. */
class IndexRun implements Run<LossResult> {
  readonly begin: readonly Step[];
  readonly end: readonly Step[];
  readonly warnings: string[];
  readonly #plan: IndexPlan;
  readonly #kernel: Kernel;
  readonly #scratch: number;
  /** In the compute type. */
  readonly #weight: Tensor | undefined;
  readonly #losses: Tensor | undefined;
  readonly #upstream: Upstream | undefined;
  /** Known after `begin` unless the weight comes last. */
  #totalWeight: Scalar | undefined;
  #sums = NO_SUMS;

  constructor(plan: IndexPlan, kernel: Kernel, block: number) {
    this.#plan = plan;
    this.#kernel = kernel;
    this.#scratch = block + plan.scratch.offset;
    this.#weight = plan.castWeight === undefined ? plan.loss.weight : atSlot(block, plan.castWeight);
    this.#losses = plan.losses && atSlot(block, plan.losses);
    this.#upstream = plan.upstream && new Upstream(plan.upstream, kernel, block, this.#scratch);
    this.warnings = [...plan.warnings];
    const upstreamSteps = this.#upstream?.begin(() => this.#divisor()) ?? [];
    this.begin = [...this.#targetSteps(), () => this.#refuseGrad(), ...upstreamSteps];
    this.end = plan.weightComesLast ? this.#weighSteps() : [];
  }

  rows(address: number, first: number, count: number): RowsRun {
    const { op, target, returnGrad, smoothing, ignoreIndex } = this.#plan.loss;
    const { dtype } = this.#plan.input;
    const { length, inner } = this.#plan.axis;
    const input = { dtype, shape: [count * length * inner], address };
    const part = (tensor: Tensor): Tensor => partOf(tensor, first * inner, count * inner);
    const each = this.#upstream?.each;
    const describe = () => ({
      axis: { outer: count, length, inner },
      wide: this.#plan.compute === "float64",
      x: input,
      out: returnGrad ? input : undefined,
      target: part(target),
      weight: this.#plan.weightComesLast ? undefined : this.#weight,
      losses: this.#losses && part(this.#losses),
      lossDType: dtype,
      upstream: each && part(each),
      upstreamScalar: this.#upstream?.scalar ?? 0,
      smoothing,
      ignoreIndex,
      sums: this.#sums,
    });
    const step = foldStep(this.#kernel, this.#scratch, op, describe, (sums) => {
      this.#sums = sums;
    });
    return { steps: [step], output: returnGrad ? input : undefined };
  }

  known(): Partial<LossResult> {
    return this.#totalWeight === undefined ? {} : { totalWeight: this.#totalWeight };
  }

  result(): LossResult {
    const { warnings } = this;
    const totalWeight = this.#totalWeight!;
    const { reduction, smoothing } = this.#plan.loss;
    if (reduction === "none") return { losses: this.#losses!, totalWeight, warnings };
    let value = this.#reduced(this.#sums.loss);
    if (smoothing > 0) {
      const smooth = this.#reduced(this.#sums.smooth);
      value = (1 - smoothing) * value + (smoothing / this.#plan.axis.length) * smooth;
    }
    return { loss: this.#round(this.#plan.input.dtype, value), totalWeight, warnings };
  }

  /** A sum over the positions, reduced and rounded as PyTorch stores it. */
  #reduced(sum: Sum): number {
    const { compute, input } = this.#plan;
    return this.#round(input.dtype, this.#round(compute, totalOf(sum)).value / this.#divisor()).value;
  }

  #divisor(): number {
    return this.#plan.loss.reduction === "mean" ? this.#totalWeight!.value : 1;
  }

  /** The steps that know the weight: in the beginning, or at the end if it comes last; then the targets are checked twice. */
  #targetSteps(): Step[] {
    const { weightComesLast } = this.#plan;
    if (weightComesLast) return [this.#checkTargets(undefined, () => {})];
    return [...this.#castWeight(), this.#checkTargets(this.#weight, (total) => this.#takeTotal(total))];
  }

  #refuseGrad(): true {
    if (this.#plan.gradFault !== undefined) throw this.#plan.gradFault;
    return true;
  }

  #weighSteps(): Step[] {
    const { target, ignoreIndex } = this.#plan.loss;
    const operands = { losses: this.#losses!, target, weight: this.#weight!, ignoreIndex };
    const weigh = weighLossesStep(this.#kernel, this.#scratch, operands, (lossSum) => {
      this.#sums = { loss: lossSum, smooth: NO_SUM };
    });
    const check = this.#checkTargets(this.#weight, (total) => this.#takeTotal(total));
    return [...this.#castWeight(), check, weigh];
  }

  #castWeight(): Step[] {
    const { castWeight, loss } = this.#plan;
    return castWeight === undefined ? [] : [castStep(this.#kernel, loss.weight!, this.#weight!)];
  }

  /** Gives the sum of the kept targets' weights; refuses the first target, in row-major order, that is no class. */
  #checkTargets(weight: Tensor | undefined, take: (total: number) => void): Step {
    const { target, ignoreIndex } = this.#plan.loss;
    const classes = this.#plan.axis.length;
    const refuse = (element: number, value: bigint): never => {
      throw new LossError(
        "target_out_of_bounds",
        "target",
        `Target ${value} is out of bounds. Expected a class index in [0, ${classes - 1}] or ignore_index (${ignoreIndex})`,
        element,
      );
    };
    const check = { classes, target, weight, ignoreIndex, refuse };
    return checkTargetsStep(this.#kernel, this.#scratch, check, take);
  }

  #takeTotal(total: number): void {
    this.#totalWeight = this.#round(this.#plan.compute, total);
    const { reduction, weight } = this.#plan.loss;
    if (reduction !== "mean" || this.#totalWeight.value !== 0) return;
    const { outer, inner } = this.#plan.axis;
    if (outer * inner === 0) {
      this.warnings.push("the mean over no elements is 0/0 = NaN, as in PyTorch");
      return;
    }
    const reason =
      weight === undefined ? "every target equals ignore_index" : "the weights of the targets add up to 0";
    this.warnings.push(`${reason}, so the mean divides by 0, as in PyTorch`);
  }

  #round(dtype: FloatDType, value: number): Scalar {
    return roundTo(this.#kernel, this.#scratch, dtype, value);
  }
}
