/** What is asked of the API for one picture: the person's own request, and what its steps look like. */
import type { Body } from "./server.ts";
import { ask } from "./server.ts";
import type { Nested } from "./text.ts";
import { shapeOf } from "./text.ts";

export type Operation = "cross_entropy" | "nll_loss" | "log_softmax";

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
  /** The same loss in other ways, by their names. */
  readonly ways: readonly { readonly name: string; readonly loss: number | string }[];
}

type Ask = (operation: Operation, body: Body) => Promise<Body>;

/** Asks for everything that a picture shows. Refuses with the refusal of the person's own request. */
export async function paintPicture(question: Question, token: string, signal: AbortSignal): Promise<Picture> {
  const askApi: Ask = (operation, body) => ask(operation, body, token, signal);
  const { operation, body, input } = question;
  const answer = await askApi(operation, body);
  // The pictures are lists, whatever form the person's answer has.
  const nested = { ...body, format: "nested" };
  const shown =
    body.format === undefined || body.format === "nested" ? answer : await askApi(operation, nested);
  const dim = dimOf(question);
  return {
    question,
    answer,
    dim,
    log: await logOf(question, shown, dim, askApi),
    losses: operation === "log_softmax" ? undefined : await lossesOf(operation, nested, askApi),
    gradient: shown.grad_input as Nested | undefined,
    ways: question.threeWays ? await waysOf(input, question.target!, askApi) : [],
  };
}

/** The class dimension; of log_softmax the one that was asked for, or PyTorch's legacy rule. */
function dimOf({ operation, body, input }: Question): number {
  const rank = shapeOf(input).length;
  if (operation !== "log_softmax") return rank === 1 ? 0 : 1;
  const dim = typeof body.dim === "number" ? body.dim : [0, 1, 3].includes(rank) ? 0 : 1;
  return dim < 0 ? dim + rank : dim;
}

async function logOf(
  { operation, input }: Question,
  answer: Body,
  dim: number,
  askApi: Ask,
): Promise<Nested> {
  if (operation === "nll_loss") return input;
  const { output } = operation === "log_softmax" ? answer : await askApi("log_softmax", { input, dim });
  return output as Nested;
}

/** The losses of all positions: a scalar input has one, which is no list. */
async function lossesOf(operation: Operation, body: Body, askApi: Ask): Promise<Nested> {
  const { return_grad: _, return_grad_target: __, grad_output: ___, size_average: ____, ...rest } = body;
  return (await askApi(operation, { ...rest, reduction: "none" })).losses as Nested;
}

/** The article's last step: class indices, one-hot rows, and nll_loss of log_softmax give one number. */
async function waysOf(
  input: Nested,
  oneHot: Nested,
  askApi: Ask,
): Promise<{ name: string; loss: number | string }[]> {
  const target = (oneHot as number[][]).map((row) => row.indexOf(1));
  const { output } = await askApi("log_softmax", { input, dim: 1 });
  const ways = [
    {
      name: "cross_entropy of one-hot rows",
      answer: await askApi("cross_entropy", { input, target: oneHot }),
    },
    { name: "cross_entropy of class indices", answer: await askApi("cross_entropy", { input, target }) },
    { name: "nll_loss of log_softmax", answer: await askApi("nll_loss", { input: output, target }) },
  ];
  return ways.map(({ name, answer }) => ({ name, loss: answer.loss as number | string }));
}
