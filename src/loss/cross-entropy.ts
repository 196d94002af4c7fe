import { runFold, totalOf } from "../kernel/fold.ts";
import { axisOf } from "../tensor/axis.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import { DTYPES, isFloat } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount, sameShape } from "../tensor/tensor.ts";
import type { IndexLoss, LossOptions, LossResult } from "./index-loss.ts";
import { foldIndexLoss, IGNORE_INDEX, IndexFold, upstreamOf } from "./index-loss.ts";
import type { Reduction } from "./reduction.ts";
import { resolveReduction } from "./reduction.ts";
import { LossRefusal, show } from "./refusal.ts";
import type { RowFold } from "./rows.ts";
import { checkIndexOperands, classAxis, requireFloat } from "./target.ts";
import { checkGradOutput, checkGradRequest, promote } from "./upstream.ts";
import type { Steps, Workspace } from "./workspace.ts";
import { allocate, cast, computeDType, roundTo } from "./workspace.ts";

export interface CrossEntropyOptions extends LossOptions {
  /** How much of the target is spread evenly over all classes, up to 1. 0, negative and NaN are off. Default 0. */
  readonly labelSmoothing?: number | undefined;
  /** Probabilities only: also return the gradient with respect to the target. */
  readonly returnGradTarget?: boolean | undefined;
}

/**
 * `torch.nn.functional.cross_entropy`: `log_softmax` over the class dimension, then `nll_loss`; or, where the target has the input's shape,
 * minus the sum of log-probabilities times probabilities. Class indices: (C) with a 0-dim target, (N, C) with (N), (N, C, d1..dK) with
 * (N, d1..dK). The mean divides by the weights of the kept targets on the index path and by the number of positions on the other.
 * The gradients lie where the input and the target lay.
 *
 * Refuses, in PyTorch's order: an unknown reduction, a gradient of integers, then on the probability path: an integer target,
 * `ignoreIndex` >= 0, a weight that is not (C), an integer input, `labelSmoothing` over 1; on the index path: `labelSmoothing` over 1, a 0-dim or integer
 * input, and all that `nllLoss` refuses.
 */
export function* crossEntropy(
  work: Workspace,
  input: Tensor,
  target: Tensor,
  options: CrossEntropyOptions,
): Steps<LossResult> {
  const warnings: string[] = [];
  const { returnGrad = false, returnGradTarget = false } = options;
  const reduction = resolveReduction(options, warnings);
  checkGradRequest(input, returnGrad || returnGradTarget, options.gradOutput);
  return sameShape(input.shape, target.shape)
    ? yield* probabilityPath(work, input, target, reduction, options, warnings)
    : yield* foldIndexLoss(work, checkIndexPath(input, target, reduction, options), warnings);
}

/**
 * As {@link crossEntropy} over class indices for an input that comes some rows at a time, of which only shape and dtype are looked at here.
 * With `weightComesLast` so does the weight, after the rows; there can be neither a gradient nor label smoothing then.
 */
export function* crossEntropyRows(
  work: Workspace,
  input: Tensor,
  target: Tensor,
  options: CrossEntropyOptions,
  weightComesLast: boolean,
): Steps<RowFold<LossResult>> {
  const warnings: string[] = [];
  const reduction = resolveReduction(options, warnings);
  checkGradRequest(input, options.returnGrad || options.returnGradTarget || false, options.gradOutput);
  const loss = checkIndexPath(input, target, reduction, options);
  return yield* IndexFold.open(work, { ...loss, weightComesLast }, warnings);
}

function checkIndexPath(
  input: Tensor,
  target: Tensor,
  reduction: Reduction,
  options: CrossEntropyOptions,
): IndexLoss {
  const { weight, gradOutput, returnGrad = false, ignoreIndex = IGNORE_INDEX } = options;
  const smoothing = checkSmoothing(options.labelSmoothing);
  checkLogits(input);
  checkIndexOperands(input, target, weight, reduction);
  if (smoothing > 0 && weight !== undefined) checkSmoothedWeight(input, weight, reduction);
  if (options.returnGradTarget) {
    throw new LossRefusal(
      "option_not_applicable",
      "return_grad_target",
      "class indices have no gradient: return_grad_target needs a target of probabilities, of the input's shape",
    );
  }
  return {
    op: "crossEntropy",
    input: input as Tensor & { dtype: FloatDType },
    target,
    weight,
    reduction,
    ignoreIndex,
    smoothing,
    returnGrad,
    gradOutput,
  };
}

