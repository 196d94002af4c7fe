/** The step from the losses to the one loss: their sum, divided by the divisor of the mean. */

import { hasProbabilities, isSparse, positionWord, reductionOf } from "../request/request.ts";
import type { Results } from "../request/results.ts";
import { equation, factor, MAX_TERMS, shortNumber, sumOf } from "../tensors/arithmetic.ts";
import type { Nested } from "../tensors/slices.ts";
import { firstNumbers, positionSlices, shapeOf, toNumber } from "../tensors/slices.ts";
import { roundingWords } from "./explanation.ts";
import type { Step } from "./step.ts";
import { cellsOf } from "./step.ts";

/** Returns the step of the one loss, which comes from the losses of another step. None for reduction none. */
export function reductionStep(results: Results, losses: Nested, lossesStep: Step): Step[] {
  const { request, response } = results;
  const { loss } = response as { loss?: Nested };
  if (loss === undefined) return [];
  const reduction = reductionOf(request.body);
  return [
    {
      id: "result",
      title: "Loss",
      note:
        reduction === "sum"
          ? "All losses added up."
          : `All losses added up, divided by ${divisorWords(results)}.`,
      arrow: reduction,
      slices: positionSlices(loss, "loss"),
      isNumber: true,
      sourcesOf: () => cellsOf(lossesStep),
      explain: () => explainReduction(results, losses),
    },
  ];
}

/** Says by what a mean divides. */
function divisorWords({ request, response }: Results): string {
  const { operation, body } = request;
  if (reductionOf(body) === "batchmean") return "the first size of the input";
  if (operation === "kl_div") return "the number of elements";
  const positions = `the number of ${positionWord(request)}s`;
  if (response.total_weight === undefined) return positions;
  const isWeighted = body.sample_weight !== undefined;
  if (isSparse(request) || hasProbabilities(request))
    return isWeighted ? "the sum of sample_weight" : `${positions} with a target`;
  if (body.weight === undefined && !isWeighted) return `${positions} with a target`;
  return `the sum of ${body.weight === undefined ? "" : "the targets’ weights"}${isWeighted && body.weight !== undefined ? " times " : ""}${isWeighted ? "sample_weight" : ""}`;
}

/** Returns the number by which the reduction divides the sum of the losses. */
export function divisorOf({ request, response, losses }: Results): number {
  const reduction = reductionOf(request.body);
  const shape = shapeOf(losses ?? 0);
  if (reduction === "batchmean") return shape[0] ?? 1;
  if (reduction !== "mean") return 1;
  const positions = shape.reduce((count, size) => count * size, 1);
  return toNumber(response.total_weight ?? positions);
}

/** Explains the one loss that the losses are reduced to. */
function explainReduction(results: Results, losses: Nested): string {
  const { request, response } = results;
  const value = toNumber(response.loss);
  const divisor = divisorOf(results);
  // PyTorch divides each part of a loss, so a part of 0 becomes NaN beside others.
  if (divisor === 0)
    return `loss = ${shortNumber(value)}: the sum is divided by ${divisorWords(results)}, which is 0`;
  // One more than are shown, so that the sum has dots.
  const terms = firstNumbers(losses, MAX_TERMS + 1);
  const sum = sumOf(terms, (loss, index) => (index === 0 ? shortNumber(loss) : factor(loss)));
  const isSum = reductionOf(request.body) === "sum" || divisor === 1;
  const arithmetic = isSum ? sum : `${terms.length === 1 ? sum : `(${sum})`} / ${factor(divisor)}`;
  return equation("loss", arithmetic, value, roundingWords(request));
}
