/** A request of the form, and its options as PyTorch resolves them. */

import type { Indices, Nested } from "../tensors/slices.ts";
import { lineAt, numberAt, shapeOf, toNumber } from "../tensors/slices.ts";
import { roundOperand } from "./scores.ts";

export const OPERATIONS = ["cross_entropy", "nll_loss", "log_softmax", "kl_div"] as const;
export type Operation = (typeof OPERATIONS)[number];
export type Reduction = "none" | "mean" | "sum" | "batchmean";
/** The JSON object of a request or response. */
export type Body = Readonly<Record<string, unknown>>;

export interface LossRequest {
  readonly operation: Operation;
  /** The body exactly as it is shown, copied and sent. */
  readonly body: Body;
  readonly input: Nested;
  readonly target: Nested | undefined;
  /** Names of the first classes, shown as headings. Further classes are numbered. */
  readonly classNames: readonly string[];
  /** Also computes the loss of one-hot rows in the two other equivalent ways. */
  readonly threeWays: boolean;
}

/** Returns the class names of a text with commas. A class without one keeps its place, by its number. */
export function classNamesOf(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  const count = names.findLastIndex((name) => name !== "") + 1;
  return names.slice(0, count).map((name, c) => name || `class ${c}`);
}

const IGNORE_INDEX = -100;

/** Returns the class dimension: the requested `dim`, or the default, also for a `dim` that the server rejects. */
export function dimOf({ operation, body, input }: LossRequest): number {
  // A scalar has the dim 0, too.
  const rank = Math.max(shapeOf(input).length, 1);
  const { dim } = body;
  if (typeof dim === "number" && dim >= -rank && dim < rank) return dim < 0 ? dim + rank : dim;
  if (operation === "kl_div") return rank - 1;
  return rank === 1 || (operation === "log_softmax" && rank === 3) ? 0 : 1;
}

/** Returns the word before the index of a position: its row or its column in the table of the scores. */
export function positionHead(request: LossRequest): "row" | "column" {
  return dimOf(request) === 0 && shapeOf(request.input).length === 2 ? "column" : "row";
}

/** Returns the word for a position in sentences. */
export function positionWord(request: LossRequest): string {
  const rank = shapeOf(request.input).length;
  return rank > 2 && dimOf(request) !== rank - 1 ? "position" : positionHead(request);
}

/** Returns the reduction. The deprecated `size_average` and `reduce` override `reduction`, as in PyTorch. */
export function reductionOf({ reduction = "mean", size_average = null, reduce = null }: Body): Reduction {
  if (size_average === null && reduce === null)
    return reduction === "none" || reduction === "sum" || reduction === "batchmean" ? reduction : "mean";
  if (reduce === false) return "none";
  return size_average === false ? "sum" : "mean";
}

/** Returns true if the target has several classes for each position, with weights in `target_weight`. */
export function isSparse({ body }: LossRequest): boolean {
  return body.target_weight !== undefined;
}

/** Returns true if the target holds class probabilities, which have the input's shape. */
export function hasProbabilities(request: LossRequest): boolean {
  const { input, target } = request;
  return target !== undefined && !isSparse(request) && shapeOf(target).length === shapeOf(input).length;
}

/**
 * Returns the position in the target that belongs to a position of the input, whose indices omit the class dimension.
 * Returns undefined if `shift` leaves the position without a target.
 */
export function targetPosition({ input, body }: LossRequest, position: Indices): Indices | undefined {
  const shift = toNumber(body.shift ?? 0);
  if (shift === 0) return position;
  const shifted = position.at(-1)! + shift;
  return shifted < shapeOf(input).at(-2)! ? position.with(-1, shifted) : undefined;
}

/** Returns the class index at a position. Returns undefined for `ignore_index`, and without a target. */
export function classAt(request: LossRequest, position: Indices): number | undefined {
  const at = targetPosition(request, position);
  return at === undefined ? undefined : keptClass(request, numberAt(request.target!, at));
}

/** Returns a class index of the target, undefined for `ignore_index`. */
export function keptClass({ body }: LossRequest, index: number): number | undefined {
  return index === toNumber(body.ignore_index ?? IGNORE_INDEX) ? undefined : index;
}

