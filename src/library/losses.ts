/** The losses for callers in the same process: typed arrays in, typed arrays out, nothing of the caller's is changed. */
import { planCrossEntropy } from "../loss/cross-entropy.ts";
import type { LossResult as EngineResult, LossOptions } from "../loss/index-loss.ts";
import { planLogSoftmax } from "../loss/log-softmax.ts";
import { planNllLoss } from "../loss/nll-loss.ts";
import type { Plan } from "../loss/plan.ts";
import type { DType, FloatDType } from "../tensor/dtype.ts";
import { CROSS_ENTROPY, checkOptions, checkTensor, LOG_SOFTMAX, NLL_LOSS } from "./check.ts";
import type { Workspace } from "./memory.ts";
import { compute, inWorkspace, lift, place } from "./memory.ts";
import type {
  ArrayTensor,
  CrossEntropyOptions,
  CrossEntropyResult,
  IndexDType,
  LogSoftmaxOptions,
  LogSoftmaxResult,
  LossResult,
  NllLossOptions,
} from "./types.ts";

/**
 * `torch.nn.functional.log_softmax`: every line along `dim` becomes `(x - max) - log(sum(exp(x - max)))`.
 *
 * - `input`: any shape; float64, float32, float16 or bfloat16, or with `dtype` integers, too.
 * - `output` has the input's shape, in `dtype` or the input's dtype; `gradInput` the input's shape and dtype.
 *
 * Throws a `LossError` where PyTorch raises: a gradient of integers, a `dim` outside [-rank, rank - 1], an integer
 * dtype, a `gradOutput` that does not have exactly the output's shape, or none where the output has not one element; and for a
 * shape that does not fit its data. Throws a TypeError for arguments of another kind and unknown options, a RangeError where memory does not suffice.
 */
export function logSoftmax<D extends FloatDType>(
  input: ArrayTensor<D>,
  options?: LogSoftmaxOptions & { readonly dtype?: null | undefined },
): LogSoftmaxResult<D>;
/** With `dtype`, the output has that dtype. */
export function logSoftmax<D extends DType, Output extends FloatDType>(
  input: ArrayTensor<D>,
  options: LogSoftmaxOptions & { readonly dtype: Output },
): LogSoftmaxResult<D, Output>;
/** Where it is not known before whether there is a `dtype`, the output has any. */
export function logSoftmax<D extends DType>(
  input: ArrayTensor<D>,
  options?: LogSoftmaxOptions,
): LogSoftmaxResult<D, FloatDType>;
export function logSoftmax(input: ArrayTensor, options: LogSoftmaxOptions = {}): LogSoftmaxResult {
  const operand = checkTensor("logSoftmax: input", input);
  const checked = checkOptions("logSoftmax", options, LOG_SOFTMAX);
  return inWorkspace("logSoftmax", (work) => {
    const { output, gradInput, warnings } = compute(
      work,
      planLogSoftmax(place(work, "input", operand), {
        ...checked,
        gradOutput: checked.gradOutput && place(work, "grad_output", checked.gradOutput),
      }),
    );
    return {
      output: lift(work, output) as ArrayTensor<FloatDType>,
      ...(gradInput && { gradInput: lift(work, gradInput) }),
      warnings,
    };
  });
}

/**
 * `torch.nn.functional.nll_loss`: the loss of a position is `-input[target] * weight[target]`, exactly 0 where the target is `ignoreIndex`;
 * the mean divides by the weights of the kept targets.
 *
 * - `input`: log-probabilities, (C), (N, C) or (N, C, d1..dK); float64, float32, float16 or bfloat16.
 * - `target`: class indices, (), (N) or (N, d1..dK); int64, int32 or uint8.
 * - `losses` have the target's shape and the input's dtype; `gradInput` the input's shape and dtype.
 *
 * Throws a `LossError` where PyTorch raises: an unknown reduction, a gradient of integers, shapes that do not fit, a weight that is not
 * (C) or not of the input's dtype, dtypes, a target that is no class, a `gradOutput` that does not have exactly the output's shape; for an
 * `ignoreIndex` outside int64, and for a shape that does not fit its data. Throws a TypeError for arguments of another kind and unknown options,
 * a RangeError where memory does not suffice.
 */
