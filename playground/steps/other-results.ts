/** Steps of the results beside the loss, the output and the gradients: predictions, the z-loss, and all others. */

import { positionHead } from "../request/request.ts";
import type { Results } from "../request/results.ts";
import { scoresId } from "../request/scores.ts";
import { elementName, fullNumber } from "../tensors/arithmetic.ts";
import type { Indices, Nested } from "../tensors/slices.ts";
import { lineIndices, MAX_DRAWN_LINE, numberAt, plainSlices, positionSlices } from "../tensors/slices.ts";
import type { Heat } from "./colors.ts";
import { explainZLoss } from "./explanation.ts";
import { explainGradTargetWeight } from "./gradient-explanation.ts";
import type { Step } from "./step.ts";

/** Words and layout for a tensor or number of a response. */
interface OtherResult {
  readonly title: string;
  readonly note: string;
  /** Whether it has a number for each position, like the losses, which comes from the scores of the position. */
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
    explain: explainZLoss,
  },
  predictions: {
    title: "Predictions",
    note: "The class of the largest score, the first of equal ones.",
    hasPositions: true,
  },
  correct: {
    title: "Correct predictions",
    note: "1 if the prediction is the target, otherwise 0, also for an ignored target. The accuracy is their sum, divided by the number of targets that are not ignored.",
    hasPositions: true,
  },
  grad_target_weight: {
    title: "Gradient of target_weight",
    note: "How the result changes when a weight of the target grows a little.",
    heat: "signed",
    explain: explainGradTargetWeight,
  },
  values: {
    title: "Chosen log-probabilities",
    note: "The log-probabilities of the classes that index or top_k chose.",
  },
  indices: { title: "Chosen classes", note: "The classes whose log-probabilities are returned." },
  lse: { title: "Logarithm of the sum of exponentials", note: "log_softmax subtracts it from each score." },
  entropy: { title: "Entropy", note: "0 if one class is certain, and largest if all are equally probable." },
};

/** Returns a step of any other tensor or number of the response. One without a row in the table has its name as title. */
export function otherStep(results: Results, name: string, value: Nested): Step {
  const known = OTHER_RESULTS[name];
  const { heat, hasPositions = false } = known ?? {};
  const { request, dim } = results;
  return {
    id: name.replaceAll("_", "-"),
    title: known?.title ?? `Result: ${name}`,
    note: known?.note ?? "",
    ...(heat && { heat }),
    slices: hasPositions ? positionSlices(value, name, positionHead(request)) : plainSlices(value, name),
    ...(hasPositions && {
      positionOf: (at: Indices) => at,
      sourcesOf: (position: Indices) =>
        lineIndices(request.input, position, dim, MAX_DRAWN_LINE).map((at) => ({
          step: scoresId(request),
          at,
        })),
    }),
    explain: (at) =>
      known?.explain?.(results, value, at) ?? `${elementName(name, at)} = ${fullNumber(numberAt(value, at))}`,
  };
}
