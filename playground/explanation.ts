/** Explanations: an equation for each cell of a step, with the numbers that the cell comes from. */
import type { Results } from "./api.ts";
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
} from "./arithmetic.ts";
import type { LossRequest } from "./request.ts";
import {
  classAt,
  coarseDtype,
  hasProbabilities,
  reductionOf,
  roundScore,
  smoothingOf,
  targetProbabilities,
  weightsOf,
} from "./request.ts";
import type { Indices, Nested } from "./slices.ts";
import { lineAt, numberAt, shapeOf, toNumber } from "./slices.ts";

export function explainInput({ input, body }: LossRequest, at: Indices): string {
  const value = numberAt(input, at);
  const rounded = roundScore(body, value);
  const dtype = coarseDtype(body);
  const words =
    dtype === undefined || Object.is(rounded, value) ? "" : `, rounded to ${dtype} ${fullNumber(rounded)}`;
  return `${elementName("input", at)} = ${fullNumber(value)}${words}`;
}

function scoresAt({ request, dim }: Results, at: Indices): number[] {
  return lineAt(request.input, at, dim).map((value) => roundScore(request.body, value));
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
  const dtype = coarseDtype(request.body);
  const arithmetic = `${exp(scores[at[dim] ?? 0]!)} / (${sumOf(scores.map(exp))})`;
  return equation(name, arithmetic, value, dtype === undefined ? "" : `rounded to ${dtype}`);
}

export function explainLogSoftmax(results: Results, at: Indices): string {
  const { request, logProbs, dim } = results;
  const scores = scoresAt(results, at);
  const max = scores.reduce((left, right) => Math.max(left, right), -Infinity);
  const logSum = max + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - max), 0));
  const score = scores[at[dim] ?? 0]!;
  const decimals = decimalsFor((round) => round(score) - round(logSum));
  const arithmetic = `${longNumber(score, decimals)} − ${factor(logSum, decimals)}`;
  const dtype = coarseDtype(request.body);
  const words = `the score minus the logarithm of the sum of exponentials${dtype === undefined ? "" : `, rounded to ${dtype}`}`;
  return equation(elementName("log_softmax", at), arithmetic, numberAt(logProbs, at), words);
}

/** Explains the loss of a position, whose indices omit the class dimension. */
export function explainLoss(results: Results, losses: Nested, position: Indices): string {
  const { request, logProbs, dim } = results;
  const value = numberAt(losses, position);
  const name = elementName("loss", position);
  const index = hasProbabilities(request) ? undefined : classAt(request, position);
  if (!hasProbabilities(request) && index === undefined)
    return `${name} = ${shortNumber(value)}: the target is ignore_index, and does not count`;
  const logs = lineAt(logProbs, position.toSpliced(dim, 0, 0), dim);
  const entry = request.operation === "nll_loss" ? "input" : "log_softmax";
  if (index !== undefined && smoothingOf(request) === 0) {
    const arithmetic = minus(product([weightsOf(request)[index]!, logs[index]!]));
    return equation(name, arithmetic, value, `minus the ${entry} at class ${index}${weightWords(request)}`);
  }
  const arithmetic = minus(sumOf(lossTerms(request, position, index, logs)));
  const words = `minus the sum of each class's share of the target times its ${entry}${weightWords(request)}`;
  return equation(name, arithmetic, value, words);
}

/** Returns the terms share × weight × log-probability of a loss. */
function lossTerms(
  request: LossRequest,
  position: Indices,
  index: number | undefined,
  logs: readonly number[],
): string[] {
  const weights = weightsOf(request);
  const smoothing = smoothingOf(request);
  const spread = logs.map((_, c) => ({ share: smoothing / logs.length, c }));
  // PyTorch adds the smoothed index and the spread over all classes separately, so their terms stay apart.
  const shares =
    index === undefined
      ? targetProbabilities(request, position).map((share, c) => ({ share, c }))
      : [{ share: 1 - smoothing, c: index }, ...spread];
  return shares
    .filter(({ share, c }) => share * weights[c]! !== 0 || !Number.isFinite(logs[c]))
    .map(({ share, c }) => product([share, weights[c]!, logs[c]!]));
}

function weightWords({ body }: LossRequest): string {
  return body.weight === undefined ? "" : ", times the class's weight";
}

