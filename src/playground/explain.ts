/** What the numbers from the input to the losses come from; those of gradients are in gradient.ts. */
import type { At } from "./arithmetic.ts";
import { factor, lineAt, minus, named, numberAt, product, sentence, sumOf } from "./arithmetic.ts";
import type { Picture, Question } from "./picture.ts";
import { classAt, hasProbabilities, sharesAt, smoothingOf, weightsOf } from "./target.ts";
import type { Nested } from "./text.ts";
import { shortNumber } from "./text.ts";

export function explainInput({ input }: Pick<Question, "input">, at: At): string {
  return `${named("input", at)} = ${shortNumber(numberAt(input, at))}`;
}

export function explainSoftmax({ question: { input }, log, dim }: Picture, at: At): string {
  const exp = (value: number): string => `exp(${shortNumber(value)})`;
  const arithmetic = `${exp(numberAt(input, at))} / (${sumOf(lineAt(input, at, dim).map(exp))})`;
  return sentence(named("softmax", at), arithmetic, Math.exp(numberAt(log, at)), "");
}

export function explainLog({ question: { input }, log, dim }: Picture, at: At): string {
  const scores = lineAt(input, at, dim);
  const most = scores.reduce((one, other) => Math.max(one, other), -Infinity);
  const total = most + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - most), 0));
  const arithmetic = `${shortNumber(numberAt(input, at))} − ${factor(total)}`;
  const words = "the score minus the logarithm of the sum of exponentials";
  return sentence(named("log_softmax", at), arithmetic, numberAt(log, at), words);
}

/** The loss of a position. */
export function explainLoss(picture: Picture, losses: Nested, position: At): string {
  const { question, log, dim } = picture;
  const value = numberAt(losses, position);
  const name = named("loss", position);
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
    return sentence(name, arithmetic, value, `minus the ${entry} at class ${index}${weighted}`);
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
  return sentence(name, minus(sumOf(terms)), value, words);
}
