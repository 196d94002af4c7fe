/** The losses over class indices: what `nll_loss` and `cross_entropy` share once PyTorch's checks have passed. */
import { checkTargets, runFold } from "../kernel/fold.ts";
import type { Axis } from "../tensor/axis.ts";
import { axisOf } from "../tensor/axis.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Reduction, ReductionOptions } from "./reduction.ts";
import { LossRefusal } from "./refusal.ts";
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
}

/** Checks every target against the classes, then folds the loss, and with it the gradient, over the rows in one pass. */
export function* foldIndexLoss(work: Workspace, loss: IndexLoss, warnings: string[]): Steps<LossResult> {
  const { op, input, target, reduction, ignoreIndex, smoothing, returnGrad } = loss;
  const { dtype } = input;
  const compute = computeDType(input);
  const axis = axisOf(input.shape, classAxis(input.shape));
  const weight = loss.weight && (yield* cast(work, loss.weight, compute));
  const total = yield* totalWeightOf(work, axis, target, weight, ignoreIndex);
  const totalWeight = roundTo(work, compute, total);
  const outputShape = reduction === "none" ? target.shape : [];
  if (returnGrad) checkGradOutput(loss.gradOutput, outputShape);
  const upstream = returnGrad
    ? yield* upstreamOf(work, loss.gradOutput, dtype, reduction, totalWeight.value)
    : { scalar: 0, each: undefined };

  const losses = reduction === "none" ? allocate(work, dtype, target.shape) : undefined;
  const sums = yield* runFold(work, op, {
    axis,
    wide: compute === "float64",
    x: input,
    out: returnGrad ? input : undefined,
    target,
    weight,
    losses,
    lossDType: dtype,
    upstream: upstream.each,
    upstreamScalar: upstream.scalar,
    smoothing,
    ignoreIndex,
  });
  const gradInput = returnGrad ? { gradInput: input } : {};
  if (losses !== undefined) return { losses, totalWeight, ...gradInput, warnings };

  if (reduction === "mean" && totalWeight.value === 0) warnings.push(emptyMean(axis, weight));
  const divisor = reduction === "mean" ? totalWeight.value : 1;
  const reduced = (sum: number): number =>
    roundTo(work, dtype, roundTo(work, compute, sum).value / divisor).value;
  let value = reduced(sums.lossSum);
  if (smoothing > 0) {
    value = (1 - smoothing) * value + (smoothing / axis.length) * reduced(sums.smoothSum);
  }
  return { loss: roundTo(work, dtype, value), totalWeight, ...gradInput, warnings };
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
): Steps<{ scalar: number; each: Tensor | undefined }> {
  if (gradOutput === undefined) return { scalar: reduction === "mean" ? 1 / divisor : 1, each: undefined };
  const stored = yield* cast(work, gradOutput, dtype);
  if (reduction === "none") {
    const each = yield* cast(work, stored, computeDType(stored));
    return { scalar: 0, each };
  }
  const g = firstElement(work, stored);
  return { scalar: reduction === "mean" ? g / divisor : g, each: undefined };
}

function emptyMean(axis: Axis, weight: Tensor | undefined): string {
  if (axis.outer * axis.inner === 0) return "the mean over no elements is 0/0 = NaN, as in PyTorch";
  const reason =
    weight === undefined ? "every target equals ignore_index" : "the weights of the targets add up to 0";
  return `${reason}, so the mean divides by 0, as in PyTorch`;
}
