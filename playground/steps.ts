/** The steps from the input to the loss and its gradient: a table each, and an explanation for each cell. */
import type { Results } from "./api.ts";
import { elementName } from "./arithmetic.ts";
import {
  explainGradInput,
  explainGradTarget,
  explainInput,
  explainLogSoftmax,
  explainLoss,
  explainSoftmax,
} from "./explanation.ts";
import type { Heat } from "./heat-map.ts";
import type { LossRequest } from "./request.ts";
import { isTarget } from "./request.ts";
import type { Indices, Nested, Slices } from "./slices.ts";
import { classSlices, positionSlices, shapeOf, toNumber } from "./slices.ts";

export interface Step {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  readonly heat: Heat;
  readonly slices: Slices;
  /** Adds a column with the sum of each row, or a row with the sum of each column. */
  readonly sums?: "rows" | "columns";
  /** Returns true if the cell's class is the target of its position. */
  isPicked?(at: Indices): boolean;
  explain(at: Indices): string;
}

/** Returns all steps, in the order of the computation. */
export function stepsOf(results: Results): Step[] {
  const { request, losses, gradInput, gradTarget } = results;
  const isPicked = (at: Indices): boolean => isTarget(request, at);
  const input = inputStep(request);
  const steps: Step[] =
    request.operation === "nll_loss"
      ? [{ ...input, isPicked }]
      : [input, { ...softmaxStep(results), isPicked }, { ...logSoftmaxStep(results), isPicked }];
  if (losses !== undefined) steps.push(lossStep(results, losses));
  if (gradInput !== undefined) steps.push({ ...gradInputStep(results, gradInput), isPicked });
  if (gradTarget !== undefined) steps.push(gradTargetStep(results, gradTarget));
  return steps;
}

/** Returns the step of the input, which is also shown with an error response. */
export function inputStep(request: LossRequest): Step {
  const isLog = request.operation === "nll_loss";
  return {
    id: "input",
    title: isLog ? "Input: log-probabilities" : "Input: scores (logits)",
    note: isLog
      ? "Logarithms of probabilities, at most 0; log_softmax returns them."
      : "Any numbers. A larger score makes its class more probable.",
    heat: isLog ? "log" : "signed",
    slices: classSlices(request.input),
    explain: (at) => explainInput(request, at),
  };
}

/** Returns a step of the target, shown only to mark an error in it. */
export function targetStep(target: Nested): Step {
  return {
    id: "target",
    title: "Target",
    note: "The target of the request.",
    heat: "signed",
    slices: positionSlices(target, "target"),
    explain: (at) => elementName("target", at),
  };
}

function softmaxStep(results: Results): Step {
  const { logProbs, dim } = results;
  const rank = shapeOf(logProbs).length;
  const sums = rank > 2 || rank === 0 ? undefined : dim === rank - 1 ? "rows" : "columns";
  return {
    id: "softmax",
    title: "Softmax",
    note: "Exponentials, divided by their sum: probabilities that add up to 1.",
    heat: "share",
    slices: classSlices(exponentials(logProbs)),
    ...(sums === undefined ? {} : { sums }),
    explain: (at) => explainSoftmax(results, at),
  };
}

function exponentials(value: Nested): Nested {
  return Array.isArray(value) ? value.map(exponentials) : Math.exp(toNumber(value));
}

function logSoftmaxStep(results: Results): Step {
  return {
    id: "log",
    title: "Logarithm",
    note: "At most 0, and nearest to 0 where the model is most certain.",
    heat: "log",
    slices: classSlices(results.logProbs),
    explain: (at) => explainLogSoftmax(results, at),
  };
}

function lossStep(results: Results, losses: Nested): Step {
  return {
    id: "losses",
    title: "Picked, with the sign turned",
    note: "One loss for each position. If the input holds log-probabilities, the smallest possible loss is 0.",
    heat: "loss",
    slices: positionSlices(losses, "loss"),
    explain: (at) => explainLoss(results, losses, at),
  };
}

function gradInputStep(results: Results, gradInput: Nested): Step {
  return {
    id: "gradient",
    title: "Gradient",
    note: "How the result changes when a score grows a little. Training moves the other way.",
    heat: "signed",
    slices: classSlices(gradInput),
    explain: (at) => explainGradInput(results, gradInput, at),
  };
}

function gradTargetStep(results: Results, gradTarget: Nested): Step {
  return {
    id: "gradient-target",
    title: "Gradient of the target",
    note: "How the result changes when a share of the target grows a little.",
    heat: "signed",
    slices: classSlices(gradTarget),
    explain: (at) => explainGradTarget(results, gradTarget, at),
  };
}
