/** The losses over class indices: what `nll_loss` and `cross_entropy` share once PyTorch's checks have passed. */
import type { FoldSums } from "../kernel/fold.ts";
import { checkTargets, NO_SUM, runFold, totalOf, weighLosses } from "../kernel/fold.ts";
import type { Axis } from "../tensor/axis.ts";
import { axisOf } from "../tensor/axis.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { partOf } from "../tensor/tensor.ts";
import type { Reduction, ReductionOptions } from "./reduction.ts";
import { LossRefusal } from "./refusal.ts";
import type { Outline, RowFold } from "./rows.ts";
import { classAxis } from "./target.ts";
import type { GradOptions } from "./upstream.ts";
import { checkGradOutput } from "./upstream.ts";
import type { Scalar, Steps, Workspace } from "./workspace.ts";
import { allocate, cast, computeDType, firstElement, roundTo } from "./workspace.ts";

/** The options that `nll_loss` and `cross_entropy` have in common. */
export interface LossOptions extends ReductionOptions, GradOptions {
  /** One factor for each class, (C), in the input's dtype. */
  readonly weight?: Tensor | undefined;
  /** Targets of this value give no loss and no gradient; any int64. Default -100. */
  readonly ignoreIndex?: bigint | undefined;
}

/** What a loss returns. Exactly one of `loss` (mean, sum) and `losses` (none) is there. */
export interface LossResult {
  readonly loss?: Scalar;
  /** One loss for each position: the input's shape without the class dimension. */
  readonly losses?: Tensor;
  /** Class indices only: the weights of the targets that were kept, added up; the divisor of the mean. */
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
  /** Whether the weight's elements come after the input's. */
  readonly weightComesLast?: boolean | undefined;
}

/** What reaches each position's loss from the output: one number for all, or one each. */
interface Upstream {
  readonly scalar: number;
  readonly each: Tensor | undefined;
}

/** Checks every target against the classes, then folds the loss, and with it the gradient, over the rows in one pass. */
export function* foldIndexLoss(work: Workspace, loss: IndexLoss, warnings: string[]): Steps<LossResult> {
  const fold = yield* IndexFold.open(work, loss, warnings);
  yield* fold.rows(loss.input.address, 0, fold.axis.outer);
  const result = yield* fold.end();
  return loss.returnGrad ? { ...result, gradInput: loss.input } : result;
}

/**
 * A loss over class indices that takes its input some rows (or samples) at a time, in order. However they are divided, the result has
 * the same bits. Of `loss.input` only shape and dtype count.
 */
export class IndexFold implements RowFold<LossResult> {
  readonly axis: Axis;
  readonly #work: Workspace;
  readonly #loss: IndexLoss;
  readonly warnings: string[];
  readonly #weight: Tensor | undefined;
  readonly #losses: Tensor | undefined;
  readonly #upstream: Upstream;
  /** Known from the start unless the weight comes last. */
  #totalWeight: Scalar | undefined;
  #sums: FoldSums = { loss: NO_SUM, smooth: NO_SUM };

  private constructor(
    work: Workspace,
    loss: IndexLoss,
    warnings: string[],
    parts: { axis: Axis; weight: Tensor | undefined; totalWeight: Scalar | undefined; upstream: Upstream },
  ) {
    this.#work = work;
    this.#loss = loss;
    this.warnings = warnings;
    this.axis = parts.axis;
    this.#totalWeight = parts.totalWeight;
    this.#weight = parts.weight;
    this.#upstream = parts.upstream;
    const keeps = loss.reduction === "none" || loss.weightComesLast;
    this.#losses = keeps ? allocate(work, loss.input.dtype, loss.target.shape) : undefined;
  }

  get outline(): readonly Outline<keyof LossResult>[] {
    const { input, target, reduction, returnGrad } = this.#loss;
    const { dtype, shape } = input;
    const outline: Outline<keyof LossResult>[] = [
      { name: "totalWeight", dtype: computeDType(input), shape: [] },
    ];
    if (returnGrad) outline.push({ name: "gradInput", dtype, shape });
    if (reduction === "none") outline.push({ name: "losses", dtype, shape: target.shape });
    else outline.push({ name: "loss", dtype, shape: [] });
    return outline;
  }

  get known(): Partial<LossResult> {
    return this.#totalWeight === undefined ? {} : { totalWeight: this.#totalWeight };
  }

  /**
   * Checks every target against the classes, and the upstream gradient. With `weightComesLast` the weight's elements are not read
   * before {@link end}; there can be neither a gradient nor label smoothing then.
   */
  static *open(work: Workspace, loss: IndexLoss, warnings: string[]): Steps<IndexFold> {
    const { input, target, reduction, ignoreIndex, returnGrad } = loss;
    const compute = computeDType(input);
    const axis = axisOf(input.shape, classAxis(input.shape));
    const here = loss.weightComesLast ? undefined : loss.weight;
    const weight = here && (yield* cast(work, here, compute));
    const total = yield* totalWeightOf(work, axis, target, weight, ignoreIndex);
    const totalWeight = roundTo(work, compute, total);
    if (returnGrad) checkGradOutput(loss.gradOutput, reduction === "none" ? target.shape : []);
    const upstream = returnGrad
      ? yield* upstreamOf(work, loss.gradOutput, input.dtype, reduction, totalWeight.value)
      : { scalar: 0, each: undefined };
    const known = loss.weightComesLast ? undefined : totalWeight;
    if (known !== undefined) warnOfEmptyMean(loss, axis, totalWeight.value, warnings);
    return new IndexFold(work, loss, warnings, { axis, weight, totalWeight: known, upstream });
  }

