/** What the numbers of gradients come from. */
import {
  decimalsFor,
  elementName,
  equation,
  factor,
  longNumber,
  product,
  shortNumber,
} from "./arithmetic.ts";
import type { Picture } from "./picture.ts";
import { reductionOf } from "./picture.ts";
import type { Indices, Nested } from "./slices.ts";
import { lineAt, numberAt, shapeOf, toNumber } from "./slices.ts";
import { classAt, hasProbabilities, sharesAt, smoothingOf, weightsOf } from "./target.ts";

/** The gradient of a score. */
export function explainGradient(picture: Picture, gradient: Nested, at: Indices): string {
  const { question, dim } = picture;
  const value = numberAt(gradient, at);
  if (question.operation === "log_softmax") return ofLogSoftmax(picture, value, at);
  const name = elementName("grad_input", at);
  const position = at.toSpliced(dim, 1);
  if (!hasProbabilities(picture) && classAt(picture, position) === undefined) {
    const but = Number.isNaN(value) ? ", but 0 times NaN is NaN" : "";
    return `${name} = ${shortNumber(value)}: the target is ignore_index${but}`;
  }
  const upstream = upstreamOf(picture, position);
  // PyTorch divides before it adds up: what is 0 in this arithmetic was 0 times infinity there.
  if (upstream.divisor === 0)
    return `${name} = ${shortNumber(value)}: total_weight, by which it is divided, is 0`;
  const c = at[dim] ?? 0;
  if (question.operation === "cross_entropy") {
    const { term, words } = differenceAt(picture, at);
    return equation(name, upstream.scale(term), value, `${words}${upstream.words}`);
  }
  if (classAt(picture, position) !== c) return `${name} = ${shortNumber(value)}: this is not the target`;
  const term = `−${factor(weightsOf(picture)[c]!)}`;
  return equation(name, upstream.scale(term), value, `minus the target's weight${upstream.words}`);
}

/** Of cross_entropy, softmax minus the target, before it is scaled. */
function differenceAt(picture: Picture, at: Indices): { term: string; words: string } {
  const { question, log, dim } = picture;
  const c = at[dim] ?? 0;
  const weights = weightsOf(picture);
  const shares = sharesAt(picture, at.toSpliced(dim, 1));
  const [share, weight] = [shares[c]!, weights[c]!];
  const softmax = Math.exp(numberAt(log, at));
  const isWeighted = question.body.weight !== undefined;
  const sum = shares.reduce((before, one, k) => before + one * weights[k]!, 0);
  // Shares such as 0.9 + 0.1 add up to 1 but for rounding.
  const isOne = !isWeighted && Math.abs(sum - 1) < 1e-6;
  const total = isOne ? 1 : sum;
  const decimals = decimalsFor((change) => change(softmax) * change(total) - change(share) * change(weight));
  const expected = `${longNumber(softmax, decimals)}${isOne ? "" : ` × ${factor(total, decimals)}`}`;
  const own = product([share, weight], decimals);
  return {
    term: `(${expected} − ${own.startsWith("−") ? `(${own})` : own})`,
    words: isWeighted
      ? "softmax times the sum of share × weight, minus this class's share × weight"
      : `softmax${isOne ? "" : " times the target's sum"} minus the target's share of this class`,
  };
}

function ofLogSoftmax({ question: { body }, log, dim }: Picture, value: number, at: Indices): string {
  const upstream = body.grad_output === undefined ? [1] : lineAt(body.grad_output as Nested, at, dim);
  const sum = upstream.reduce((total, one) => total + one, 0);
  const own = upstream[at[dim] ?? 0]!;
  const softmax = Math.exp(numberAt(log, at));
  const decimals = decimalsFor((change) => change(own) - change(softmax) * change(sum));
  const arithmetic = `${longNumber(own, decimals)} − ${longNumber(softmax, decimals)} × ${factor(sum, decimals)}`;
  const words = "the upstream gradient minus softmax times the sum of the line's";
  return equation(elementName("grad_input", at), arithmetic, value, words);
}

/** The gradient of a target that holds probabilities. */
export function explainTargetGradient(picture: Picture, gradient: Nested, at: Indices): string {
  const { log, dim } = picture;
  const { scale, words: behind } = upstreamOf(picture, at.toSpliced(dim, 1));
  const smoothing = smoothingOf(picture);
  const factors = [1 - smoothing, weightsOf(picture)[at[dim] ?? 0]!, numberAt(log, at)];
  const words = `minus log_softmax${smoothing > 0 ? ", times what smoothing leaves" : ""}${weightWords(picture)}`;
  const arithmetic = scale(`−(${product(factors)})`);
  return equation(elementName("grad_target", at), arithmetic, numberAt(gradient, at), `${words}${behind}`);
}

function weightWords({ question: { body } }: Picture): string {
  return body.weight === undefined ? "" : ", times the class's weight";
}

interface Upstream {
  readonly divisor: number;
  /** A term with what it is multiplied and divided by, as arithmetic, and the same in words. */
  scale(term: string): string;
  readonly words: string;
}

/** What a position's own gradient is multiplied and divided by: the upstream gradient, and the divisor of the mean. */
function upstreamOf(picture: Picture, position: Indices): Upstream {
  const { question, answer, losses } = picture;
  const reduction = reductionOf(question.body);
  const given = question.body.grad_output as Nested | undefined;
  const upstream = given === undefined ? 1 : numberAt(given, reduction === "none" ? position : []);
  const ofProbabilities = hasProbabilities(picture);
  const positions = shapeOf(losses ?? 0).reduce((count, size) => count * size, 1);
  const total = ofProbabilities ? positions : toNumber(answer.total_weight);
  const divisor = reduction === "mean" ? total : 1;
  const times = upstream === 1 ? "" : `${shortNumber(upstream)} × `;
  const over = divisor === 1 ? "" : ` / ${factor(divisor)}`;
  const by = ofProbabilities ? "the number of positions" : "total_weight";
  return {
    divisor,
    scale: (term) =>
      `${times}${times === "" && over === "" ? term.replace(/^\((.*)\)$/, "$1") : term}${over}`,
    words: `${times === "" ? "" : ", times the upstream gradient"}${over === "" ? "" : `, divided by ${by}`}`,
  };
}
