/** What is asked of the API for one picture: the person's own request, and what its steps look like. */

import type { Body } from "./server.ts";
import { ask } from "./server.ts";
import type { Nested } from "./slices.ts";
import { shapeOf } from "./slices.ts";

export type Operation = "cross_entropy" | "nll_loss" | "log_softmax";
export type Reduction = "none" | "mean" | "sum";

export interface Question {
  readonly operation: Operation;
  /** The request as it is shown and copied. */
  readonly body: Body;
  readonly input: Nested;
  readonly target: Nested | undefined;
  readonly threeWays: boolean;
}

export interface Picture {
  readonly question: Question;
  /** The answer to the request, as it came. */
  readonly answer: Body;
  /** The dimension along which the probabilities add up to 1. */
  readonly dim: number;
  readonly log: Nested;
  /** With reduction none: one loss for each position. */
  readonly losses: Nested | undefined;
  readonly gradient: Nested | undefined;
  /** Of probabilities, where it was asked for. */
  readonly targetGradient: Nested | undefined;
  /** The same loss in other ways, by their names. */
  readonly ways: readonly Way[];
}

export interface Way {
  readonly name: string;
  readonly loss: number | string;
}

type Ask = (operation: Operation, body: Body) => Promise<Body>;

/** Asks for everything that a picture shows. Refuses with the refusal of the person's own request. */
export async function paintPicture(question: Question, token: string, signal: AbortSignal): Promise<Picture> {
  const askApi: Ask = (operation, body) => ask(operation, body, token, signal);
  const { operation, body, input } = question;
  const answer = await askApi(operation, body);
  // The pictures are lists with names for non-finite numbers, whatever form the person's answer has.
  const nested = { ...body, format: "nested", non_finite: "string" };
  const isNested = (body.format ?? "nested") === "nested" && body.non_finite !== "null";
  const dim = dimOf(question);
  const [shown, log, losses, ways] = await Promise.all([
    isNested ? answer : askApi(operation, nested),
    logOf(question, dim, askApi),
    operation === "log_softmax" ? undefined : lossesOf(operation, nested, askApi),
    question.threeWays ? waysOf(input, question.target!, askApi) : [],
  ]);
  return {
    question,
    answer,
    dim,
    log,
    losses,
    gradient: shown.grad_input as Nested | undefined,
    targetGradient: shown.grad_target as Nested | undefined,
    ways,
  };
}

/** The class dimension; of log_softmax the one that was asked for, or PyTorch's legacy rule. */
function dimOf({ operation, body, input }: Question): number {
  const rank = shapeOf(input).length;
  if (operation !== "log_softmax") return rank === 1 ? 0 : 1;
  const dim = typeof body.dim === "number" ? body.dim : [0, 1, 3].includes(rank) ? 0 : 1;
  return dim < 0 ? dim + rank : dim;
}

/** The reduction as PyTorch resolves it: `size_average` and `reduce`, where there are any, override the other. */
export function reductionOf({ reduction = "mean", size_average = null, reduce = null }: Body): Reduction {
  if (size_average === null && reduce === null)
    return reduction === "none" || reduction === "sum" ? reduction : "mean";
  if (reduce === false) return "none";
  return size_average === false ? "sum" : "mean";
}

async function logOf({ operation, body, input }: Question, dim: number, askApi: Ask): Promise<Nested> {
  if (operation === "nll_loss") return input;
  const { dtype } = body;
  const { output } = await askApi("log_softmax", { input, dim, ...(dtype === undefined ? {} : { dtype }) });
  return output as Nested;
}

/** The losses of all positions: a scalar input has one, which is no list. */
async function lossesOf(operation: Operation, body: Body, askApi: Ask): Promise<Nested> {
  const others = ["return_grad", "return_grad_target", "grad_output", "size_average", "reduce"];
  const rest = Object.entries(body).filter(([name]) => !others.includes(name));
  return (await askApi(operation, { ...Object.fromEntries(rest), reduction: "none" })).losses as Nested;
}

/** The article's last step: class indices, one-hot rows, and nll_loss of log_softmax give one number. */
async function waysOf(input: Nested, oneHot: Nested, askApi: Ask): Promise<Way[]> {
  const target = (oneHot as number[][]).map((row) => row.indexOf(1));
  const { output } = await askApi("log_softmax", { input, dim: 1 });
  const ways = [
    ["cross_entropy of one-hot rows", "cross_entropy", { input, target: oneHot }],
    ["cross_entropy of class indices", "cross_entropy", { input, target }],
    ["nll_loss of log_softmax", "nll_loss", { input: output, target }],
  ] as const;
  const answers = ways.map(async ([name, operation, body]) => {
    const { loss } = await askApi(operation, body);
    return { name, loss: loss as number | string };
  });
  return Promise.all(answers);
}