export function nllLoss<D extends FloatDType>(
  input: ArrayTensor<D>,
  target: ArrayTensor<IndexDType>,
  options: NllLossOptions = {},
): LossResult<D> {
  const operands = checkOperands("nllLoss", input, target);
  const checked = checkOptions("nllLoss", options, NLL_LOSS);
  return inWorkspace("nllLoss", (work) => {
    const placed = placeOperands(work, operands);
    return liftLoss(work, planNllLoss(...placed, placeOptions(work, checked)));
  }) as LossResult<D>;
}

/**
 * `torch.nn.functional.cross_entropy`: `log_softmax` over the class dimension, then `nll_loss`; or, where the target has the input's shape,
 * minus the sum of log-probabilities times probabilities.
 *
 * - `input`: logits, (C), (N, C) or (N, C, d1..dK); float64, float32, float16 or bfloat16.
 * - `target`: class indices, (), (N) or (N, d1..dK), int64, int32 or uint8; or probabilities of the input's shape and any float dtype.
 * - `losses` have the input's shape without the class dimension; beside class indices the input's dtype, beside probabilities the widest
 *   of input, target and weight. `gradInput` and `gradTarget` have the shapes and dtypes of input and target.
 *
 * Throws a `LossError` where PyTorch raises: what `nllLoss` refuses; `labelSmoothing` over 1; beside probabilities an
 * integer target and an `ignoreIndex` >= 0, beside class indices `returnGradTarget`. Throws a TypeError for arguments of another kind and
 * unknown options, a RangeError where memory does not suffice.
 */
export function crossEntropy<D extends FloatDType, T extends DType>(
  input: ArrayTensor<D>,
  target: ArrayTensor<T>,
  options: CrossEntropyOptions = {},
): CrossEntropyResult<D, T> {
  const operands = checkOperands("crossEntropy", input, target);
  const checked = checkOptions("crossEntropy", options, CROSS_ENTROPY);
  return inWorkspace("crossEntropy", (work) => {
    const placed = placeOperands(work, operands);
    return liftLoss(work, planCrossEntropy(...placed, placeOptions(work, checked)));
  }) as CrossEntropyResult<D, T>;
}

interface Operands {
  readonly input: ArrayTensor;
  readonly target: ArrayTensor;
}

function checkOperands(where: string, input: unknown, target: unknown): Operands {
  return {
    input: checkTensor(`${where}: input`, input),
    target: checkTensor(`${where}: target`, target),
  };
}

function placeOperands(work: Workspace, { input, target }: Operands) {
  return [place(work, "input", input), place(work, "target", target)] as const;
}

/** The same options with their tensors in the Arena. */
function placeOptions<Options extends { weight?: ArrayTensor; gradOutput?: ArrayTensor }>(
  work: Workspace,
  { weight, gradOutput, ...options }: Options,
): Omit<Options, "weight" | "gradOutput"> & Pick<LossOptions, "weight" | "gradOutput"> {
  return {
    ...options,
    weight: weight && place(work, "weight", weight),
    gradOutput: gradOutput && place(work, "grad_output", gradOutput),
  };
}

function liftLoss(work: Workspace, plan: Plan<EngineResult>): CrossEntropyResult {
  const { loss, losses, totalWeight, gradInput, gradTarget, warnings } = compute(work, plan);
  return {
    ...(loss && { loss: loss.value }),
    ...(losses && { losses: lift(work, losses) as ArrayTensor<FloatDType> }),
    ...(totalWeight && { totalWeight: totalWeight.value }),
    ...(gradInput && { gradInput: lift(work, gradInput) as ArrayTensor<FloatDType> }),
    ...(gradTarget && { gradTarget: lift(work, gradTarget) }),
    warnings,
  };
}
