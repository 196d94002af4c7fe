/** From a picture to its steps: tables, and a equation for each cell. */
import { elementName } from "./arithmetic.ts";
import type { Heat } from "./colours.ts";
import { explainInput, explainLog, explainLoss, explainSoftmax } from "./explain.ts";
import { explainGradient, explainTargetGradient } from "./gradient.ts";
import type { Picture, Question } from "./picture.ts";
import type { Indices, Nested, Slices } from "./slices.ts";
import { classSlices, positionSlices, shapeOf, toNumber } from "./slices.ts";
import { isTarget } from "./target.ts";

export interface Step {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  readonly heat: Heat;
  readonly slices: Slices;
  /** Where the sums of lines are shown: at the end of rows, or below columns. */
  readonly sums?: "rows" | "columns";
  /** Whether a cell is the one that its position's target picks. */
  isPicked?(at: Indices): boolean;
  /** What a cell's number comes from. */
  explain(at: Indices): string;
}

/** The step that shows the input alone, which needs no answer. */
export function inputStep(question: Question): Step {
  const isLog = question.operation === "nll_loss";
  return {
    id: "input",
    title: isLog ? "Input: log-probabilities" : "Input: scores (logits)",
    note: isLog
      ? "Logarithms of probabilities, at most 0; log_softmax gives them."
      : "Any numbers: the larger, the more the model is for the class.",
    heat: isLog ? "log" : "signed",
    slices: classSlices(question.input),
    explain: (at) => explainInput(question, at),
  };
}

/** The target as it is, for pointing at what is wrong with it. */
export function targetStep(target: Nested): Step {
  return {
    id: "target",
    title: "Target",
    note: "What the request says.",
    heat: "signed",
    slices: positionSlices(target, "target"),
    explain: (at) => elementName("target", at),
  };
}

/** All steps of a picture, from the input on. */
export function stepsOf(picture: Picture): Step[] {
  const { question, losses, gradient, targetGradient } = picture;
  const isPicked = (at: Indices): boolean => isTarget(picture, at);
  const input = inputStep(question);
  // What nll_loss picks, it picks in its input.
  const steps: Step[] =
    question.operation === "nll_loss"
      ? [{ ...input, isPicked }]
      : [input, { ...softmaxStep(picture), isPicked }, { ...logStep(picture), isPicked }];
  if (losses !== undefined) steps.push(lossStep(picture, losses));
  if (gradient !== undefined) steps.push({ ...gradientStep(picture, gradient), isPicked });
  if (targetGradient !== undefined) steps.push(targetGradientStep(picture, targetGradient));
  return steps;
}

function map(value: Nested, change: (number: number) => number): Nested {
  return Array.isArray(value) ? value.map((inner) => map(inner, change)) : change(toNumber(value));
}

function softmaxStep(picture: Picture): Step {
  const { log, dim } = picture;
  const rank = shapeOf(log).length;
  const sums = rank > 2 || rank === 0 ? undefined : dim === rank - 1 ? "rows" : "columns";
  return {
    id: "softmax",
    title: "Softmax",
    note: "Exponentials, divided by their sum: probabilities that add up to 1.",
    heat: "share",
    slices: classSlices(map(log, Math.exp)),
    ...(sums === undefined ? {} : { sums }),
    explain: (at) => explainSoftmax(picture, at),
  };
}

function logStep(picture: Picture): Step {
  return {
    id: "log",
    title: "Logarithm",
    note: "Indices most 0, and nearest to 0 where the model is most certain.",
    heat: "log",
    slices: classSlices(picture.log),
    explain: (at) => explainLog(picture, at),
  };
}

function lossStep(picture: Picture, losses: Nested): Step {
  return {
    id: "losses",
    title: "Picked, with the sign turned",
    note: "One loss for each position. Where the input holds log-probabilities, 0 is the best that there is.",
    heat: "loss",
    slices: positionSlices(losses, "loss"),
    explain: (at) => explainLoss(picture, losses, at),
  };
}

function gradientStep(picture: Picture, gradient: Nested): Step {
  return {
    id: "gradient",
    title: "Gradient",
    note: "How the answer changes when a score grows a little: training goes the other way.",
    heat: "signed",
    slices: classSlices(gradient),
    explain: (at) => explainGradient(picture, gradient, at),
  };
}

function targetGradientStep(picture: Picture, gradient: Nested): Step {
  return {
    id: "gradient-target",
    title: "Gradient of the target",
    note: "How the answer changes when a share of the target grows a little.",
    heat: "signed",
    slices: classSlices(gradient),
    explain: (at) => explainTargetGradient(picture, gradient, at),
  };
}
