import type { FloatDType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { IndexLoss, LossOptions, LossResult } from "./index-loss.ts";
import { foldIndexLoss, IGNORE_INDEX, IndexFold } from "./index-loss.ts";
import { resolveReduction } from "./reduction.ts";
import type { RowFold } from "./rows.ts";
import { checkIndexOperands } from "./target.ts";
import { checkGradRequest } from "./upstream.ts";
import type { Steps, Workspace } from "./workspace.ts";

/**
 * `torch.nn.functional.nll_loss`: the loss of a position is `-input[target] * weight[target]`, exactly 0 where the target
 * is `ignoreIndex`; the mean divides by the weights of the kept targets. Shapes: (C) with a 0-dim target, (N, C) with (N), (N, C, d1..dK)
 * with (N, d1..dK). The input need not hold log-probabilities. The gradient lies where the input lay.
 *
 * Refuses, in PyTorch's order: an unknown reduction, a gradient of integers, shapes that do not fit, a weight that is not (C),
 * dtypes, a target that is no class, a `gradOutput` that does not have exactly the output's shape.
 */
export function* nllLoss(
  work: Workspace,
  input: Tensor,
  target: Tensor,
  options: LossOptions,
): Steps<LossResult> {
  const warnings: string[] = [];
  return yield* foldIndexLoss(work, checkNllLoss(input, target, options, warnings), warnings);
}

/**
 * As {@link nllLoss} for an input that comes some rows at a time, of which only shape and dtype are looked at here. With `weightComesLast`
 * so does the weight, after the rows; there can be no gradient then.
 */
export function* nllLossRows(
  work: Workspace,
  input: Tensor,
  target: Tensor,
  options: LossOptions,
  weightComesLast: boolean,
): Steps<RowFold<LossResult>> {
  const warnings: string[] = [];
  const loss = checkNllLoss(input, target, options, warnings);
  return yield* IndexFold.open(work, { ...loss, weightComesLast }, warnings);
}

function checkNllLoss(input: Tensor, target: Tensor, options: LossOptions, warnings: string[]): IndexLoss {
  const { weight, gradOutput, returnGrad = false, ignoreIndex = IGNORE_INDEX } = options;
  const reduction = resolveReduction(options, warnings);
  checkGradRequest(input, returnGrad, gradOutput);
  checkIndexOperands(input, target, weight);
  return {
    op: "nll",
    input: input as Tensor & { dtype: FloatDType },
    target,
    weight,
    reduction,
    ignoreIndex,
    smoothing: 0,
    returnGrad,
    gradOutput,
  };
}
