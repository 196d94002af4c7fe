/** `torch.nn.functional.cross_entropy`: checks in PyTorch's order, then the plan. */
import type { FloatDType } from "../tensor/dtype.ts";
import { DTYPES, isFloat } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount, sameShape } from "../tensor/tensor.ts";
import { checkGradRequest } from "./grad-output.ts";
import { checkIndexOperands, requireFloat } from "./index-checks.ts";
import type { IndexLoss, IndexStreaming, LossOptions, LossResult } from "./index-loss.ts";
import { IGNORE_INDEX, IndexPlan } from "./index-loss.ts";
import type { TransformOptions } from "./logit-transform.ts";
import { resolveTransform } from "./logit-transform.ts";
import { resolveClassAxis, resolveShift } from "./loss-axis.ts";
import { LossError, show } from "./loss-error.ts";
import { castInput } from "./numbers.ts";
import type { Plan } from "./plan.ts";
import { ProbabilityPlan } from "./probability-loss.ts";
import type { Reduction } from "./reduction.ts";
import { resolveReduction } from "./reduction.ts";

export interface CrossEntropyOptions extends LossOptions, TransformOptions {
  /** Share of the target that is spread evenly over all classes, up to 1. 0, negative values and NaN disable it. Default 0. */
  readonly labelSmoothing?: number | undefined;
  /** Also returns the gradient with respect to a probability target. */
  readonly returnGradTarget?: boolean | undefined;
}

/**
 * `torch.nn.functional.cross_entropy`: `log_softmax` over the class dimension, then `nll_loss`. A target of the input's
 * shape holds probabilities, so the loss is minus the sum of log-probabilities times probabilities. Class indices have
 * the shapes of {@link planNllLoss}. The mean divides by the sum of the weights of all targets that are not ignored, or
 * by the number of positions for probabilities. The gradients overwrite input and target.
 *
 * Rejects in PyTorch's order: unknown reduction, gradient of integers, `dtype`, `dim`, `temperature`,
 * `softcap`. Then for probabilities: integer
 * target, `ignoreIndex` >= 0, `shift`, weight that is not (C), integer input, `labelSmoothing` over 1. Or for class indices:
 * `labelSmoothing` over 1, 0-dim or integer input, all errors of {@link planNllLoss}. With `streaming`, the target holds
 * class indices and only the input's shape and dtype are used.
 */
export function planCrossEntropy(
  input: Tensor,
  target: Tensor,
  options: CrossEntropyOptions,
  streaming?: IndexStreaming,
): Plan<LossResult> {
  const warnings: string[] = [];
  const { weight, gradOutput, returnGrad = false, returnGradTarget = false } = options;
  const reduction = resolveReduction(options, warnings);
  checkGradRequest(input, returnGrad || returnGradTarget, gradOutput);
  const logits = castInput(input, options.dtype);
  const classAxis = resolveClassAxis(input, options.dim);
  const transform = resolveTransform(options);
  if (!sameShape(input.shape, target.shape)) {
    const dtype = logits.dtype as FloatDType;
    const checked = checkIndexPath(logits, classAxis, target, reduction, options);
    return new IndexPlan({ ...checked, input, dtype, classAxis, transform }, warnings, streaming);
  }
  checkProbabilityOperands(logits, classAxis, target, options);
  const smoothing = checkSmoothing(options.labelSmoothing);
  const operands = {
    input,
    dtype: logits.dtype as FloatDType,
    classAxis,
    transform,
    target: target as Tensor & { dtype: FloatDType },
    weight,
    gradOutput,
  };
  return new ProbabilityPlan({ ...operands, reduction, smoothing, returnGrad, returnGradTarget }, warnings);
}

function checkIndexPath(
  input: Tensor,
  classAxis: number,
  target: Tensor,
  reduction: Reduction,
  options: CrossEntropyOptions,
): Omit<IndexLoss, "input" | "dtype" | "classAxis" | "transform"> {
  const { weight, gradOutput, returnGrad = false, ignoreIndex = IGNORE_INDEX } = options;
  const smoothing = checkSmoothing(options.labelSmoothing);
  checkLogits(input);
  checkIndexOperands(input, classAxis, target, weight);
  const shift = resolveShift(input, classAxis, options.shift);
  if (smoothing > 0 && weight !== undefined) checkSmoothedWeight(input, target, weight, reduction);
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
    target,
    weight,
    reduction,
    ignoreIndex,
    smoothing,
    returnGrad,
    gradOutput,
  };
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

function checkProbabilityOperands(
  input: Tensor,
  classAxis: number,
  target: Tensor,
  options: CrossEntropyOptions,
): void {
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
  if (input.shape.length === 0) {
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
  const classes = input.shape[classAxis];
  const { weight } = options;
  if (weight !== undefined && !(weight.shape.length === 1 && weight.shape[0] === classes)) {
    throw new LossError(
      "shape_mismatch",
      "weight",
      `cross_entropy: weight tensor should be defined either for all ${classes} classes or no classes but got weight tensor of shape: ${show(weight.shape)}`,
    );
  }
  checkLogits(input);
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
      : `shape '${show(input.shape.map((_, axis) => (axis === 1 ? (weight.shape[0] ?? 0) : 1)))}' is invalid for input of size ${classes}`;
  throw new LossError(
    "shape_mismatch",
    "weight",
    `${message}: with label_smoothing the weight must have shape [${classes}]`,
  );
}
