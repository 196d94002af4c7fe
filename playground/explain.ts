/** What the numbers from the input to the losses come from; those of gradients are in gradient.ts. */
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
import type { Picture, Question } from "./picture.ts";
import { coarseType, rounded } from "./rounding.ts";
import type { Indices, Nested } from "./slices.ts";
import { lineAt, numberAt } from "./slices.ts";
import { classAt, hasProbabilities, sharesAt, smoothingOf, weightsOf } from "./target.ts";

export function explainInput(question: Pick<Question, "input" | "body">, at: Indices): string {
  const value = numberAt(question.input, at);
  const type = coarseType(question);
  const near = rounded(question, value);
  const words =
    type === undefined || Object.is(near, value) ? "" : `, rounded to ${type} ${fullNumber(near)}`;
  return `${elementName("input", at)} = ${fullNumber(value)}${words}`;
}

/** The scores of a line, as the server computes with them. */
function scoresAt({ question, dim }: Picture, at: Indices): number[] {
  return lineAt(question.input, at, dim).map((value) => rounded(question, value));
}

export function explainSoftmax(picture: Picture, at: Indices): string {
  const { question, log, dim } = picture;
  const scores = scoresAt(picture, at);
  const name = elementName("softmax", at);
  // Exponentials, for which decimals count, not digits.
  const exp = (value: number): string => `exp(${longNumber(value, 4)})`;
  const value = Math.exp(numberAt(log, at));
  if (scores.includes(Infinity))
    return `${name} = ${shortNumber(value)}: of a line with ∞ there are no shares`;
  const type = coarseType(question);
  const arithmetic = `${exp(scores[at[dim] ?? 0]!)} / (${sumOf(scores.map(exp))})`;
  return equation(name, arithmetic, value, type === undefined ? "" : `rounded to ${type}`);
}

export function explainLog(picture: Picture, at: Indices): string {
  const { question, log, dim } = picture;
  const scores = scoresAt(picture, at);
  const most = scores.reduce((one, other) => Math.max(one, other), -Infinity);
  const total = most + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - most), 0));
  const value = numberAt(log, at);
  const score = scores[at[dim] ?? 0]!;
  const decimals = decimalsFor((change) => change(score) - change(total));
  const arithmetic = `${longNumber(score, decimals)} − ${factor(total, decimals)}`;
  const type = coarseType(question);
  const words = `the score minus the logarithm of the sum of exponentials${type === undefined ? "" : `, rounded to ${type}`}`;
  return equation(elementName("log_softmax", at), arithmetic, value, words);
}

/** The loss of a position. */
export function explainLoss(picture: Picture, losses: Nested, position: Indices): string {
  const { question, log, dim } = picture;
  const value = numberAt(losses, position);
  const name = elementName("loss", position);
  const ofProbabilities = hasProbabilities(picture);
  const index = ofProbabilities ? undefined : classAt(picture, position);
  if (!ofProbabilities && index === undefined)
    return `${name} = ${shortNumber(value)}: the target is ignore_index, and does not count`;
  const logs = lineAt(log, position.toSpliced(dim, 0, 0), dim);
  const weights = weightsOf(picture);
  const entry = question.operation === "nll_loss" ? "input" : "log_softmax";
  const weighted = question.body.weight === undefined ? "" : ", times the class's weight";
  if (index !== undefined && smoothingOf(picture) === 0) {
    const arithmetic = minus(product([weights[index]!, logs[index]!]));
    return equation(name, arithmetic, value, `minus the ${entry} at class ${index}${weighted}`);
  }
  const smoothing = smoothingOf(picture);
  const count = logs.length;
  // Of an index, as PyTorch adds it up: what smoothing leaves at the index, then what it spreads.
  const held =
    index === undefined
      ? sharesAt(picture, position).map((share, c) => ({ share, c }))
      : [{ share: 1 - smoothing, c: index }, ...logs.map((_, c) => ({ share: smoothing / count, c }))];
  const terms = held.flatMap(({ share, c }) =>
    // 0 times an infinity is NaN, and shows where that comes from.
    share * weights[c]! === 0 && Number.isFinite(logs[c]) ? [] : [product([share, weights[c]!, logs[c]!])],
  );
  const words = `minus the sum of each class's share of the target times its ${entry}${weighted}`;
  return equation(name, minus(sumOf(terms)), value, words);
}
