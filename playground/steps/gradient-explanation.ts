/** Explanations of the cells of gradients. */

import type { LossRequest } from "../request/request.ts";
import {
  classAt,
  isKept,
  keptClass,
  lseSquareScaleOf,
  reductionOf,
  sampleWeightAt,
  smoothingOf,
  targetProbabilities,
  weightsOf,
} from "../request/request.ts";
import type { Results } from "../request/results.ts";
import { isTransformed, roundOperand, softcapSlope } from "../request/scores.ts";
import {
  decimalsFor,
  elementName,
  equation,
  factor,
  longNumber,
  product,
  shortNumber,
} from "../tensors/arithmetic.ts";
import type { Indices, Nested } from "../tensors/slices.ts";
import { lineAt, numberAt, toNumber } from "../tensors/slices.ts";
import { joinWords, logSumExpAt, omissionWords, roundingWords, weightWords } from "./explanation.ts";
import { divisorOf } from "./reduction.ts";

/** Options of log_softmax with which its gradient is that of grad_output alone. */
const PLAIN_LOG_SOFTMAX = [
  "input",
  "dim",
  "dtype",
  "temperature",
  "softcap",
  "grad_output",
  "format",
  "non_finite",
];

/** Explains the gradient of a score. */
export function explainGradInput(results: Results, gradInput: Nested, at: Indices): string {
  const { request, dim } = results;
  const value = numberAt(gradInput, at);
  if (request.operation === "log_softmax") return explainLogSoftmaxGrad(results, value, at);
  const name = elementName("grad_input", at);
  const position = at.toSpliced(dim, 1);
  if (!isKept(request, position)) {
    const but = Number.isNaN(value) ? ", but 0 times NaN is NaN" : "";
    return `${name} = ${shortNumber(value)}: ${omissionWords(request, position)}${but}`;
  }
  const scale = gradScaleAt(results, position);
  // PyTorch divides each term before adding, so a term of 0 becomes 0 times infinity.
  if (scale.divisor === 0)
    return `${name} = ${shortNumber(value)}: total_weight, by which it is divided, is 0`;
  const c = at[dim] ?? 0;
  if (request.operation === "cross_entropy") {
    const { term, words } = softmaxMinusTarget(results, at);
    const all = joinWords(`${words}${scale.words}`, transformWords(request), roundingWords(request));
    return equation(name, scale.apply(term, transformFactors(request, at)), value, all);
  }
  if (classAt(request, position) !== c) return `${name} = ${shortNumber(value)}: this is not the target`;
  const term = `−${factor(weightsOf(request)[c]!)}`;
  const words = joinWords(`minus the target's weight${scale.words}`, roundingWords(request));
  return equation(name, scale.apply(term), value, words);
}

/** Returns the factors of a score's gradient that come from its transform, empty without one. */
function transformFactors(request: LossRequest, at: Indices): string {
  if (!isTransformed(request)) return "";
  const slope = softcapSlope(request, numberAt(request.input, at));
  const temperature = toNumber(request.body.temperature ?? 1);
  const times = request.body.softcap === undefined ? "" : ` × ${shortNumber(slope)}`;
  return `${times}${temperature === 1 ? "" : ` / ${shortNumber(temperature)}`}`;
}

function transformWords({ body }: LossRequest): string {
  return joinWords(
    body.softcap === undefined ? "" : "times the slope of softcap × tanh(score / softcap)",
    (body.temperature ?? 1) === 1 ? "" : "divided by temperature",
  );
}

/** Returns the gradient of cross_entropy before scaling. */
function softmaxMinusTarget(results: Results, at: Indices): { term: string; words: string } {
  const { request, logProbs, dim } = results;
  const c = at[dim] ?? 0;
  const position = at.toSpliced(dim, 1);
  const weights = weightsOf(request);
  const shares = targetProbabilities(request, position);
  const [share, weight] = [shares[c]!, weights[c]!];
  const softmax = Math.exp(numberAt(logProbs, at));
  const isWeighted = request.body.weight !== undefined;
  const sum = shares.reduce((before, one, k) => before + one * weights[k]!, 0);
  // Shares such as 0.9 + 0.1 add up to 1 except for rounding.
  const isOne = !isWeighted && Math.abs(sum - 1) < 1e-6;
  const total = isOne ? 1 : sum;
  const scale = lseSquareScaleOf(request);
  const lse = scale === 0 ? 0 : logSumExpAt(results, position);
  const decimals = decimalsFor(
    (round) => round(softmax) * (round(total) + 2 * round(scale) * round(lse)) - round(share) * round(weight),
  );
  const doubledLse = `2 × ${longNumber(scale, decimals)} × ${factor(lse, decimals)}`;
  const times =
    scale === 0 ? (isOne ? "" : factor(total, decimals)) : `(${longNumber(total, decimals)} + ${doubledLse})`;
  const expected = `${longNumber(softmax, decimals)}${times === "" ? "" : ` × ${times}`}`;
  const own = product([share, weight], decimals);
  const sumWords = isWeighted ? "the sum of share × weight" : isOne ? "1" : "the target's sum";
  const shareWords = scale === 0 ? sumWords : `(${sumWords} + 2 × lse_square_scale × logsumexp)`;
  const timesWords = shareWords === "1" ? "" : ` times ${shareWords}`;
  return {
    term: `(${expected} − ${own.startsWith("−") ? `(${own})` : own})`,
    words: isWeighted
      ? `softmax${timesWords}, minus this class's share × weight`
      : `softmax${timesWords} minus the target's share of this class`,
  };
}

