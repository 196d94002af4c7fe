/** The steps of kl_div, whose losses and gradients have the input's shape. */

import { dimOf } from "../request/request.ts";
import type { Results } from "../request/results.ts";
import {
  elementName,
  equation,
  factor,
  fullNumber,
  longNumber,
  product,
  shortNumber,
} from "../tensors/arithmetic.ts";
import type { Indices, Nested } from "../tensors/slices.ts";
import { classSlices, lineAt, lineIndices, MAX_DRAWN_LINE, numberAt, toNumber } from "../tensors/slices.ts";
import type { Heat } from "./colors.ts";
import { logSumExp } from "./explanation.ts";
import { inputStep } from "./input-step.ts";
import { divisorOf, reductionStep } from "./reduction.ts";
import type { CellRef, Step } from "./step.ts";

/** Decimals of the operands of exp, log and differences, whose errors depend on decimals instead of digits. */
const DECIMALS = 6;

/** Meaning of the numbers: probabilities in the target, logarithms in both, or scores in both. */
type Kind = "probabilities" | "logarithms" | "scores";

const KINDS: Readonly<Record<Kind, { target: string; heat: Heat; note: string }>> = {
  probabilities: {
    target: "Target: probabilities",
    heat: "share",
    note: "target · (log(target) − input), and 0 for a target of 0.",
  },
  logarithms: {
    target: "Target: log-probabilities",
    heat: "log",
    note: "exp(target) · (target − input).",
  },
  scores: {
    target: "Target: scores",
    heat: "signed",
    note: "exp(b) · (b − a), with a and b the log_softmax of input and target.",
  },
};

/** Returns all steps of kl_div. */
export function divergenceSteps(results: Results): Step[] {
  const { request, losses, gradInput, gradTarget } = results;
  const kind = kindOf(results);
  const { target, heat, note } = KINDS[kind];
  const steps: Step[] = [
    inputStep(request),
    {
      ...tableStep(results, "target", request.target!, heat),
      title: target,
      note: "The distribution that the input is compared with.",
      isEditable: true,
    },
  ];
  if (losses !== undefined) {
    const lossesStep: Step = {
      ...tableStep(results, "losses", losses, "signed"),
      title: "Loss of each element",
      note,
      arrow: "compare the two",
      sourcesOf: (at) => operandsOf(results, at),
      explain: (at) => explainDivergence(results, losses, at),
    };
    steps.push(lossesStep, ...reductionStep(results, losses, lossesStep));
  }
  if (gradInput !== undefined) steps.push(gradientStep(results, "input", gradInput));
  if (gradTarget !== undefined) steps.push(gradientStep(results, "target", gradTarget));
  const positionOf = (at: Indices): Indices => at.toSpliced(results.dim, 1);
  return steps.map((step) => (step.isNumber ? step : { ...step, positionOf }));
}

function kindOf({ request }: Results): Kind {
  if (request.body.from_logits === true) return "scores";
  return request.body.log_target === true ? "logarithms" : "probabilities";
}

function tableStep(results: Results, name: string, value: Nested, heat: Heat): Step {
  const { request } = results;
  return {
    id: name,
    title: name,
    note: "",
    heat,
    slices: classSlices(value, dimOf(request), request.classNames),
    explain: (at) => `${elementName(name, at)} = ${fullNumber(numberAt(value, at))}`,
  };
}

function gradientStep(results: Results, operand: "input" | "target", value: Nested): Step {
  const name = `grad_${operand}`;
  return {
    ...tableStep(results, name, value, "signed"),
    id: operand === "input" ? "gradient" : "gradient-target",
    title: operand === "input" ? "Gradient" : "Gradient of the target",
    note: `How the result changes when a number of the ${operand} grows a little.`,
    arrow: `back to the ${operand}`,
    sourcesOf: (at) => operandsOf(results, at),
    explain: (at) => explainGradient(results, operand, value, at),
  };
}

/** Returns the numbers of input and target that an element of the result comes from. */
function operandsOf(results: Results, at: Indices): CellRef[] {
  const { request, dim } = results;
  const cells =
    kindOf(results) === "scores"
      ? lineIndices(request.input, at.toSpliced(dim, 1), dim, MAX_DRAWN_LINE)
      : [at];
  return ["input", "target"].flatMap((step) => cells.map((one) => ({ step, at: one })));
}

