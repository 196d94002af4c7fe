/** Checks of `cross_entropy` in PyTorch's order, for each kind of target. */
import type { FloatDType } from "../tensor/dtype.ts";
import { DTYPES, isFloat } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount, sameShape } from "../tensor/tensor.ts";
import type { CrossEntropyOptions } from "./cross-entropy.ts";
import { checkIndexOperands, checkTargetDType, checkWeightDType, requireFloat } from "./index-checks.ts";
import type { IndexLoss, SparseTarget } from "./index-loss.ts";
import { IGNORE_INDEX } from "./index-loss.ts";
import { floatFault, formatShape, LossError } from "./loss-error.ts";
import { checkTerms } from "./position-terms.ts";
import type { ProbabilityLoss } from "./probability-loss.ts";
import type { Reduction } from "./reduction.ts";
import { resolveShift } from "./shift.ts";

/** Properties of a loss over class indices that depend on the kind of target. */
type CheckedTarget = Pick<IndexLoss, "op" | "shift" | "sparse" | "terms" | "ignoreIndex" | "smoothing">;

/** Checks a target of one class index for each position. */
export function checkIndexTarget(
  logits: Tensor,
  classAxis: number,
  target: Tensor,
  reduction: Reduction,
  options: CrossEntropyOptions,
): CheckedTarget {
  const { weight, ignoreIndex = IGNORE_INDEX } = options;
  const smoothing = checkSmoothing(options.labelSmoothing);
  checkLogits(logits);
  checkIndexOperands(logits, classAxis, target, weight);
  const shift = resolveShift(logits, classAxis, options.shift);
  if (smoothing > 0 && weight !== undefined) checkSmoothedWeight(logits, target, weight, reduction);
  if (options.returnGradTarget) {
    throw new LossError(
      "option_not_applicable",
      "return_grad_target",
      "class indices have no gradient: return_grad_target needs a target of probabilities, of the input's shape",
    );
  }
  return {
    op: "crossEntropy",
    shift,
    sparse: undefined,
    terms: checkTerms(options, target.shape, logits.shape[classAxis]!, true),
    ignoreIndex,
    smoothing,
  };
}

/** Limit of a sparse target's classes per position, because the gradient looks at all of them for every 2048 classes. */
const MAX_PICKS = 1024;

/**
 * Checks a sparse target: class indices in the input's shape but for the class dimension, weights of its shape, and no
 * option for one class per position.
 */
export function checkSparseTarget(
  logits: Tensor,
  classAxis: number,
  target: Tensor,
  options: CrossEntropyOptions,
): CheckedTarget {
  const { weight, ignoreIndex = IGNORE_INDEX } = options;
  checkLogits(logits);
  const picks = target.shape[classAxis];
  if (picks! > MAX_PICKS) {
    throw new LossError(
      "shape_mismatch",
      "target",
      `Expected at most ${MAX_PICKS} classes for each position. Got: ${picks}`,
    );
  }
  if (picks === undefined || !sameShape(target.shape, logits.shape.with(classAxis, picks))) {
    const expected = logits.shape.map((size, axis) => (axis === classAxis ? "K" : size)).join(", ");
    throw new LossError(
      "shape_mismatch",
      "target",
      `Expected target size [${expected}] with target_weight, got ${formatShape(target.shape)}: K classes for each position`,
    );
  }
  checkTargetDType(target);
  checkTargetWeight(target, options.targetWeight!);
  checkClassWeight(logits, classAxis, weight);
  checkWeightDType(logits, weight);
  const smoothing = checkSmoothing(options.labelSmoothing);
  for (const [field, isSet] of [
    ["label_smoothing", smoothing > 0],
    ["shift", (options.shift ?? 0) !== 0],
    ["return_grad_target", options.returnGradTarget === true],
  ] as const) {
    if (isSet)
      throw new LossError("option_not_applicable", field, `${field} is not supported with target_weight`);
  }
  const positions = logits.shape.toSpliced(classAxis, 1);
  return {
    op: "sparseTarget",
    shift: undefined,
    sparse: {
      picks,
      weight: options.targetWeight as SparseTarget["weight"],
      returnGrad: options.returnGradTargetWeight ?? false,
    },
    terms: checkTerms(options, positions, logits.shape[classAxis]!, false),
    ignoreIndex,
    smoothing: 0,
  };
}

