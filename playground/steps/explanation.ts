/** Explanations: an equation for each cell of a step, with the numbers that the cell comes from. */

import type { LossRequest, Share } from "../request/request.ts";
import {
  hasProbabilities,
  isKept,
  isSparse,
  lseSquareScaleOf,
  sampleWeightAt,
  targetPosition,
  targetShares,
  weightsOf,
} from "../request/request.ts";
import type { Results } from "../request/results.ts";
import { coarseDtype, roundScore, transformScore } from "../request/scores.ts";
import {
  decimalsFor,
  elementName,
  equation,
  factor,
  fullNumber,
  longNumber,
  minus,
  product,
  shortNumber,
  sumOf,
} from "../tensors/arithmetic.ts";
import type { Indices, Nested } from "../tensors/slices.ts";
import { lineAt, numberAt } from "../tensors/slices.ts";

export function explainInput({ input, body }: LossRequest, at: Indices): string {
  const value = numberAt(input, at);
  const rounded = roundScore(body, value);
  const dtype = coarseDtype(body);
  const words =
    dtype === undefined || Object.is(rounded, value) ? "" : `, rounded to ${dtype} ${fullNumber(rounded)}`;
  return `${elementName("input", at)} = ${fullNumber(value)}${words}`;
}

/** Says that a result has been rounded, if its rounding is visible. */
export function roundingWords({ body }: LossRequest): string {
  const dtype = coarseDtype(body);
  return dtype === undefined ? "" : `rounded to ${dtype}`;
}

/** Joins the parts of a remark that are not empty. */
export function joinWords(...words: readonly string[]): string {
  return words.filter((word) => word !== "").join(", ");
}

/** Explains a score after softcap and temperature. */
export function explainTransformed(request: LossRequest, at: Indices): string {
  const { input, body } = request;
  const { softcap, temperature = 1 } = body as { softcap?: number; temperature?: number };
  const score = roundScore(body, numberAt(input, at));
  const bounded = (cap: number): string =>
    `${shortNumber(cap)} × tanh(${longNumber(score, 4)} / ${shortNumber(cap)})`;
  const scaled = temperature === 1 ? "" : ` / ${shortNumber(temperature)}`;
  const arithmetic = `${softcap === undefined ? longNumber(score, 4) : bounded(softcap)}${scaled}`;
  const value = transformScore(request, numberAt(input, at));
  return equation(elementName("transformed", at), arithmetic, value, roundingWords(request));
}

function scoresAt({ request, dim }: Results, at: Indices): number[] {
  return lineAt(request.input, at, dim).map((value) => transformScore(request, value));
}

export function explainSoftmax(results: Results, at: Indices): string {
  const { request, logProbs, dim } = results;
  const scores = scoresAt(results, at);
  const name = elementName("softmax", at);
  // The error of an exponential depends on the decimals of its argument, not on the digits.
  const exp = (score: number): string => `exp(${longNumber(score, 4)})`;
  const value = Math.exp(numberAt(logProbs, at));
  if (scores.includes(Infinity))
    return `${name} = ${shortNumber(value)}: softmax of a line with ∞ is undefined`;
  const arithmetic = `${exp(scores[at[dim] ?? 0]!)} / (${sumOf(scores, exp)})`;
  return equation(name, arithmetic, value, roundingWords(request));
}

/** Returns the largest number of a line. Math.max takes no more arguments than the stack has room for. */
function maxOf(scores: readonly number[]): number {
  return scores.reduce((left, right) => Math.max(left, right), -Infinity);
}

/** Returns the logarithm of the sum of the exponentials of a line. */
export function logSumExp(scores: readonly number[]): number {
  const max = maxOf(scores);
  return max + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - max), 0));
}

export function explainLogSoftmax(results: Results, at: Indices): string {
  const { request, logProbs, dim } = results;
  const scores = scoresAt(results, at);
  const logSum = logSumExp(scores);
  const score = scores[at[dim] ?? 0]!;
  const decimals = decimalsFor((round) => round(score) - round(logSum));
  const arithmetic = `${longNumber(score, decimals)} − ${factor(logSum, decimals)}`;
  const words = joinWords("the score minus the logarithm of the sum of exponentials", roundingWords(request));
  return equation(elementName("log_softmax", at), arithmetic, numberAt(logProbs, at), words);
}

