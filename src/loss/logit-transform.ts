/** Options that transform logits before a loss. */
import type { LogitTransform } from "../kernel/logits.ts";
import { LossError } from "./loss-error.ts";

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

function checkPositive(field: "temperature" | "softcap", value = 1): void {
  if (value > 0 && Number.isFinite(value)) return;
  throw new LossError("option_out_of_range", field, `${field} must be positive and finite. Got: ${value}`);
}
