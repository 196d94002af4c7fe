/** Training steps: each subtracts the learning rate times the gradient from the scores, in float32 as PyTorch does. */

import type { Indices, Nested } from "../tensors/slices.ts";
import { numberAt, toNumber } from "../tensors/slices.ts";
import { float32Text, Refusal } from "../tensors/typed-arrays.ts";
import { compute } from "./compute.ts";
import type { Body, LossRequest } from "./request.ts";
import { reductionOf } from "./request.ts";

/** The loss of a request with the gradient of its scores. */
export interface Slope {
  readonly loss: number;
  readonly gradient: Nested;
}

/** Returns the loss and its gradient. Throws a {@link Refusal} if the request has no single loss. */
export function slopeOf({ operation, body }: LossRequest): Slope {
  if (operation === "log_softmax")
    throw new Refusal("no_loss", "operation", [], "log_softmax has no loss: choose cross_entropy to train.");
  if (reductionOf(body) === "none")
    throw new Refusal(
      "no_loss",
      "reduction",
      [],
      "Training needs one loss: choose the reduction mean or sum.",
    );
  const response = compute(operation, { ...plainBody(body), return_grad: true });
  return { loss: toNumber(response.loss), gradient: response.grad_input as Nested };
}

/** Returns the body without other results and gradients to go back from. */
function plainBody(body: Body): Body {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !/^(?:return|grad)_/.test(name)));
}

/**
 * Returns the scores after a step, as decimals of their float32.
 *
 * @throws {Refusal} if a number of the gradient is not finite
 */
export function trainedScores(request: LossRequest, rate: number): Nested {
  const { gradient } = slopeOf(request);
  return updateElements(request.input, gradient, (score, slope) => {
    if (!Number.isFinite(slope)) {
      const message = "A gradient here is not a finite number, so a step would spoil the scores.";
      throw new Refusal("no_gradient", "input", [], message);
    }
    return float32Text(Math.fround(Math.fround(score) - rate * Math.fround(slope)));
  });
}

function updateElements(
  value: Nested,
  other: Nested,
  update: (one: number, other: number) => number | string,
): Nested {
  return Array.isArray(value)
    ? value.map((inner: Nested, index) => updateElements(inner, (other as readonly Nested[])[index]!, update))
    : update(toNumber(value), toNumber(other));
}

/** A point of the loss over a score. */
export interface CurvePoint {
  readonly x: number;
  readonly y: number;
}

export interface ScoreCurve {
  readonly points: readonly CurvePoint[];
  /** The score and its loss now. Not finite for a masked score. */
  readonly mark: CurvePoint;
  /** The gradient of the score, which is the slope of the curve at the mark. */
  readonly slope: number;
}

/** Intervals of the curve. */
const CURVE_INTERVALS = 80;
/** The curve ends at a multiple of this number, and at one that is beyond the score. */
const CURVE_REACH = 5;
/** Scores beyond are infinite, because the input is rounded to float32. */
const MAX_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;
/** Limits the work of a curve, which computes the loss for each point. */
const MAX_CURVE_ELEMENTS = 4096;

/**
 * Returns the loss over one score, with all other scores as they are.
 *
 * @throws {Refusal} without a loss, without a score, and for a large table or score
 */
export function scoreCurve(request: LossRequest, at: Indices): ScoreCurve {
  const { loss, gradient } = slopeOf(request);
  const count = countElements(request.input);
  if (count === 0) throw new Refusal("no_score", "input", [], "There is no score to change.");
  if (count > MAX_CURVE_ELEMENTS)
    throw new Refusal("too_large", "input", [], "This curve is for small tables.");
  const body = plainBody(request.body);
  const score = numberAt(request.input, at);
  const reach = CURVE_REACH * Math.ceil(((Number.isFinite(score) ? Math.abs(score) : 0) + 1) / CURVE_REACH);
  if (reach > MAX_FLOAT32)
    throw new Refusal("too_large", "input", [], "This score is too large for a curve.");
  const lossAt = (x: number): number =>
    toNumber(compute(request.operation, { ...body, input: replaceElement(request.input, at, x) }).loss);
  const points = Array.from({ length: CURVE_INTERVALS + 1 }, (_, k) => {
    const x = reach * ((2 * k) / CURVE_INTERVALS - 1);
    return { x, y: lossAt(x) };
  });
  return { points, mark: { x: score, y: loss }, slope: numberAt(gradient, at) };
}

function countElements(value: Nested): number {
  return Array.isArray(value)
    ? value.reduce((sum: number, inner: Nested) => sum + countElements(inner), 0)
    : 1;
}

/** Returns a tensor with one element replaced. */
export function replaceElement(value: Nested, at: Indices, element: Nested): Nested {
  const [index, ...rest] = at;
  if (index === undefined) return element;
  const list = value as readonly Nested[];
  return list.with(index, replaceElement(list[index]!, rest, element));
}
