/** The scores of which the softmax is taken: rounded to the requested dtype, and transformed by softcap and temperature. */

import { toNumber } from "../tensors/slices.ts";
import { roundBfloat16 } from "../tensors/typed-arrays.ts";
import type { Body, LossRequest } from "./request.ts";

/** Returns the requested dtype if its rounding is visible in 4 digits. */
export function coarseDtype({ dtype }: Body): string | undefined {
  return dtype === "float16" || dtype === "bfloat16" ? dtype : undefined;
}

/** Rounds a score to float32 and then to `dtype`, like the server. */
export function roundScore(body: Body, value: number): number {
  const dtype = coarseDtype(body);
  if (dtype === "float16") return Math.f16round(Math.fround(value));
  return dtype === "bfloat16" ? roundBfloat16(Math.fround(value)) : Math.fround(value);
}

/** Rounds a weight or a share of the target, if its rounding to the dtype is visible. */
export function roundOperand(body: Body, value: number): number {
  return coarseDtype(body) === undefined ? value : roundScore(body, value);
}

/** Returns true if `softcap` or `temperature` changes the scores. */
export function isTransformed({ body }: LossRequest): boolean {
  return body.softcap !== undefined || (body.temperature ?? 1) !== 1;
}

/** Returns the step with the scores of which the softmax is taken. */
export function scoresId(request: LossRequest): "input" | "transformed" {
  return isTransformed(request) ? "transformed" : "input";
}

/** Returns the score of which the softmax is taken: rounded, bounded by `softcap` and divided by `temperature`. */
export function transformScore(request: LossRequest, score: number): number {
  const { body } = request;
  const rounded = roundScore(body, score);
  if (!isTransformed(request)) return rounded;
  const { softcap, temperature = 1 } = body as { softcap?: number; temperature?: number };
  const bounded = softcap === undefined ? rounded : softcap * Math.tanh(rounded / softcap);
  const transformed = bounded / temperature;
  return body.dtype === "float64" ? transformed : roundScore(body, transformed);
}

/** Returns the derivative of softcap × tanh(score / softcap), 1 without `softcap`. */
export function softcapSlope({ body }: LossRequest, score: number): number {
  if (body.softcap === undefined) return 1;
  // 1 - tanh² would lose its digits for large scores.
  const decay = Math.exp(-2 * Math.abs(roundScore(body, score) / toNumber(body.softcap)));
  return (4 * decay) / (1 + decay) ** 2;
}
