/** The steps from the input to the loss and its gradient: a table each, and an explanation for each cell. */
import type { Results } from "./api.ts";
import { elementName, fullNumber, shortNumber } from "./arithmetic.ts";
import type { Heat } from "./colors.ts";
import {
  explainInput,
  explainLogSoftmax,
  explainLoss,
  explainSoftmax,
  explainSquare,
  explainTransformed,
} from "./explanation.ts";
import { explainGradInput, explainGradTarget, explainGradTargetWeight } from "./gradient-explanation.ts";
import type { LossRequest } from "./request.ts";
import { dimOf, isTarget } from "./request.ts";
import { isTransformed, transformScore } from "./scores.ts";
import type { Indices, Nested, Slices } from "./slices.ts";
import { classSlices, mapElements, numberAt, plainSlices, positionSlices, shapeOf } from "./slices.ts";

export interface Step {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  /** Without it, the table has no colors. */
  readonly heat?: Heat;
  readonly slices: Slices;
  /** Adds a column with the sum of each row, or a row with the sum of each column. */
  readonly sums?: "rows" | "columns";
  /** Returns true if the cell's class is the target of its position. */
  isPicked?(at: Indices): boolean;
  explain(at: Indices): string;
}

/** Returns all steps, in the order of the computation. */
export function stepsOf(results: Results): Step[] {
  if (results.request.operation === "kl_div") return divergenceSteps(results);
  const { request, losses, gradInput, gradTarget, others } = results;
  const isPicked = (at: Indices): boolean => isTarget(request, at);
  const input = inputStep(request);
  const steps: Step[] =
    request.operation === "nll_loss"
      ? [{ ...input, isPicked }]
      : [
          input,
          ...(isTransformed(request) ? [transformStep(request)] : []),
          { ...softmaxStep(results), isPicked },
          { ...logSoftmaxStep(results), isPicked },
        ];
  if (losses !== undefined) steps.push(lossStep(results, losses));
  if (gradInput !== undefined) steps.push({ ...gradInputStep(results, gradInput), isPicked });
  if (gradTarget !== undefined) steps.push(gradTargetStep(results, gradTarget));
  for (const [name, value] of Object.entries(others)) steps.push(otherStep(results, name, value));
  return steps;
}

/** Returns the step of the input, which is also shown with an error response. */
export function inputStep(request: LossRequest): Step {
  const { operation, body } = request;
  const isLog = operation === "nll_loss" || (operation === "kl_div" && body.from_logits !== true);
  return {
    id: "input",
    title: isLog ? "Input: log-probabilities" : "Input: scores (logits)",
    note: isLog
      ? "Logarithms of probabilities, at most 0; log_softmax returns them."
      : "Any numbers. A larger score makes its class more probable.",
    heat: isLog ? "log" : "signed",
    slices: classSlices(request.input, dimOf(request)),
    explain: (at) => explainInput(request, at),
  };
}

/** Returns the steps of kl_div, whose losses have the input's shape. */
function divergenceSteps(results: Results): Step[] {
  const { request, dim, losses, gradInput, gradTarget } = results;
  const { log_target: isLog, from_logits: isLogits } = request.body;
  const kind = isLogits ? "scores (logits)" : isLog ? "log-probabilities" : "probabilities";
  const table = (name: string, title: string, note: string, value: Nested, heat: Heat): Step => ({
    id: name.replace("grad_input", "gradient").replace("grad_", "gradient-"),
    title,
    note,
    heat,
    slices: classSlices(value, dim),
    explain: (at) => `${elementName(name, at)} = ${fullNumber(numberAt(value, at))}`,
  });
  const targetHeat = isLogits ? "signed" : isLog ? "log" : "share";
  const input = inputStep(request);
  const steps = [input, table("target", `Target: ${kind}`, "", request.target!, targetHeat)];
  if (losses !== undefined) {
    const formula = isLogits
      ? "exp(b) · (b − a), with a and b the log_softmax of input and target."
      : isLog
        ? "exp(target) · (target − input)."
        : "target · (log(target) − input), 0 for a target of 0.";
    steps.push(table("losses", "Loss of each element", formula, losses, "signed"));
  }
  const grows = (what: string): string =>
    `How the result changes when an element of the ${what} grows a little.`;
  if (gradInput !== undefined)
    steps.push(table("grad_input", "Gradient", grows("input"), gradInput, "signed"));
  if (gradTarget !== undefined)
    steps.push(table("grad_target", "Gradient of the target", grows("target"), gradTarget, "signed"));
  return steps;
}

