/** A request with all numbers that its steps show, computed in the page. */

import type { Nested } from "../tensors/slices.ts";
import { mapElements, shapeOf, toNumber } from "../tensors/slices.ts";
import { compute } from "./compute.ts";
import type { Body, LossRequest } from "./request.ts";
import { dimOf, hasProbabilities } from "./request.ts";
import { roundOperand } from "./scores.ts";

/** A loss computed in another way. */
export interface NamedLoss {
  readonly name: string;
  readonly loss: number | string;
}

/** A request with its response and the steps of its loss. */
export interface Results {
  readonly request: LossRequest;
  readonly response: Body;
  /** The dimension along which the probabilities add up to 1. */
  readonly dim: number;
  /** Log-probabilities: the output of log_softmax, or the input of nll_loss. */
  readonly logProbs: Nested;
  /** The loss of each position, as with reduction none. */
  readonly losses: Nested | undefined;
  readonly gradInput: Nested | undefined;
  readonly gradTarget: Nested | undefined;
  /** All other tensors and numbers of the response, by their names. */
  readonly others: Readonly<Record<string, Nested>>;
  /** The same loss in three equivalent ways, if requested for one-hot rows. */
  readonly threeWays: readonly NamedLoss[];
}

/** Members of a response that have a place of their own in the results, or are no tensors. */
const KNOWN_MEMBERS = ["output", "loss", "losses", "total_weight", "grad_input", "grad_target", "warnings"];

/**
 * Computes a request and the steps of its loss.
 *
 * @throws {Refusal} for a request that lossd rejects
 */
export function computeResults(request: LossRequest): Results {
  const { operation, body } = request;
  // Before the steps, because its error is more useful than the error of a step.
  const response = compute(operation, body);
  return {
    request,
    response,
    dim: dimOf(request),
    logProbs: logProbsOf(request),
    losses: operation === "log_softmax" ? undefined : lossesOf(request),
    gradInput: response.grad_input as Nested | undefined,
    gradTarget: response.grad_target as Nested | undefined,
    others: othersOf(response),
    threeWays: request.threeWays && hasOneHotRows(request) ? threeWaysOf(request) : [],
  };
}

function othersOf(response: Body): Record<string, Nested> {
  const others = Object.entries(response).filter(([name]) => !KNOWN_MEMBERS.includes(name));
  return Object.fromEntries(others) as Record<string, Nested>;
}

/** Returns log_softmax of the scores, after their transform, or the rounded input of nll_loss. */
function logProbsOf(request: LossRequest): Nested {
  const { operation, body, input } = request;
  // The steps of a divergence do not show them.
  if (operation === "kl_div") return input;
  if (operation === "nll_loss") return mapElements(input, (value) => roundOperand(body, value));
  const options = ["dtype", "softcap", "temperature"]
    .filter((name) => body[name] !== undefined)
    .map((name) => [name, body[name]]);
  const { output } = compute("log_softmax", { input, dim: dimOf(request), ...Object.fromEntries(options) });
  return output as Nested;
}

/** Returns the loss of each position, a scalar for one sample. */
function lossesOf({ operation, body }: LossRequest): Nested {
  const omitted = ["grad_output", "size_average", "reduce"];
  const kept = Object.entries(body).filter(
    ([name]) => !omitted.includes(name) && !name.startsWith("return_"),
  );
  return compute(operation, { ...Object.fromEntries(kept), reduction: "none" }).losses as Nested;
}

/** Returns true if each row of the target of cross_entropy has a 1 for one class and 0 for all others. */
function hasOneHotRows(request: LossRequest): boolean {
  const { operation, target = [] } = request;
  if (operation !== "cross_entropy" || !hasProbabilities(request) || shapeOf(target).length !== 2)
    return false;
  return (target as Nested[][]).every((row) => {
    const shares = row.map(toNumber).filter((share) => share !== 0);
    return shares.length === 1 && shares[0] === 1;
  });
}

/** Computes the loss of one-hot rows, of their class indices, and by nll_loss of log_softmax. */
function threeWaysOf({ input, target: oneHot }: LossRequest): NamedLoss[] {
  const target = (oneHot as number[][]).map((row) => row.indexOf(1));
  const { output } = compute("log_softmax", { input, dim: 1 });
  const ways = [
    ["cross_entropy of one-hot rows", "cross_entropy", { input, target: oneHot }],
    ["cross_entropy of class indices", "cross_entropy", { input, target }],
    ["nll_loss of log_softmax", "nll_loss", { input: output, target }],
  ] as const;
  return ways.map(([name, operation, body]) => ({
    name,
    loss: compute(operation, body).loss as number | string,
  }));
}