function* probabilityPath(
  work: Workspace,
  input: Tensor,
  target: Tensor,
  reduction: Reduction,
  options: CrossEntropyOptions,
  warnings: string[],
): Steps<LossResult> {
  const { returnGrad = false, returnGradTarget = false, gradOutput } = options;
  checkProbabilityOperands(input, target, options);
  const smoothing = checkSmoothing(options.labelSmoothing);
  const dtype = lossDType(input.dtype as FloatDType, target.dtype as FloatDType, options.weight);
  const compute = dtype === "float64" ? dtype : computeDType(input, target);
  const weight = options.weight && (yield* cast(work, options.weight, compute));
  const axis = axisOf(input.shape, classAxis(input.shape));
  const lossShape = input.shape.toSpliced(classAxis(input.shape), 1);
  const positions = axis.outer * axis.inner;
  const wantsGrad = returnGrad || returnGradTarget;
  if (wantsGrad) checkGradOutput(gradOutput, reduction === "none" ? lossShape : []);
  const upstream = wantsGrad
    ? yield* upstreamOf(work, gradOutput, dtype, reduction, positions)
    : { scalar: 0, each: undefined };

  const losses = reduction === "none" ? allocate(work, dtype, lossShape) : undefined;
  const { loss } = yield* runFold(work, "softTarget", {
    axis,
    wide: compute === "float64",
    x: input,
    out: returnGrad ? input : undefined,
    target,
    gradTarget: returnGradTarget ? target : undefined,
    weight,
    losses,
    lossDType: dtype,
    upstream: upstream.each,
    upstreamScalar: upstream.scalar,
    smoothing,
  });
  const grads = {
    ...(returnGrad ? { gradInput: input } : {}),
    ...(returnGradTarget ? { gradTarget: target } : {}),
  };
  if (losses !== undefined) return { losses, ...grads, warnings };

  const empty = elementCount(input.shape) === 0;
  if (reduction === "mean" && empty) warnings.push("the mean over no elements is 0/0 = NaN, as in PyTorch");
  const sum = roundTo(work, compute, totalOf(loss)).value;
  const mean = empty ? Number.NaN : sum / positions;
  return { loss: roundTo(work, dtype, reduction === "mean" ? mean : sum), ...grads, warnings };
}

/** `torch.nn.functional.log_softmax`'s refusals for the class dimension of logits. */
function checkLogits(input: Tensor): void {
  if (input.shape.length === 0) {
    throw new LossRefusal(
      "dim_out_of_range",
      "input",
      "Dimension out of range (expected to be in range of [-1, 0], but got 1): input must have at least 1 dimension",
    );
  }
  if (elementCount(input.shape) === 0) return;
  requireFloat(
    "input",
    input.dtype,
    input.shape.length <= 2 ? "log_softmax_lastdim_kernel_impl" : "softmax_kernel_impl",
  );
}

function checkProbabilityOperands(input: Tensor, target: Tensor, options: CrossEntropyOptions): void {
  if (!isFloat(target.dtype)) {
    throw new LossRefusal(
      "dtype_not_supported",
      "target",
      `Expected floating point type for target with class probabilities, got ${DTYPES[target.dtype].torch}: a target of the input's shape holds probabilities`,
    );
  }
  if ((options.ignoreIndex ?? IGNORE_INDEX) >= 0n) {
    throw new LossRefusal(
      "option_not_applicable",
      "ignore_index",
      "ignore_index is not supported for floating point target",
    );
  }
  if (input.shape.length === 0) {
    throw new LossRefusal(
      "dim_out_of_range",
      "input",
      "Dimension specified as 1 but tensor has no dimensions: input must have at least 1 dimension",
    );
  }
  const classes = input.shape[classAxis(input.shape)];
  const { weight } = options;
  if (weight !== undefined && !(weight.shape.length === 1 && weight.shape[0] === classes)) {
    throw new LossRefusal(
      "shape_mismatch",
      "weight",
      `cross_entropy: weight tensor should be defined either for all ${classes} classes or no classes but got weight tensor of shape: ${show(weight.shape)}`,
    );
  }
  checkLogits(input);
}

/** The smoothing that applies: 0 unless it is over 0, as in PyTorch; over 1 is refused. */
function checkSmoothing(labelSmoothing = 0): number {
  if (labelSmoothing > 1) {
    throw new LossRefusal(
      "option_out_of_range",
      "label_smoothing",
      `label_smoothing must be between 0.0 and 1.0. Got: ${labelSmoothing}`,
    );
  }
  return Math.max(labelSmoothing, 0);
}

/** Inputs of 3 and more dimensions accept a weight of C elements in any shape, but not its smooth term. */
function checkSmoothedWeight(input: Tensor, weight: Tensor, reduction: Reduction): void {
  if (weight.shape.length === 1) return;
  const classes = input.shape[1] ?? 0;
  if (weight.shape[0] === classes && reduction !== "mean") return;
  const message =
    weight.shape[0] === classes
      ? "Index tensor must have the same number of dimensions as input tensor"
      : `shape '${show(input.shape.map((_, axis) => (axis === 1 ? (weight.shape[0] ?? 0) : 1)))}' is invalid for input of size ${classes}`;
  throw new LossRefusal(
    "shape_mismatch",
    "weight",
    `${message}: with label_smoothing the weight must have shape [${classes}]`,
  );
}

/** `torch.promote_types` over logits, probabilities and weight; an integer weight does not widen a float. */
function lossDType(input: FloatDType, target: FloatDType, weight: Tensor | undefined): FloatDType {
  const both = promote(input, target);
  return weight !== undefined && isFloat(weight.dtype) ? promote(both, weight.dtype) : both;
}