/** Says why a position has no loss. */
export function omissionWords(request: LossRequest, position: Indices): string {
  if (targetPosition(request, position) === undefined) return "shift leaves this row without a target";
  return isSparse(request) ? "every class of the target is ignore_index" : "the target is ignore_index";
}

/** Explains the loss of a position, whose indices omit the class dimension. */
export function explainLoss(results: Results, losses: Nested, position: Indices): string {
  const { request, logProbs, dim } = results;
  const value = numberAt(losses, position);
  const name = elementName("loss", position);
  if (!isKept(request, position))
    return `${name} = ${shortNumber(value)}: ${omissionWords(request, position)}, and does not count`;
  const logs = lineAt(logProbs, position.toSpliced(dim, 0, 0), dim);
  const weights = weightsOf(request);
  const entry = request.operation === "nll_loss" ? "input" : "log_softmax";
  const shares = targetShares(request, position);
  const isPicked = !hasProbabilities(request) && !isSparse(request) && shares.length === 1;
  const index = shares[0]?.c ?? 0;
  const counting = shares.filter(({ share, c }) => share * weights[c]! !== 0 || !Number.isFinite(logs[c]));
  const termOf = ({ share, c }: Share): string => product([share, weights[c]!, logs[c]!]);
  const picked = minus(isPicked ? product([weights[index]!, logs[index]!]) : sumOf(counting, termOf));
  const pickedWords = isPicked
    ? `minus the ${entry} at class ${index}`
    : `minus the sum of each class's ${isSparse(request) ? "target_weight" : "share of the target"} times its ${entry}`;
  const zLoss = zLossTerm(results, position);
  const sample = sampleWeightAt(request, position);
  const sum = zLoss === "" ? picked : `${picked} + ${zLoss}`;
  const words = joinWords(
    `${pickedWords}${weightWords(request)}`,
    zLoss === "" ? "" : "plus lse_square_scale times the squared logsumexp",
    sampleWords(request),
    roundingWords(request),
  );
  return equation(name, timesSample(sum, sample, zLoss !== ""), value, words);
}

/** Multiplies a term by its sample_weight. */
function timesSample(term: string, sample: number, isSum: boolean): string {
  if (sample === 1) return term;
  return `${isSum ? `(${term})` : term} × ${factor(sample)}`;
}

/** Returns the z-loss of a position before its sample_weight, empty without one. */
function zLossTerm(results: Results, position: Indices): string {
  const scale = lseSquareScaleOf(results.request);
  if (scale === 0) return "";
  return `${shortNumber(scale)} × ${factor(logSumExpAt(results, position))}²`;
}

/** Returns the logsumexp of a position's scores, as PyTorch computes it if the largest is infinite. */
export function logSumExpAt(results: Results, position: Indices): number {
  const scores = scoresAt(results, position.toSpliced(results.dim, 0, 0));
  const max = maxOf(scores);
  return Number.isFinite(max) ? logSumExp(scores) : max;
}

/** Explains the z-loss of a position. */
export function explainZLoss(results: Results, zLosses: Nested, position: Indices): string {
  const { request } = results;
  const value = numberAt(zLosses, position);
  const name = elementName("z_losses", position);
  if (!isKept(request, position))
    return `${name} = ${shortNumber(value)}: ${omissionWords(request, position)}, and does not count`;
  const arithmetic = timesSample(zLossTerm(results, position), sampleWeightAt(request, position), false);
  const words = joinWords(
    "lse_square_scale times the squared logsumexp",
    sampleWords(request),
    roundingWords(request),
  );
  return equation(name, arithmetic, value, words);
}

export function weightWords({ body }: LossRequest): string {
  return body.weight === undefined ? "" : ", times the class's weight";
}

function sampleWords({ body }: LossRequest): string {
  return body.sample_weight === undefined ? "" : "times sample_weight";
}