/** Share of a class in the target of a position. */
export interface Share {
  readonly share: number;
  readonly c: number;
}

/** Returns the kept classes of a sparse target at a position with their weights. A class may occur twice. */
function sparseShares(request: LossRequest, position: Indices): Share[] {
  const dim = dimOf(request);
  const at = position.toSpliced(dim, 0, 0);
  const weights = lineAt(request.body.target_weight as Nested, at, dim);
  return lineAt(request.target!, at, dim).flatMap((index, k) =>
    keptClass(request, index) === undefined
      ? []
      : [{ share: roundOperand(request.body, weights[k]!), c: index }],
  );
}

/** Returns true if a position has a loss: its target is neither ignored nor left out by `shift`. */
export function isKept(request: LossRequest, position: Indices): boolean {
  if (hasProbabilities(request)) return true;
  if (isSparse(request)) return sparseShares(request, position).length > 0;
  return classAt(request, position) !== undefined;
}

/** Returns true if a cell's class is the target of its position or has a positive probability. */
export function isTarget(request: LossRequest, at: Indices): boolean {
  if (request.target === undefined) return false;
  if (hasProbabilities(request)) return numberAt(request.target, at) > 0;
  const dim = dimOf(request);
  const position = at.toSpliced(dim, 1);
  const c = at[dim] ?? 0;
  if (isSparse(request)) return sparseShares(request, position).some((one) => one.c === c && one.share > 0);
  return classAt(request, position) === c;
}

/** Returns `label_smoothing`. Like PyTorch, treats a negative value as 0. */
export function smoothingOf({ body }: LossRequest): number {
  return Math.max(toNumber(body.label_smoothing ?? 0), 0);
}

/** Returns the weight of each class, 1 by default. */
export function weightsOf(request: LossRequest): number[] {
  const { weight } = request.body as { weight?: Nested };
  const classes = shapeOf(request.input)[dimOf(request)] ?? 1;
  return Array.from({ length: classes }, (_, c) =>
    weight === undefined ? 1 : roundOperand(request.body, numberAt(weight, [c])),
  );
}

/** Returns the `sample_weight` of a position with a target, 1 by default. */
export function sampleWeightAt(request: LossRequest, position: Indices): number {
  const { sample_weight: weight } = request.body as { sample_weight?: Nested };
  return weight === undefined
    ? 1
    : roundOperand(request.body, numberAt(weight, targetPosition(request, position)!));
}

/** Returns the scale of the z-loss, 0 without one. */
export function lseSquareScaleOf({ body }: LossRequest): number {
  return toNumber(body.lse_square_scale ?? 0);
}

/**
 * Returns the shares of the target at a kept position whose sum of share × weight × log-probability is minus the loss.
 * The smoothed index and the spread over all classes stay apart because PyTorch adds them separately.
 */
export function targetShares(request: LossRequest, position: Indices): Share[] {
  if (isSparse(request)) return sparseShares(request, position);
  const { input, target, body } = request;
  const dim = dimOf(request);
  const classes = shapeOf(input)[dim] ?? 1;
  const smoothing = smoothingOf(request);
  const spread = smoothing / classes;
  if (hasProbabilities(request)) {
    return lineAt(target!, position.toSpliced(dim, 0, 0), dim).map((probability, c) => {
      const share = roundOperand(body, probability);
      return { share: smoothing === 0 ? share : share * (1 - smoothing) + spread, c };
    });
  }
  const index = { share: 1 - smoothing, c: classAt(request, position)! };
  return smoothing === 0
    ? [index]
    : [index, ...Array.from({ length: classes }, (_, c) => ({ share: spread, c }))];
}

/** Returns the target probability of each class at a kept position, after label smoothing. */
export function targetProbabilities(request: LossRequest, position: Indices): number[] {
  const probabilities = new Array<number>(shapeOf(request.input)[dimOf(request)] ?? 1).fill(0);
  for (const { share, c } of targetShares(request, position)) probabilities[c]! += share;
  return probabilities;
}