  *rows(address: number, first: number, count: number): Steps<Tensor | undefined> {
    const { op, target, returnGrad, smoothing, ignoreIndex } = this.#loss;
    const { dtype, shape } = this.#loss.input;
    const { length, inner } = this.axis;
    const input = { dtype, shape: shape.with(0, shape.length === 1 ? length : count), address };
    const part = (tensor: Tensor): Tensor => partOf(tensor, first * inner, count * inner);
    const losses = this.#losses && part(this.#losses);
    this.#sums = yield* runFold(this.#work, op, {
      axis: { outer: count, length, inner },
      wide: computeDType(input) === "float64",
      x: input,
      out: returnGrad ? input : undefined,
      target: part(target),
      weight: this.#weight,
      losses,
      lossDType: dtype,
      upstream: this.#upstream.each && part(this.#upstream.each),
      upstreamScalar: this.#upstream.scalar,
      smoothing,
      ignoreIndex,
      sums: this.#sums,
    });
    return returnGrad ? input : undefined;
  }

  /** The result, without the gradient, which {@link rows} left with the rows. */
  *end(): Steps<LossResult> {
    const { input, reduction, smoothing } = this.#loss;
    if (this.#loss.weightComesLast) yield* this.#weigh();
    const totalWeight = this.#totalWeight!;
    if (reduction === "none") return { losses: this.#losses!, totalWeight, warnings: this.warnings };

    const divisor = reduction === "mean" ? totalWeight.value : 1;
    const compute = computeDType(input);
    const reduced = (sum: number): number =>
      roundTo(this.#work, input.dtype, roundTo(this.#work, compute, sum).value / divisor).value;
    let value = reduced(totalOf(this.#sums.loss));
    if (smoothing > 0) {
      value = (1 - smoothing) * value + (smoothing / this.axis.length) * reduced(totalOf(this.#sums.smooth));
    }
    return { loss: roundTo(this.#work, input.dtype, value), totalWeight, warnings: this.warnings };
  }

  /** The weight, which has come by now, applied to the losses. */
  *#weigh(): Steps<void> {
    const { input, target, ignoreIndex } = this.#loss;
    const compute = computeDType(input);
    const weight = yield* cast(this.#work, this.#loss.weight!, compute);
    const total = yield* totalWeightOf(this.#work, this.axis, target, weight, ignoreIndex);
    this.#totalWeight = roundTo(this.#work, compute, total);
    warnOfEmptyMean(this.#loss, this.axis, this.#totalWeight.value, this.warnings);
    const loss = yield* weighLosses(this.#work, this.#losses!, target, weight, ignoreIndex);
    this.#sums = { loss, smooth: NO_SUM };
  }
}

/** Adds up the weights of the kept targets; refuses the first one, in row-major order, that is no class. */
function* totalWeightOf(
  work: Workspace,
  axis: Axis,
  target: Tensor,
  weight: Tensor | undefined,
  ignoreIndex: bigint,
): Steps<number> {
  const found = yield* checkTargets(work, axis, target, weight, ignoreIndex);
  if (found.outOfBounds === undefined) return found.totalWeight;
  const { element, value } = found.outOfBounds;
  throw new LossRefusal(
    "target_out_of_bounds",
    "target",
    `Target ${value} is out of bounds. Expected a class index in [0, ${axis.length - 1}] or ignore_index (${ignoreIndex})`,
    element,
  );
}

/** The upstream gradient of each position (none) or of the sum, for the mean already divided by its divisor. */
export function* upstreamOf(
  work: Workspace,
  gradOutput: Tensor | undefined,
  dtype: FloatDType,
  reduction: Reduction,
  divisor: number,
): Steps<Upstream> {
  if (gradOutput === undefined) return { scalar: reduction === "mean" ? 1 / divisor : 1, each: undefined };
  const stored = yield* cast(work, gradOutput, dtype);
  if (reduction === "none") {
    const each = yield* cast(work, stored, computeDType(stored));
    return { scalar: 0, each };
  }
  const g = firstElement(work, stored);
  return { scalar: reduction === "mean" ? g / divisor : g, each: undefined };
}

function warnOfEmptyMean(
  { reduction, weight }: IndexLoss,
  axis: Axis,
  total: number,
  warnings: string[],
): void {
  if (reduction !== "mean" || total !== 0) return;
  if (axis.outer * axis.inner === 0)
    return void warnings.push("the mean over no elements is 0/0 = NaN, as in PyTorch");
  const reason =
    weight === undefined ? "every target equals ignore_index" : "the weights of the targets add up to 0";
  warnings.push(`${reason}, so the mean divides by 0, as in PyTorch`);
}