function explainLogSoftmaxGrad(results: Results, value: number, at: Indices): string {
  const { request, logProbs, dim } = results;
  const name = elementName("grad_input", at);
  const isPlain = Object.keys(request.body).every(
    (field) => PLAIN_LOG_SOFTMAX.includes(field) || field.startsWith("return_"),
  );
  // Other options send a gradient back from other results, too.
  if (!isPlain) return `${name} = ${shortNumber(value)}`;
  const gradOutput = request.body.grad_output as Nested | undefined;
  const line = gradOutput === undefined ? [1] : lineAt(gradOutput, at, dim);
  const sum = line.reduce((total, one) => total + one, 0);
  const own = line[at[dim] ?? 0]!;
  const softmax = Math.exp(numberAt(logProbs, at));
  const decimals = decimalsFor((round) => round(own) - round(softmax) * round(sum));
  const arithmetic = `${longNumber(own, decimals)} − ${longNumber(softmax, decimals)} × ${factor(sum, decimals)}`;
  const words = joinWords(
    "grad_output minus softmax times the line's sum of grad_output",
    transformWords(request),
  );
  const factors = transformFactors(request, at);
  return equation(name, factors === "" ? arithmetic : `(${arithmetic})${factors}`, value, words);
}

/** Explains the gradient of a target probability. */
export function explainGradTarget(results: Results, gradTarget: Nested, at: Indices): string {
  const { request, logProbs, dim } = results;
  const scale = gradScaleAt(results, at.toSpliced(dim, 1));
  const smoothing = smoothingOf(request);
  const factors = [1 - smoothing, weightsOf(request)[at[dim] ?? 0]!, numberAt(logProbs, at)];
  const smoothingWords = smoothing > 0 ? ", times 1 − label_smoothing" : "";
  const words = joinWords(
    `minus log_softmax${smoothingWords}${weightWords(request)}${scale.words}`,
    roundingWords(request),
  );
  const arithmetic = scale.apply(`−(${product(factors)})`);
  return equation(elementName("grad_target", at), arithmetic, numberAt(gradTarget, at), words);
}

/** Explains the gradient of a weight of a sparse target. */
export function explainGradTargetWeight(results: Results, gradient: Nested, at: Indices): string {
  const { request, logProbs, dim } = results;
  const name = elementName("grad_target_weight", at);
  const value = numberAt(gradient, at);
  const c = keptClass(request, numberAt(request.target!, at));
  if (c === undefined) return `${name} = ${shortNumber(value)}: this class of the target is ignore_index`;
  const scale = gradScaleAt(results, at.toSpliced(dim, 1));
  const arithmetic = scale.apply(
    `−(${product([weightsOf(request)[c]!, numberAt(logProbs, at.with(dim, c))])})`,
  );
  const words = joinWords(
    `minus the log_softmax of class ${c}${weightWords(request)}${scale.words}`,
    roundingWords(request),
  );
  return equation(name, arithmetic, value, words);
}

interface GradScale {
  readonly divisor: number;
  /** Writes a term with its multipliers and divisor, and with `more` of them. */
  apply(term: string, more?: string): string;
  readonly words: string;
}

/** Returns the scale of a kept position's gradient: grad_output and sample_weight, divided by the divisor of the mean. */
function gradScaleAt(results: Results, position: Indices): GradScale {
  const { request, response } = results;
  const reduction = reductionOf(request.body);
  const given = request.body.grad_output as Nested | undefined;
  const gradOutput =
    given === undefined
      ? 1
      : roundOperand(request.body, numberAt(given, reduction === "none" ? position : []));
  const sample = sampleWeightAt(request, position);
  const divisor = divisorOf(results);
  const times = [gradOutput, sample]
    .filter((one) => one !== 1)
    .map((one) => `${shortNumber(one)} × `)
    .join("");
  const over = divisor === 1 ? "" : ` / ${factor(divisor)}`;
  const divisorName = response.total_weight === undefined ? "the number of positions" : "total_weight";
  return {
    divisor,
    apply: (term, more = "") => {
      const isAlone = times === "" && over === "" && more === "";
      return `${times}${isAlone ? term.replace(/^\((.*)\)$/, "$1") : term}${over}${more}`;
    },
    words: `${gradOutput === 1 ? "" : ", times grad_output"}${sample === 1 ? "" : ", times sample_weight"}${over === "" ? "" : `, divided by ${divisorName}`}`,
  };
}
