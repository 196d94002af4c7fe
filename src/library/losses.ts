/** Losses on typed arrays. The caller's arrays are never changed. */
import { planCrossEntropy } from "../loss/cross-entropy.ts";
import { planKlDiv } from "../loss/kl-div.ts";
import { planLogSoftmax } from "../loss/log-softmax.ts";
import type { LossResult as EngineResult } from "../loss/loss-result.ts";
import { planNllLoss } from "../loss/nll-loss.ts";
import type { Plan } from "../loss/plan.ts";
import type { DType, FloatDType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { CROSS_ENTROPY, checkOptions, checkTensor, KL_DIV, LOG_SOFTMAX, NLL_LOSS } from "./check.ts";
import { Workspace } from "./memory.ts";
import type {
  ArrayTensor,
  CrossEntropyOptions,
  CrossEntropyResult,
  IndexDType,
  KlDivOptions,
  KlDivResult,
  LogSoftmaxOptions,
  LogSoftmaxResult,
  LogSoftmaxSelection,
  LogSoftmaxValues,
  LossResult,
  NllLossOptions,
} from "./types.ts";

/**
 * `torch.nn.functional.log_softmax`: replaces every line along `dim` by `(x - max) - log(sum(exp(x - max)))`.
 *
 * - `input`: any shape, float64, float32, float16 or bfloat16. Integers need `dtype`.
 * - `output`: the input's shape, in `dtype` or the input's dtype.
 * - `gradInput`: the input's shape and dtype.
 *
 * - `values`: instead of `output`, the log-probabilities of the classes in `index`, or the `topK` largest with their
 *   classes in `indices`.
 * - `lse` and `entropy`: the input's shape without the dimension, in the output's dtype.
 *
 * Throws a `LossError` when PyTorch raises: gradient of integers, `dim` outside [-rank, rank - 1], integer dtype,
 * `gradOutput` with another shape than the output, missing `gradOutput` for an output of several elements, an index
 * that is no class or of another shape, `topK` outside [1, C]. Also throws one if a shape does not match its data, and
 * for an upstream gradient without its output. Throws a TypeError for wrong types and unknown options, and a RangeError
 * if memory does not suffice.
 */
export function logSoftmax<D extends FloatDType>(
  input: ArrayTensor<D>,
  options: LogSoftmaxOptions & LogSoftmaxSelection & { readonly dtype?: null | undefined },
): LogSoftmaxValues<D>;
/** Returns values in `dtype`. */
export function logSoftmax<D extends DType, Output extends FloatDType>(
  input: ArrayTensor<D>,
  options: LogSoftmaxOptions & LogSoftmaxSelection & { readonly dtype: Output },
): LogSoftmaxValues<D, Output>;
/** Returns values of any float dtype because `dtype` is not known at compile time. */
export function logSoftmax<D extends DType>(
  input: ArrayTensor<D>,
  options: LogSoftmaxOptions & LogSoftmaxSelection,
): LogSoftmaxValues<D, FloatDType>;
/** Returns the whole output without a selection. */
export function logSoftmax<D extends FloatDType>(
  input: ArrayTensor<D>,
  options?: LogSoftmaxOptions & { readonly dtype?: null | undefined },
): LogSoftmaxResult<D>;
/** Returns the output in `dtype`. */
export function logSoftmax<D extends DType, Output extends FloatDType>(
  input: ArrayTensor<D>,
  options: LogSoftmaxOptions & { readonly dtype: Output },
): LogSoftmaxResult<D, Output>;
/** Returns an output of any float dtype because `dtype` is not known at compile time. */
export function logSoftmax<D extends DType>(
  input: ArrayTensor<D>,
  options?: LogSoftmaxOptions,
): LogSoftmaxResult<D, FloatDType>;
export function logSoftmax(
  input: ArrayTensor,
  options: LogSoftmaxOptions = {},
): LogSoftmaxResult | LogSoftmaxValues {
  const operand = checkTensor("logSoftmax: input", input);
  const checked = checkOptions("logSoftmax", options, LOG_SOFTMAX);
  const { index, gradOutput, gradLse, gradEntropy } = checked;
  const work = new Workspace("logSoftmax");
  const plan = planLogSoftmax(work.place("input", operand), {
    ...checked,
    index: index && work.place("index", index),
    gradOutput: gradOutput && work.place("grad_output", gradOutput),
    gradLse: gradLse && work.place("grad_lse", gradLse),
    gradEntropy: gradEntropy && work.place("grad_entropy", gradEntropy),
  });
  const { warnings, ...tensors } = work.compute(plan);
  const copies = Object.entries(tensors).map(([name, tensor]) => [name, work.copyOut(tensor)]);
  return { ...Object.fromEntries(copies), warnings };
}

/**
 * `torch.nn.functional.nll_loss`: loss `-input[target] * weight[target]` of each position, exactly 0 if the target is
 * `ignoreIndex`. The mean divides by the sum of the weights of all targets that are not ignored.
 *
 * - `input`: log-probabilities, (C), (N, C) or (N, C, d1..dK), or any shape with `dim`, float64, float32, float16 or bfloat16.
 * - `target`: class indices, (), (N) or (N, d1..dK), int64, int32 or uint8.
 * - `losses`: the target's shape, in `dtype` or the input's dtype.
 * - `gradInput`: the input's shape and dtype.
 *
 * Throws a `LossError` when PyTorch raises: unknown reduction, gradient of integers, mismatched shapes, weight that is
 * not (C) or not of the input's dtype, unsupported dtype, target that is no class, `gradOutput` with another shape than
 * the output. Also throws one for an `ignoreIndex` outside int64 and if a shape does not match its data. Throws a
 * TypeError for wrong types and unknown options, and a RangeError if memory does not suffice.
 */
export function nllLoss<D extends FloatDType>(
  input: ArrayTensor<D>,
  target: ArrayTensor<IndexDType>,
  options?: NllLossOptions & { readonly dtype?: null | undefined },
): LossResult<D>;
/** Returns losses in `dtype`. */
export function nllLoss<D extends DType, Losses extends FloatDType>(
  input: ArrayTensor<D>,
  target: ArrayTensor<IndexDType>,
  options: NllLossOptions & { readonly dtype: Losses },
): LossResult<D, Losses>;
/** Returns losses of any float dtype because `dtype` is not known at compile time. */
export function nllLoss<D extends FloatDType>(
  input: ArrayTensor<D>,
  target: ArrayTensor<IndexDType>,
  options?: NllLossOptions,
): LossResult<D, FloatDType>;
export function nllLoss(
  input: ArrayTensor,
  target: ArrayTensor<IndexDType>,
  options: NllLossOptions = {},
): LossResult {
  const operands = checkOperands("nllLoss", input, target);
  const checked = checkOptions("nllLoss", options, NLL_LOSS);
  const work = new Workspace("nllLoss");
  const tensors = placeOperands(work, operands);
  return copyOutLoss(work, planNllLoss(...tensors, placeOptions(work, checked)));
}

/**
 * `torch.nn.functional.cross_entropy`: `log_softmax` over the class dimension, then `nll_loss`. A target of the input's
 * shape holds probabilities, so the loss is minus the sum of log-probabilities times probabilities.
 *
 * - `input`: logits, (C), (N, C) or (N, C, d1..dK), or any shape with `dim`, float64, float32, float16 or bfloat16.
 * - `target`: class indices, (), (N) or (N, d1..dK), int64, int32 or uint8. Or probabilities of the input's shape and
 *   any float dtype.
 * - `losses`: the input's shape without the class dimension. They have `dtype` or the input's dtype for class indices,
 *   and the dtype promoted from it, the target's and the weight's for probabilities.
 * - `gradInput` and `gradTarget`: the shapes and dtypes of input and target.
 *
 * Throws a `LossError` for the same reasons as `nllLoss`, and for `labelSmoothing` over 1, an integer target of the
 * input's shape, an `ignoreIndex` >= 0 with probabilities, and `returnGradTarget` with class indices. Throws a TypeError
 * for wrong types and unknown options, and a RangeError if memory does not suffice.
 */
export function crossEntropy<D extends FloatDType, T extends DType>(
  input: ArrayTensor<D>,
  target: ArrayTensor<T>,
  options?: CrossEntropyOptions & { readonly dtype?: null | undefined },
): CrossEntropyResult<D, T>;
/** Casts the input to `dtype`. */
export function crossEntropy<D extends DType, T extends DType, Losses extends FloatDType>(
  input: ArrayTensor<D>,
  target: ArrayTensor<T>,
  options: CrossEntropyOptions & { readonly dtype: Losses },
): CrossEntropyResult<D, T, Losses>;
/** Returns losses of any float dtype because `dtype` is not known at compile time. */
export function crossEntropy<D extends FloatDType, T extends DType>(
  input: ArrayTensor<D>,
  target: ArrayTensor<T>,
  options?: CrossEntropyOptions,
): CrossEntropyResult<D, T, FloatDType>;
export function crossEntropy(
  input: ArrayTensor,
  target: ArrayTensor,
  options: CrossEntropyOptions = {},
): CrossEntropyResult {
  const operands = checkOperands("crossEntropy", input, target);
  const checked = checkOptions("crossEntropy", options, CROSS_ENTROPY);
  const work = new Workspace("crossEntropy");
  const tensors = placeOperands(work, operands);
  return copyOutLoss(work, planCrossEntropy(...tensors, placeOptions(work, checked)));
}

/**
 * `torch.nn.functional.kl_div`: loss `target * (log(target) - input)` of each element, 0 for a target of 0, or
 * `exp(target) * (target - input)` with `logTarget`. With `fromLogits`, both operands are divided by `temperature` and go
 * through `logSoftmax` over `dim` first, and so do the gradients.
 *
 * - `input`: log-probabilities of any shape, float64, float32, float16 or bfloat16. With `fromLogits`, logits.
 * - `target`: probabilities of the input's shape and any float dtype. With `logTarget`, log-probabilities; with
 *   `fromLogits`, logits.
 * - `losses`: the input's shape and the promoted dtype of both.
 * - `gradInput` and `gradTarget`: the shapes and dtypes of input and target.
 *
 * Throws a `LossError` when PyTorch raises: unknown reduction, integer dtype, `gradOutput` with another shape than the
 * output. Also throws one for different shapes, which PyTorch broadcasts, for `dim` or `temperature` without `fromLogits`,
 * `logTarget` with it, `temperature` that is not positive and finite, `dim` outside [-rank, rank - 1], and if a shape does
 * not match its data. Throws a TypeError for wrong types and unknown options, and a RangeError if memory does not
 * suffice.
 */
export function klDiv<D extends FloatDType, T extends FloatDType>(
  input: ArrayTensor<D>,
  target: ArrayTensor<T>,
  options: KlDivOptions = {},
): KlDivResult<D, T> {
  const operands = checkOperands("klDiv", input, target);
  const checked = checkOptions("klDiv", options, KL_DIV);
  const work = new Workspace("klDiv");
  const tensors = placeOperands(work, operands);
  return copyOutLoss(work, planKlDiv(...tensors, placeOptions(work, checked))) as unknown as KlDivResult<
    D,
    T
  >;
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
  return [work.place("input", input), work.place("target", target)] as const;
}

/** Options that are tensors, with their names in errors. */
const TENSORS = {
  weight: "weight",
  sampleWeight: "sample_weight",
  targetWeight: "target_weight",
  gradOutput: "grad_output",
} as const;

type TensorOption = keyof typeof TENSORS;

/** Gives the tensors of the options their addresses. */
function placeOptions<Options extends { readonly [Name in TensorOption]?: ArrayTensor }>(
  work: Workspace,
  options: Options,
): Omit<Options, TensorOption> & { readonly [Name in TensorOption]?: Tensor } {
  const copies: Partial<Record<TensorOption, Tensor>> = {};
  for (const name of Object.keys(TENSORS) as TensorOption[]) {
    const tensor = options[name];
    if (tensor !== undefined) copies[name] = work.place(TENSORS[name], tensor);
  }
  return { ...options, ...copies };
}

function copyOutLoss(work: Workspace, plan: Plan<EngineResult>): CrossEntropyResult {
  const { loss, losses, totalWeight, gradInput, gradTarget, warnings, ...more } = work.compute(plan);
  const { zLoss, zLosses, predictions, correct, gradTargetWeight } = more;
  return {
    ...(loss && { loss: loss.value }),
    ...(losses && { losses: work.copyOut(losses) as ArrayTensor<FloatDType> }),
    ...(totalWeight && { totalWeight: totalWeight.value }),
    ...(gradInput && { gradInput: work.copyOut(gradInput) as ArrayTensor<FloatDType> }),
    ...(gradTarget && { gradTarget: work.copyOut(gradTarget) }),
    ...(zLoss && { zLoss: zLoss.value }),
    ...(zLosses && { zLosses: work.copyOut(zLosses) as ArrayTensor<FloatDType> }),
    ...(predictions && { predictions: work.copyOut(predictions) as ArrayTensor<"int64"> }),
    ...(correct && { correct: work.copyOut(correct) as ArrayTensor<"uint8"> }),
    ...(gradTargetWeight && {
      gradTargetWeight: work.copyOut(gradTargetWeight) as ArrayTensor<FloatDType>,
    }),
    warnings,
  };
}
