/** Checks of `kl_div`, PyTorch's in its order and words, and those of `from_logits`. */
import type { FloatDType } from "../tensor/dtype.ts";
import { isFloat } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { sameShape } from "../tensor/tensor.ts";
import type { GradOptions } from "./grad-output.ts";
import { checkGradRequest } from "./grad-output.ts";
import { resolveDim } from "./log-softmax.ts";
import { checkPositive } from "./logit-transform.ts";
import { formatShape, LossError } from "./loss-error.ts";
import type { Reduction, ReductionOptions } from "./reduction.ts";
import { resolveReduction } from "./reduction.ts";

/** Options of `kl_div`, with this service's `fromLogits`, `dim` and `temperature`. */
export interface KlDivOptions extends ReductionOptions, GradOptions {
  /** Whether the target holds log-probabilities. Default false. */
  readonly logTarget?: boolean | undefined;
  /** Also returns the gradient with respect to the target. */
  readonly returnGradTarget?: boolean | undefined;
  /** Applies `log_softmax` to input and target first. Default false. */
  readonly fromLogits?: boolean | undefined;
  /** Dimension of that `log_softmax`, from -rank to rank - 1. Default -1. */
  readonly dim?: number | null | undefined;
  /** Divides both logits before that `log_softmax`, must be positive. Default 1. */
  readonly temperature?: number | null | undefined;
}

/** Checked operands of the same shape. */
export interface KlDivLoss {
  readonly input: Tensor & { dtype: FloatDType };
  readonly target: Tensor & { dtype: FloatDType };
  readonly gradOutput: Tensor | undefined;
  readonly reduction: Reduction;
  /** Divisor after the reduction, which is not 1 only for "batchmean". */
  readonly batchSize: number;
  readonly logTarget: boolean;
  /** How both operands become log-probabilities. Undefined if they are no logits. */
  readonly logits: Logits | undefined;
  readonly returnGrad: boolean;
  readonly returnGradTarget: boolean;
}

/** Dimension from 0 on, and the divisor of the logits. */
export interface Logits {
  readonly dim: number;
  readonly temperature: number;
}

/** Checks the operands and options of `kl_div`, and adds PyTorch's warnings. */
export function checkKlDiv(
  input: Tensor,
  target: Tensor,
  options: KlDivOptions,
  warnings: string[],
): KlDivLoss {
  const { gradOutput, returnGrad = false, returnGradTarget = false, logTarget = false } = options;
  const reduced = resolveBatchMean(options, input.shape, warnings);
  checkEffects(options);
  checkGradRequest(input, options, returnGradTarget);
  requireFloats(input, target);
  if (!sameShape(input.shape, target.shape)) {
    const expected = `target must have the input's shape ${formatShape(input.shape)}, got ${formatShape(target.shape)}`;
    const hint = areBroadcastable(input.shape, target.shape)
      ? ": PyTorch broadcasts the two, which is rejected here because it is most often a mistake"
      : "";
    throw new LossError("shape_mismatch", "target", `${expected}${hint}`);
  }
  const logits = options.fromLogits ? checkLogits(options, input.shape.length, warnings) : undefined;
  return {
    ...reduced,
    input: input as Tensor & { dtype: FloatDType },
    target: target as Tensor & { dtype: FloatDType },
    gradOutput,
    logTarget,
    logits,
    returnGrad,
    returnGradTarget,
  };
}

/** Whether the sizes are equal or 1, compared from the last dimension on. */
function areBroadcastable(a: readonly number[], b: readonly number[]): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  const last = long.slice(long.length - short.length);
  return short.every((size, axis) => size === last[axis] || size === 1 || last[axis] === 1);
}

/**
 * Resolves the reduction as PyTorch does: "batchmean" sums, then divides by the input's first size, also if `sizeAverage`
 * or `reduce` override the sum. A 0-dim input is not divided.
 */
function resolveBatchMean(
  options: KlDivOptions,
  shape: readonly number[],
  warnings: string[],
): Pick<KlDivLoss, "reduction" | "batchSize"> {
  const { reduction = "mean", sizeAverage = null, reduce = null } = options;
  const isLegacy = sizeAverage !== null || reduce !== null;
  if (reduction === "mean" && !isLegacy) {
    warnings.push(
      "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only by the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as 'batchmean' in the next major release.",
    );
  }
  const isBatchMean = reduction === "batchmean";
  const known = isBatchMean && !isLegacy ? { reduction: "sum" } : options;
  return {
    reduction: resolveReduction(known, warnings, "none, mean, sum or batchmean"),
    batchSize: isBatchMean ? (shape[0] ?? 1) : 1,
  };
}

/** Rejects options that `fromLogits` makes useless, and those that need it. */
function checkEffects({ fromLogits = false, logTarget = false, dim, temperature }: KlDivOptions): void {
  if (fromLogits && logTarget) {
    throw withoutEffect("log_target", "log_target has no effect with from_logits: the target holds logits");
  }
  if (fromLogits) return;
  for (const [name, value] of Object.entries({ dim, temperature }) as ["dim" | "temperature", unknown][]) {
    if (value !== null && value !== undefined) {
      throw withoutEffect(name, `${name} has no effect without from_logits`);
    }
  }
}

function withoutEffect(field: "log_target" | "dim" | "temperature", message: string): LossError {
  return new LossError("option_without_effect", field, message);
}

function requireFloats(input: Tensor, target: Tensor): void {
  for (const [field, { dtype }] of Object.entries({ input, target }) as ["input" | "target", Tensor][]) {
    if (isFloat(dtype)) continue;
    throw new LossError(
      "dtype_not_supported",
      field,
      `kl_div: Integral inputs not supported. ${field} must be float64, float32, float16 or bfloat16, got ${dtype}`,
    );
  }
}

function checkLogits(options: KlDivOptions, rank: number, warnings: string[]): Logits {
  const temperature = options.temperature ?? 1;
  checkPositive("temperature", temperature);
  return { dim: resolveDim(rank, options.dim ?? -1, warnings), temperature };
}
