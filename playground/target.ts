/** What the target says of a position: a class, or a share for each class. */

import type { Picture } from "./picture.ts";
import type { Indices, Nested } from "./slices.ts";
import { lineAt, numberAt, shapeOf, toNumber } from "./slices.ts";

/** What a question, its dimension and its log-probabilities tell of the target. */
export type Targeted = Pick<Picture, "question" | "log" | "dim">;

/** Whether the target holds probabilities: it has the input's shape. */
export function hasProbabilities({ question: { target }, log }: Targeted): boolean {
  return target !== undefined && shapeOf(target).length === shapeOf(log).length;
}

/** The class index of a position, a place without the class dimension; undefined where it is ignored. */
export function classAt({ question: { target, body } }: Targeted, position: Indices): number | undefined {
  const index = numberAt(target!, position);
  return index === (body.ignore_index ?? -100) ? undefined : index;
}

/** Whether a cell of a table with a class dimension is its position's target, or has a share of it. */
export function isTarget(targeted: Targeted, at: Indices): boolean {
  const { question, dim } = targeted;
  if (question.target === undefined) return false;
  if (hasProbabilities(targeted)) return numberAt(question.target, at) > 0;
  return classAt(targeted, at.toSpliced(dim, 1)) === (at[dim] ?? 0);
}

/** `label_smoothing`; negative is off. */
export function smoothingOf({ question: { body } }: Targeted): number {
  return Math.max(toNumber(body.label_smoothing ?? 0), 0);
}

/** The weight of each class; 1 where there are no weights. */
export function weightsOf({ question: { body }, log, dim }: Targeted): number[] {
  const length = shapeOf(log)[dim] ?? 1;
  const { weight } = body as { weight?: Nested };
  return Array.from({ length }, (_, c) => (weight === undefined ? 1 : numberAt(weight, [c])));
}

/** A position's target as a share of each class: all of it at the index, less what smoothing spreads over all classes. */
export function sharesAt(targeted: Targeted, position: Indices): number[] {
  const { question, log, dim } = targeted;
  const place = position.toSpliced(dim, 0, 0);
  const count = lineAt(log, place, dim).length;
  const smoothing = smoothingOf(targeted);
  const whole = hasProbabilities(targeted)
    ? lineAt(question.target!, place, dim)
    : Array.from({ length: count }, (_, c) => Number(c === classAt(targeted, position)));
  return whole.map((share) => (smoothing === 0 ? share : share * (1 - smoothing) + smoothing / count));
}