function transformStep(request: LossRequest): Step {
  const { softcap, temperature = 1 } = request.body as { softcap?: number; temperature?: number };
  const bounds =
    softcap === undefined
      ? ""
      : `softcap keeps the scores between −${shortNumber(softcap)} and ${shortNumber(softcap)}. `;
  const divides = temperature === 1 ? "" : `temperature divides the scores by ${shortNumber(temperature)}. `;
  return {
    id: "transformed",
    title: "Transformed scores",
    note: `${bounds}${divides}The steps below start from these scores.`,
    heat: "signed",
    slices: classSlices(
      mapElements(request.input, (score) => transformScore(request, score)),
      dimOf(request),
    ),
    explain: (at) => explainTransformed(request, at),
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
  const isTable = rank === 1 || rank === 2 || (rank === 3 && dim === 2);
  const sums = !isTable ? undefined : dim === rank - 1 ? "rows" : "columns";
  return {
    id: "softmax",
    title: "Softmax",
    note: "Exponentials, divided by their sum: probabilities that add up to 1.",
    heat: "share",
    slices: classSlices(mapElements(logProbs, Math.exp), dim),
    ...(sums === undefined ? {} : { sums }),
    explain: (at) => explainSoftmax(results, at),
  };
}

function logSoftmaxStep(results: Results): Step {
  return {
    id: "log",
    title: "Logarithm",
    note: "At most 0, and nearest to 0 where the model is most certain.",
    heat: "log",
    slices: classSlices(results.logProbs, results.dim),
    explain: (at) => explainLogSoftmax(results, at),
  };
}

function lossStep(results: Results, losses: Nested): Step {
  return {
    id: "losses",
    title: "Picked, with the sign turned",
    note: lossNote(results.request),
    heat: "loss",
    slices: positionSlices(losses, "loss", positionHead(results)),
    explain: (at) => explainLoss(results, losses, at),
  };
}

/** Returns the word before the index of a position: its row or its column in the table of the scores. */
function positionHead({ request, dim }: Results): string {
  return dim === 0 && shapeOf(request.input).length === 2 ? "column" : "row";
}

function lossNote({ body }: LossRequest): string {
  const { shift = 0, sample_weight: sampleWeight, lse_square_scale: scale = 0 } = body;
  return [
    "One loss for each position. If the input holds log-probabilities, the smallest possible loss is 0.",
    shift === 0
      ? ""
      : `The target of a row is that of ${shift === 1 ? "the next row" : `${shift} rows later`}, so the last of them have none.`,
    scale === 0 ? "" : "The z-loss is part of each.",
    sampleWeight === undefined ? "" : "Each is multiplied by its sample_weight.",
  ]
    .filter((sentence) => sentence !== "")
    .join(" ");
}

function gradInputStep(results: Results, gradInput: Nested): Step {
  return {
    id: "gradient",
    title: "Gradient",
    note: "How the result changes when a score grows a little. Training moves the other way.",
    heat: "signed",
    slices: classSlices(gradInput, results.dim),
    explain: (at) => explainGradInput(results, gradInput, at),
  };
}

function gradTargetStep(results: Results, gradTarget: Nested): Step {
  return {
    id: "gradient-target",
    title: "Gradient of the target",
    note: "How the result changes when a share of the target grows a little.",
    heat: "signed",
    slices: classSlices(gradTarget, results.dim),
    explain: (at) => explainGradTarget(results, gradTarget, at),
  };
}

/** Words and layout for a tensor or number of a response. */
interface OtherResult {
  readonly title: string;
  readonly note: string;
  /** Whether it has a number for each position, like the losses. */
  readonly hasPositions?: boolean;
  readonly heat?: Heat;
  explain?(results: Results, value: Nested, at: Indices): string;
}

/** Results beside the loss, output and gradients, by their names in the response. */
const OTHER_RESULTS: Readonly<Record<string, OtherResult>> = {
  z_loss: { title: "z-loss", note: "The part of the loss that lse_square_scale adds." },
  z_losses: {
    title: "z-losses",
    note: "The part of each loss that lse_square_scale adds.",
    hasPositions: true,
    heat: "loss",
    explain: explainSquare,
  },
  predictions: {
    title: "Predictions",
    note: "The class of the largest score of each position, the first of equal ones.",
    hasPositions: true,
  },
  correct: {
    title: "Correct predictions",
    note: "1 if the prediction is the target, otherwise 0. The mean is the accuracy.",
    hasPositions: true,
  },
  grad_target_weight: {
    title: "Gradient of target_weight",
    note: "How the result changes when a weight of the target grows a little.",
    heat: "signed",
    explain: explainGradTargetWeight,
  },
  values: { title: "Picked log-probabilities", note: "The log-probabilities of the classes below." },
  indices: { title: "Picked classes", note: "The classes whose log-probabilities are returned." },
  lse: { title: "Logarithm of the sum of exponentials", note: "log_softmax subtracts it from each score." },
  entropy: { title: "Entropy", note: "0 if one class is certain, and largest if all are equally probable." },
};

/** Returns a step of any other tensor or number of the response. One without a row in the table has its name as title. */
function otherStep(results: Results, name: string, value: Nested): Step {
  const known = OTHER_RESULTS[name];
  const { heat, hasPositions = false } = known ?? {};
  return {
    id: name.replaceAll("_", "-"),
    title: known?.title ?? `Result: ${name}`,
    note: known?.note ?? "",
    ...(heat && { heat }),
    slices: hasPositions ? positionSlices(value, name, positionHead(results)) : plainSlices(value, name),
    explain: (at) =>
      known?.explain?.(results, value, at) ?? `${elementName(name, at)} = ${fullNumber(numberAt(value, at))}`,
  };
}
