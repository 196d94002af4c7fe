/** `torch.nn.functional.nll_loss`: checks in PyTorch's order, then the plan. */
import type { FloatDType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkGradRequest } from "./grad-output.ts";
import { checkIndexOperands, resolveClassAxis } from "./index-checks.ts";
import type { IndexLoss, IndexStreaming, LossOptions } from "./index-loss.ts";
import { IGNORE_INDEX, IndexPlan } from "./index-loss.ts";
import type { LossResult } from "./loss-result.ts";
import { castInput } from "./numbers.ts";
import type { Plan } from "./plan.ts";
import { checkTerms } from "./position-terms.ts";
import { resolveReduction } from "./reduction.ts";
import { resolveShift } from "./shift.ts";

/**
 * `torch.nn.functional.nll_loss`: loss `-input[target] * weight[target]` of each position, exactly 0 if the target is
 * `ignoreIndex`. The mean divides by the sum of the weights of all targets that are not ignored. Shapes are (C)
 * with a 0-dim target, (N, C) with (N), (N, C, d1..dK) with (N, d1..dK), or with `dim` any shape and the same without the
 * class dimension. The input need not hold log-probabilities. The gradient overwrites the input.
 *
 * Rejects in PyTorch's order: unknown reduction, gradient of integers, `dtype`, `dim`, mismatched shapes, weight that is not (C),
 * unsupported dtype. The run rejects a target that is no class, then `gradOutput` with another shape than the output.
 * With `streaming`, only the input's shape and dtype are used.
 */
export function planNllLoss(
  input: Tensor,
  target: Tensor,
  options: LossOptions,
  streaming?: IndexStreaming,
): Plan<LossResult> {
  const warnings: string[] = [];
  return new IndexPlan(checkNllLoss(input, target, options, warnings), warnings, streaming);
}

function checkNllLoss(input: Tensor, target: Tensor, options: LossOptions, warnings: string[]): IndexLoss {
  const { weight, gradOutput, returnGrad = false, ignoreIndex = IGNORE_INDEX } = options;
  const reduction = resolveReduction(options, warnings);
  checkGradRequest(input, options);
  const logits = castInput(input, options.dtype);
  const classAxis = resolveClassAxis(input, options.dim);
  checkIndexOperands(logits, classAxis, target, weight);
  return {
    op: "nll",
    input,
    dtype: logits.dtype as FloatDType,
    classAxis,
    transform: undefined,
    sparse: undefined,
    terms: checkTerms({ sampleWeight: options.sampleWeight }, target.shape, 1, true),
    shift: resolveShift(input, classAxis, options.shift),
    target,
    weight,
    reduction,
    ignoreIndex,
    smoothing: 0,
    returnGrad,
    gradOutput,
  };
}
