/** From a picture to its steps: tables, and a sentence for each cell. */
import type { Heat } from "./colours.ts";
import type { Picture } from "./picture.ts";
import type { Plane } from "./planes.ts";
import { classPlanes, pick, positionPlanes } from "./planes.ts";
import type { Nested } from "./text.ts";
import { shapeOf, shortNumber, toNumber } from "./text.ts";

export interface Step {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  readonly heat: Heat;
  readonly planes: readonly Plane[];
  /** Where the sums of lines are shown: at the end of rows, or below columns. */
  readonly sums?: "rows" | "columns";
  /** Whether a cell is the one that its position's target picks. */
  isPicked?(at: readonly number[]): boolean;
  /** What a cell's number comes from. */
  explain(at: readonly number[]): string;
}

const text = (value: unknown): string => shortNumber(toNumber(value));
const place = (at: readonly number[]): string => `[${at.join(", ")}]`;

/** The step that shows the input, which needs no answer. */
export function inputStep(input: Nested, isLog: boolean): Step {
  return {
    id: "input",
    title: isLog ? "Input: log-probabilities" : "Input: scores (logits)",
    note: isLog
      ? "Logarithms of probabilities, at most 0."
      : "Any numbers: the larger, the more the model is for the class.",
    heat: isLog ? "log" : "signed",
    planes: classPlanes(input),
    explain: (at) => `input${place(at)} = ${text(pick(input, at))}`,
  };
}

/** The steps from softmax on. */
export function stepsOf(picture: Picture): Step[] {
  const { question } = picture;
  const steps = question.operation === "nll_loss" ? [] : [softmaxStep(picture), logStep(picture)];
  if (picture.losses !== undefined) steps.push(lossStep(picture, picture.losses));
  if (picture.gradient !== undefined) steps.push(gradientStep(picture, picture.gradient));
  return steps;
}

/** Whether the class index of a place's position is the place's class; of probabilities, whether there is some for it. */
function picker({ question, log, dim }: Picture): (at: readonly number[]) => boolean {
  const { target } = question;
  if (target === undefined) return () => false;
  const isProbabilities = shapeOf(target).length === shapeOf(log).length;
  return (at) =>
    isProbabilities
      ? toNumber(pick(target, at)) > 0
      : toNumber(pick(target, at.toSpliced(dim, 1))) === at[dim];
}

/** The entries of the line through a place, along the class dimension. */
function line(value: Nested, at: readonly number[], dim: number): number[] {
  const length = shapeOf(value)[dim]!;
  return Array.from({ length }, (_, c) => toNumber(pick(value, at.with(dim, c))));
}

function map(value: Nested, change: (number: number) => number): Nested {
  return Array.isArray(value) ? value.map((inner) => map(inner, change)) : change(toNumber(value));
}

function softmaxStep(picture: Picture): Step {
  const { question, log, dim } = picture;
  const { input } = question;
  const softmax = map(log, Math.exp);
  const rank = shapeOf(log).length;
  const sums = rank > 2 || rank === 0 ? undefined : dim === rank - 1 ? "rows" : "columns";
  return {
    id: "softmax",
    title: "Softmax",
    note: "Exponentials, divided by their sum: probabilities that add up to 1.",
    heat: "share",
    planes: classPlanes(softmax),
    isPicked: picker(picture),
    ...(sums === undefined ? {} : { sums }),
    explain(at) {
      if (rank === 0) return `softmax = exp(${text(input)}) / exp(${text(input)}) = 1`;
      const terms = line(input, at, dim).map((value) => `exp(${shortNumber(value)})`);
      const shown = terms.length > 8 ? [...terms.slice(0, 7), "..."] : terms;
      return `softmax${place(at)} = exp(${text(pick(input, at))}) / (${shown.join(" + ")}) = ${text(pick(softmax, at))}`;
    },
  };
}

function logStep(picture: Picture): Step {
  const { question, log, dim } = picture;
  const { input } = question;
  return {
    id: "log",
    title: "Logarithm",
    note: "At most 0, and nearest to 0 where the model is most certain.",
    heat: "log",
    planes: classPlanes(log),
    isPicked: picker(picture),
    explain(at) {
      const value = text(pick(log, at));
      if (shapeOf(log).length === 0) return `log_softmax = ${value}`;
      const scores = line(input, at, dim);
      const most = Math.max(...scores);
      const total = most + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - most), 0));
      return `log_softmax${place(at)} = ${text(pick(input, at))} − log of the sum of exponentials (${shortNumber(total)}) = ${value}`;
    },
  };
}

function lossStep(picture: Picture, losses: Nested): Step {
  return {
    id: "losses",
    title: "Picked, with the sign turned",
    note: "One loss for each position: minus the log-probability of its target. 0 is the best that there is.",
    heat: "loss",
    planes: positionPlanes(losses),
    explain: (at) => explainLoss(picture, at, text(pick(losses, at))),
  };
}

/** The loss of a position: `at` is its place without the class dimension. */
function explainLoss({ question, log, dim }: Picture, at: readonly number[], loss: string): string {
  const { body, target } = question;
  const place0 = at.toSpliced(dim, 0, 0);
  const logs = line(log, place0, dim);
  const name = `loss${place(at)}`;
  const smoothing = toNumber(body.label_smoothing ?? 0);
  const spread =
    smoothing > 0
      ? `, with ${shortNumber(smoothing)} of the target spread over all ${logs.length} classes`
      : "";
  const weighted = body.weight === undefined ? "" : ", each times its class's weight";
  const isProbabilities = shapeOf(target!).length === shapeOf(log).length;
  if (isProbabilities) {
    const shares = line(target!, place0, dim);
    const terms = shares.flatMap((share, c) =>
      share === 0 ? [] : [`${shortNumber(share)} × ${shortNumber(logs[c]!)}`],
    );
    return `${name} = −(${terms.join(" + ")})${weighted}${spread} = ${loss}`;
  }
  const index = toNumber(pick(target!, at));
  if (index === (body.ignore_index ?? -100))
    return `${name} = 0: the target ${index} is ignore_index, and does not count in the mean`;
  const weight = body.weight === undefined ? "" : ` × weight ${text(pick(body.weight as Nested, [index]))}`;
  return `${name} = −log_softmax at class ${index} = −(${shortNumber(logs[index]!)})${weight}${spread} = ${loss}`;
}

function gradientStep({ question, log, dim }: Picture, gradient: Nested): Step {
  const { body, operation, target } = question;
  const isPlain =
    operation === "cross_entropy" &&
    ["weight", "grad_output", "label_smoothing"].every((name) => body[name] === undefined) &&
    shapeOf(target!).length < shapeOf(log).length;
  return {
    id: "gradient",
    title: "Gradient",
    note: "How the answer changes when a score grows a little: training goes the other way.",
    heat: "signed",
    planes: classPlanes(gradient),
    explain(at) {
      const value = text(pick(gradient, at));
      const name = `grad_input${place(at)}`;
      const position = at.toSpliced(dim, 1);
      if (!isPlain || toNumber(pick(target!, position)) === (body.ignore_index ?? -100))
        return `${name} = ${value}`;
      const isTarget = toNumber(pick(target!, position)) === at[dim];
      const share = shortNumber(Math.exp(toNumber(pick(log, at))));
      const divided =
        (body.reduction ?? "mean") === "mean" ? ", divided by the number of positions that count" : "";
      return `${name} = softmax ${share} − ${isTarget ? "1, since this is the target" : "0"}${divided} = ${value}`;
    },
  };
}
