/** Casts and transforms of logits before a loss, in a buffer so that the logits stay for the gradient. */
import { convertStep } from "../kernel/convert.ts";
import type { LossKernel } from "../kernel/kernel.ts";
import type { LogitTransform } from "../kernel/logits.ts";
import { transformStep } from "../kernel/logits.ts";
import type { Step } from "../kernel/step.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { LossError } from "./loss-error.ts";
import type { Layout, Slot } from "./plan.ts";

/** Transform of the logits to `softcap * tanh(x / softcap) / temperature`. */
export interface TransformOptions {
  /** Divides the logits, after `softcap`. Positive and finite. Default 1. */
  readonly temperature?: number | undefined;
  /** Bounds the logits to (-softcap, softcap), as Gemma 2 does. Positive and finite. Default none. */
  readonly softcap?: number | undefined;
}

/** Returns the transform, undefined if there is none. Rejects numbers that are not positive and finite. */
export function resolveTransform({ temperature, softcap }: TransformOptions): LogitTransform | undefined {
  checkPositive("temperature", temperature);
  checkPositive("softcap", softcap);
  const divides = temperature !== undefined && temperature !== 1;
  return divides || softcap !== undefined ? { temperature, softcap } : undefined;
}

/** Plans a buffer for logits of this shape. Undefined if they are neither cast nor transformed. */
export function planBuffer(
  layout: Layout,
  { dtype: from, shape }: Pick<Tensor, "dtype" | "shape">,
  dtype: FloatDType,
  transform: LogitTransform | undefined,
): Slot<FloatDType> | undefined {
  return from === dtype && transform === undefined ? undefined : layout.add(dtype, shape);
}

/** Casts the first `count` logits of `from` into the buffer `to`, and transforms them there. */
export function fillSteps(
  kernel: LossKernel,
  from: Tensor,
  to: Tensor,
  count: number,
  transform: LogitTransform | undefined,
): Step[] {
  const cast = convertStep(kernel, from, to, count);
  return transform === undefined ? [cast] : [cast, transformStep(kernel, to, transform)];
}

function checkPositive(field: "temperature" | "softcap", value = 1): void {
  if (value > 0 && Number.isFinite(value)) return;
  throw new LossError("option_out_of_range", field, `${field} must be positive and finite. Got: ${value}`);
}
