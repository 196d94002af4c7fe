/** `torch.nn.functional.cross_entropy`: the options and the plan. */
import type { FloatDType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { sameShape } from "../tensor/tensor.ts";
import { checkIndexTarget, checkProbabilityTarget, checkSparseTarget } from "./cross-entropy-checks.ts";
import { checkGradRequest } from "./grad-output.ts";
import { resolveClassAxis } from "./index-checks.ts";
import type { IndexStreaming, LossOptions } from "./index-loss.ts";
import { IndexPlan } from "./index-loss.ts";
import type { TransformOptions } from "./logit-transform.ts";
import { resolveTransform } from "./logit-transform.ts";
import { LossError } from "./loss-error.ts";
import type { LossResult } from "./loss-result.ts";
import { castInput } from "./numbers.ts";
import type { Plan } from "./plan.ts";
import type { TermOptions } from "./position-terms.ts";
import { ProbabilityPlan } from "./probability-loss.ts";
import { resolveReduction } from "./reduction.ts";

export interface CrossEntropyOptions extends LossOptions, TransformOptions, TermOptions {
  /** Share of the target that is spread evenly over all classes, up to 1. 0, negative values and NaN disable it. Default 0. */
  readonly labelSmoothing?: number | undefined;
  /** Also returns the gradient with respect to a probability target. */
  readonly returnGradTarget?: boolean | undefined;
  /**
   * Weights of a sparse target, which has several classes for each position: class indices in the input's shape with
   * any size for the class dimension. The loss is that of probabilities with these entries, equal classes added up.
   * Any float dtype.
   */
  readonly targetWeight?: Tensor | undefined;
  /** Also returns the gradient with respect to `targetWeight`. */
  readonly returnGradTargetWeight?: boolean | undefined;
}

/**
 * `torch.nn.functional.cross_entropy`: `log_softmax` over the class dimension, then `nll_loss`. A target of the input's
 * shape holds probabilities, so the loss is minus the sum of log-probabilities times probabilities. Class indices have
 * the shapes of {@link planNllLoss}. The mean divides by the sum of the weights of all targets that are not ignored, or
 * by the number of positions for probabilities. The gradients overwrite input and target.
 *
 * With `targetWeight`, the target is sparse: class indices in the input's shape with any size for the class dimension,
 * each with a weight. The mean divides by the number of positions with a class that is not ignored.
 *
 * Rejects in PyTorch's order: unknown reduction, gradient of integers, `dtype`, `dim`, `temperature`, `softcap`. Then for
 * probabilities: integer target, `ignoreIndex` >= 0, `shift`, weight that is not (C), integer input, `labelSmoothing` over
 * 1. Or for class indices: `labelSmoothing` over 1, 0-dim or integer input, all errors of {@link planNllLoss}. With
 * `streaming`, the target holds class indices and only the input's shape and dtype are used.
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
  const returnGradTargetWeight = options.returnGradTargetWeight ?? false;
  checkGradRequest(input, options, returnGradTarget || returnGradTargetWeight);
  const logits = castInput(input, options.dtype);
  const classAxis = resolveClassAxis(input, options.dim);
  const transform = resolveTransform(options);
  const dtype = logits.dtype as FloatDType;
  const operands = { input, dtype, classAxis, transform, target, weight, reduction, returnGrad, gradOutput };
  if (options.targetWeight !== undefined) {
    const checked = checkSparseTarget(logits, classAxis, target, options);
    return new IndexPlan({ ...operands, ...checked }, warnings, streaming);
  }
  if (returnGradTargetWeight) {
    throw new LossError(
      "option_without_effect",
      "return_grad_target_weight",
      "return_grad_target_weight has no effect without target_weight",
    );
  }
  if (!sameShape(input.shape, target.shape)) {
    const checked = checkIndexTarget(logits, classAxis, target, reduction, options);
    return new IndexPlan({ ...operands, ...checked }, warnings, streaming);
  }
  const checked = checkProbabilityTarget(logits, classAxis, target, options);
  return new ProbabilityPlan({ ...operands, ...checked, returnGradTarget }, warnings);
}