function checkTargetWeight(target: Tensor, targetWeight: Tensor): void {
  if (!sameShape(target.shape, targetWeight.shape)) {
    throw new LossError(
      "shape_mismatch",
      "target_weight",
      `target_weight must have the target's shape, ${formatShape(target.shape)}, got ${formatShape(targetWeight.shape)}`,
    );
  }
  const fault = floatFault("target_weight", targetWeight);
  if (fault !== undefined) throw fault;
}

/** Applies `log_softmax`'s checks to the class dimension. */
function checkLogits(input: Tensor): void {
  if (input.shape.length === 0) {
    throw new LossError(
      "dim_out_of_range",
      "input",
      "Dimension out of range (expected to be in range of [-1, 0], but got 1): input must have at least 1 dimension",
    );
  }
  if (elementCount(input.shape) === 0) return;
  requireFloat(
    "input",
    input.dtype,
    input.shape.length <= 2 ? "log_softmax_lastdim_kernel_impl" : "log_softmax_kernel_impl",
  );
}

/** Checks a target of probabilities, of the input's shape. */
export function checkProbabilityTarget(
  logits: Tensor,
  classAxis: number,
  target: Tensor,
  options: CrossEntropyOptions,
): Pick<ProbabilityLoss, "target" | "terms" | "smoothing"> {
  if (!isFloat(target.dtype)) {
    throw new LossError(
      "dtype_not_supported",
      "target",
      `Expected floating point type for target with class probabilities, got ${DTYPES[target.dtype].torch}: a target of the input's shape holds probabilities`,
    );
  }
  if ((options.ignoreIndex ?? IGNORE_INDEX) >= 0n) {
    throw new LossError(
      "option_not_applicable",
      "ignore_index",
      "ignore_index is not supported for floating point target",
    );
  }
  if (logits.shape.length === 0) {
    throw new LossError(
      "dim_out_of_range",
      "input",
      "Dimension specified as 1 but tensor has no dimensions: input must have at least 1 dimension",
    );
  }
  if ((options.shift ?? 0) !== 0) {
    throw new LossError(
      "option_not_applicable",
      "shift",
      "shift is not supported for probabilities: it needs a target of class indices",
    );
  }
  checkClassWeight(logits, classAxis, options.weight);
  checkLogits(logits);
  const smoothing = checkSmoothing(options.labelSmoothing);
  const positions = logits.shape.toSpliced(classAxis, 1);
  const terms = checkTerms(options, positions, logits.shape[classAxis]!, false);
  return { target: target as Tensor & { dtype: FloatDType }, terms, smoothing };
}

function checkClassWeight(input: Tensor, classAxis: number, weight: Tensor | undefined): void {
  const classes = input.shape[classAxis];
  if (weight === undefined || sameShape(weight.shape, [classes!])) return;
  throw new LossError(
    "shape_mismatch",
    "weight",
    `cross_entropy: weight tensor should be defined either for all ${classes} classes or no classes but got weight tensor of shape: ${formatShape(weight.shape)}`,
  );
}

/** Returns the effective smoothing, 0 for values up to 0 as in PyTorch. Rejects values over 1. */
function checkSmoothing(labelSmoothing = 0): number {
  if (labelSmoothing > 1) {
    throw new LossError(
      "option_out_of_range",
      "label_smoothing",
      `label_smoothing must be between 0.0 and 1.0. Got: ${labelSmoothing}`,
    );
  }
  return Math.max(labelSmoothing, 0);
}

/**
 * Rejects smoothing with a weight that is not (C). Without smoothing, PyTorch accepts C elements in any shape for
 * inputs of 3 and more dimensions.
 */
function checkSmoothedWeight(input: Tensor, target: Tensor, weight: Tensor, reduction: Reduction): void {
  if (weight.shape.length === 1) return;
  const classes = input.shape[1] ?? 0;
  const isGathered = reduction === "mean" && elementCount(target.shape) > 0;
  if (weight.shape[0] === classes && !isGathered) return;
  const message =
    weight.shape[0] === classes
      ? "Index tensor must have the same number of dimensions as input tensor"
      : `shape '${formatShape(input.shape.map((_, axis) => (axis === 1 ? (weight.shape[0] ?? 0) : 1)))}' is invalid for input of size ${classes}`;
  throw new LossError(
    "shape_mismatch",
    "weight",
    `${message}: with label_smoothing the weight must have shape [${classes}]`,
  );
}