/** Returns log_softmax of a score along its line, after the temperature. */
function logShare({ request, dim }: Results, value: Nested, at: Indices): number {
  const temperature = toNumber(request.body.temperature ?? 1);
  const line = lineAt(value, at, dim).map((score) => score / temperature);
  return line[at[dim] ?? 0]! - logSumExp(line);
}

const long = (value: number): string => longNumber(value, DECIMALS);
const subtracted = (value: number): string => factor(value, DECIMALS);

function explainDivergence(results: Results, losses: Nested, at: Indices): string {
  const { request } = results;
  const value = numberAt(losses, at);
  const name = elementName("loss", at);
  const [input, target] = [numberAt(request.input, at), numberAt(request.target!, at)];
  switch (kindOf(results)) {
    case "probabilities":
      if (target === 0) return `${name} = ${shortNumber(value)}: the target is 0`;
      return equation(
        name,
        `${product([target], DECIMALS)} × (log(${long(target)}) − ${subtracted(input)})`,
        value,
        "target × (log(target) − input)",
      );
    case "logarithms":
      return equation(
        name,
        `exp(${long(target)}) × (${long(target)} − ${subtracted(input)})`,
        value,
        "exp(target) × (target − input)",
      );
    case "scores": {
      const [a, b] = [logShare(results, request.input, at), logShare(results, request.target!, at)];
      return equation(
        name,
        `exp(${long(b)}) × (${long(b)} − ${subtracted(a)})`,
        value,
        "with the log_softmax of target and input",
      );
    }
  }
}

function explainGradient(
  results: Results,
  operand: "input" | "target",
  gradient: Nested,
  at: Indices,
): string {
  const { request } = results;
  const value = numberAt(gradient, at);
  const name = elementName(`grad_${operand}`, at);
  const kind = kindOf(results);
  if (kind === "probabilities" && operand === "target" && numberAt(request.target!, at) === 0)
    return `${name} = NaN: a target of 0 has no gradient, as in PyTorch`;
  const term = operand === "input" ? inputTerm(results, at) : targetTerm(results, at);
  // A gradient to go back from, and the sum over the classes of a target of scores, would hide the idea.
  if (term === undefined || request.body.grad_output !== undefined) return `${name} = ${shortNumber(value)}`;
  const temperature = kind === "scores" ? toNumber(request.body.temperature ?? 1) : 1;
  const divisors = [divisorOf(results), temperature].filter((one) => one !== 1);
  const over = divisors.map((one) => ` / ${factor(one)}`).join("");
  const words = `${term.words}${over === "" ? "" : ", divided as the loss is"}`;
  return equation(name, `${over === "" ? term.text : `(${term.text})`}${over}`, value, words);
}

interface Term {
  readonly text: string;
  readonly words: string;
}

function inputTerm(results: Results, at: Indices): Term {
  const { request } = results;
  const target = numberAt(request.target!, at);
  switch (kindOf(results)) {
    case "probabilities":
      return { text: `−${subtracted(target)}`, words: "minus the target" };
    case "logarithms":
      return { text: `−exp(${long(target)})`, words: "minus exp(target)" };
    case "scores": {
      const shares = [request.input, request.target!].map((one) => Math.exp(logShare(results, one, at)));
      return {
        text: `${long(shares[0]!)} − ${subtracted(shares[1]!)}`,
        words: "softmax of the input minus softmax of the target",
      };
    }
  }
}

function targetTerm(results: Results, at: Indices): Term | undefined {
  const { request } = results;
  const [input, target] = [numberAt(request.input, at), numberAt(request.target!, at)];
  switch (kindOf(results)) {
    case "probabilities":
      return { text: `log(${long(target)}) + 1 − ${subtracted(input)}`, words: "log(target) + 1 − input" };
    case "logarithms":
      return {
        text: `exp(${long(target)}) × (${long(target)} + 1 − ${subtracted(input)})`,
        words: "exp(target) × (target + 1 − input)",
      };
    case "scores":
      return undefined;
  }
}