/** Explains the gradient of a score. */
export function explainGradInput(results: Results, gradInput: Nested, at: Indices): string {
  const { request, dim } = results;
  const value = numberAt(gradInput, at);
  if (request.operation === "log_softmax") return explainLogSoftmaxGrad(results, value, at);
  const name = elementName("grad_input", at);
  const position = at.toSpliced(dim, 1);
  if (!hasProbabilities(request) && classAt(request, position) === undefined) {
    const but = Number.isNaN(value) ? ", but 0 times NaN is NaN" : "";
    return `${name} = ${shortNumber(value)}: the target is ignore_index${but}`;
  }
  const scale = gradScaleAt(results, position);
  // PyTorch divides each term before adding, so a term of 0 becomes 0 times infinity.
  if (scale.divisor === 0)
    return `${name} = ${shortNumber(value)}: total_weight, by which it is divided, is 0`;
  const c = at[dim] ?? 0;
  if (request.operation === "cross_entropy") {
    const { term, words } = softmaxMinusTarget(results, at);
    return equation(name, scale.apply(term), value, `${words}${scale.words}`);
  }
  if (classAt(request, position) !== c) return `${name} = ${shortNumber(value)}: this is not the target`;
  const term = `−${factor(weightsOf(request)[c]!)}`;
  return equation(name, scale.apply(term), value, `minus the target's weight${scale.words}`);
}

/** Returns the gradient of cross_entropy before scaling. */
function softmaxMinusTarget(results: Results, at: Indices): { term: string; words: string } {
  const { request, logProbs, dim } = results;
  const c = at[dim] ?? 0;
  const weights = weightsOf(request);
  const shares = targetProbabilities(request, at.toSpliced(dim, 1));
  const [share, weight] = [shares[c]!, weights[c]!];
  const softmax = Math.exp(numberAt(logProbs, at));
  const isWeighted = request.body.weight !== undefined;
  const sum = shares.reduce((before, one, k) => before + one * weights[k]!, 0);
  // Shares such as 0.9 + 0.1 add up to 1 except for rounding.
  const isOne = !isWeighted && Math.abs(sum - 1) < 1e-6;
  const total = isOne ? 1 : sum;
  const decimals = decimalsFor((round) => round(softmax) * round(total) - round(share) * round(weight));
  const expected = `${longNumber(softmax, decimals)}${isOne ? "" : ` × ${factor(total, decimals)}`}`;
  const own = product([share, weight], decimals);
  return {
    term: `(${expected} − ${own.startsWith("−") ? `(${own})` : own})`,
    words: isWeighted
      ? "softmax times the sum of share × weight, minus this class's share × weight"
      : `softmax${isOne ? "" : " times the target's sum"} minus the target's share of this class`,
  };
}

function explainLogSoftmaxGrad(results: Results, value: number, at: Indices): string {
  const { request, logProbs, dim } = results;
  const gradOutput = request.body.grad_output as Nested | undefined;
  const line = gradOutput === undefined ? [1] : lineAt(gradOutput, at, dim);
  const sum = line.reduce((total, one) => total + one, 0);
  const own = line[at[dim] ?? 0]!;
  const softmax = Math.exp(numberAt(logProbs, at));
  const decimals = decimalsFor((round) => round(own) - round(softmax) * round(sum));
  const arithmetic = `${longNumber(own, decimals)} − ${longNumber(softmax, decimals)} × ${factor(sum, decimals)}`;
  const words = "grad_output minus softmax times the line's sum of grad_output";
  return equation(elementName("grad_input", at), arithmetic, value, words);
}

/** Explains the gradient of a target probability. */
export function explainGradTarget(results: Results, gradTarget: Nested, at: Indices): string {
  const { request, logProbs, dim } = results;
  const scale = gradScaleAt(results, at.toSpliced(dim, 1));
  const smoothing = smoothingOf(request);
  const factors = [1 - smoothing, weightsOf(request)[at[dim] ?? 0]!, numberAt(logProbs, at)];
  const smoothingWords = smoothing > 0 ? ", times 1 − label_smoothing" : "";
  const words = `minus log_softmax${smoothingWords}${weightWords(request)}${scale.words}`;
  const arithmetic = scale.apply(`−(${product(factors)})`);
  return equation(elementName("grad_target", at), arithmetic, numberAt(gradTarget, at), words);
}

interface GradScale {
  readonly divisor: number;
  /** Writes a term with its multiplier and divisor. */
  apply(term: string): string;
  readonly words: string;
}

/** Returns the scale of a position's gradient: its grad_output, divided by the divisor of the mean. */
function gradScaleAt({ request, response, losses }: Results, position: Indices): GradScale {
  const reduction = reductionOf(request.body);
  const given = request.body.grad_output as Nested | undefined;
  const gradOutput = given === undefined ? 1 : numberAt(given, reduction === "none" ? position : []);
  const positions = shapeOf(losses ?? 0).reduce((count, size) => count * size, 1);
  const total = hasProbabilities(request) ? positions : toNumber(response.total_weight);
  const divisor = reduction === "mean" ? total : 1;
  const times = gradOutput === 1 ? "" : `${shortNumber(gradOutput)} × `;
  const over = divisor === 1 ? "" : ` / ${factor(divisor)}`;
  const divisorName = hasProbabilities(request) ? "the number of positions" : "total_weight";
  return {
    divisor,
    apply: (term) =>
      `${times}${times === "" && over === "" ? term.replace(/^\((.*)\)$/, "$1") : term}${over}`,
    words: `${times === "" ? "" : ", times grad_output"}${over === "" ? "" : `, divided by ${divisorName}`}`,
  };
}
