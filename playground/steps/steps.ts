/** The steps of log_softmax, nll_loss and cross_entropy: a table each, and an explanation for each cell. */

import type { LossRequest } from "../request/request.ts";
import {
  dimOf,
  hasProbabilities,
  isKept,
  isSparse,
  isTarget,
  positionHead,
  positionWord,
  targetShares,
} from "../request/request.ts";
import type { Results } from "../request/results.ts";
import { isTransformed, scoresId, transformScore } from "../request/scores.ts";
import { shortNumber } from "../tensors/arithmetic.ts";
import type { Indices, Nested } from "../tensors/slices.ts";
import {
  classSlices,
  lineAt,
  lineIndices,
  MAX_DRAWN_LINE,
  mapElements,
  positionSlices,
  shapeOf,
} from "../tensors/slices.ts";
import { divergenceSteps } from "./divergence.ts";
import { explainLogSoftmax, explainLoss, explainSoftmax, explainTransformed } from "./explanation.ts";
import { explainGradInput, explainGradTarget } from "./gradient-explanation.ts";
import { inputStep } from "./input-step.ts";
import { otherStep } from "./other-results.ts";
import { divisorOf, reductionStep } from "./reduction.ts";
import type { CellRef, Step, Sums } from "./step.ts";

/** Returns all steps, in the order of the computation. */
export function stepsOf(results: Results): Step[] {
  const { request, dim, losses, gradInput, gradTarget, others } = results;
  if (request.operation === "kl_div") return divergenceSteps(results);
  const isPicked = (at: Indices): boolean => isTarget(request, at);
  const positionOf = (at: Indices): Indices => at.toSpliced(dim, 1);
  const byClass = (step: Step): Step => ({ ...step, positionOf });
  const input = byClass(inputStep(request));
  const steps: Step[] =
    request.operation === "nll_loss"
      ? [{ ...input, isPicked }]
      : [
          input,
          ...(isTransformed(request) ? [byClass(transformStep(request))] : []),
          byClass({ ...softmaxStep(results), isPicked }),
          byClass({ ...logSoftmaxStep(results), isPicked }),
        ];
  if (losses !== undefined) {
    const lossesStep = lossStep(results, losses);
    steps.push(lossesStep, ...reductionStep(results, losses, lossesStep));
  }
  if (gradInput !== undefined) steps.push(byClass({ ...gradInputStep(results, gradInput), isPicked }));
  if (gradTarget !== undefined) steps.push(byClass(gradTargetStep(results, gradTarget)));
  for (const [name, value] of Object.entries(others)) steps.push(otherStep(results, name, value));
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
    note: `${bounds}${divides}The next steps start from these scores.`,
    arrow: [softcap === undefined ? "" : "softcap", temperature === 1 ? "" : "temperature"]
      .filter((word) => word !== "")
      .join(", then "),
    heat: "signed",
    slices: classSlices(
      mapElements(request.input, (score) => transformScore(request, score)),
      dimOf(request),
      request.classNames,
    ),
    sourcesOf: (at) => [{ step: "input", at }],
    explain: (at) => explainTransformed(request, at),
  };
}

function softmaxStep(results: Results): Step {
  const { request, logProbs, dim } = results;
  const rank = shapeOf(logProbs).length;
  const isTable = rank === 1 || rank === 2 || (rank === 3 && dim === 2);
  const shares = mapElements(logProbs, Math.exp);
  const sums: Sums = {
    of: dim === rank - 1 ? "rows" : "columns",
    sumAt: (at) => lineAt(shares, at, dim).reduce((sum, share) => sum + share, 0),
  };
  return {
    id: "softmax",
    title: "Probabilities (softmax)",
    note: `All positive, and those of one ${positionWord(request)} add up to 1.${request.target === undefined ? "" : " The target is framed."}`,
    arrow: "exp, then divide by the sum",
    heat: "share",
    slices: classSlices(shares, dim, request.classNames),
    ...(isTable && { sums }),
    sourcesOf: (at) =>
      lineIndices(request.input, at.toSpliced(dim, 1), dim, MAX_DRAWN_LINE).map((one) => ({
        step: scoresId(request),
        at: one,
      })),
    explain: (at) => explainSoftmax(results, at),
  };
}

function logSoftmaxStep(results: Results): Step {
  const { request, logProbs, dim } = results;
  return {
    id: "log",
    title: "Log-probabilities (log_softmax)",
    note: "At most 0: the nearer to 0, the more certain the model is.",
    arrow: "logarithm",
    heat: "log",
    slices: classSlices(logProbs, dim, request.classNames),
    sourcesOf: (at) => [{ step: "softmax", at }],
    explain: (at) => explainLogSoftmax(results, at),
  };
}

function lossStep(results: Results, losses: Nested): Step {
  const { request, dim } = results;
  const isShared = hasProbabilities(request) || isSparse(request);
  const from = request.operation === "nll_loss" ? "input" : "log";
  const sourcesOf = (position: Indices): CellRef[] => {
    if (!isKept(request, position)) return [];
    return targetShares(request, position)
      .filter(({ share }) => share !== 0)
      .slice(0, MAX_DRAWN_LINE)
      .map(({ c }) => ({ step: from, at: position.toSpliced(dim, 0, c) }));
  };
  return {
    id: "losses",
    title: `Loss of each ${positionWord(request)}`,
    note: lossNote(results),
    arrow: isShared ? "times the target, add up, turn the sign" : "take the target’s, turn the sign",
    heat: "loss",
    slices: positionSlices(losses, "loss", positionHead(request)),
    positionOf: (at) => at,
    sourcesOf,
    explain: (at) => explainLoss(results, losses, at),
  };
}

function lossNote(results: Results): string {
  const { request } = results;
  const { shift = 0, sample_weight: sampleWeight, lse_square_scale: scale = 0, weight } = request.body;
  const isShared = hasProbabilities(request) || isSparse(request);
  const log = request.operation === "nll_loss" ? "the input at the target" : "log p(target)";
  return [
    isShared
      ? "−target · log p, added up over the classes."
      : `−${log}: 0 is perfect, and a wrong class is expensive.`,
    weight === undefined ? "" : "Times the weight of the class.",
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
  const { request, dim } = results;
  const { operation } = request;
  const isSoftmax = operation !== "nll_loss";
  return {
    id: "gradient",
    title: "Gradient",
    note:
      operation === "log_softmax"
        ? "How the results, each times its grad_output, change when a score grows a little."
        : "How the loss changes when a score grows a little. A training step lowers the scores with a positive gradient, and raises the others.",
    arrow: gradientWords(results),
    heat: "signed",
    slices: classSlices(gradInput, dim, request.classNames),
    sourcesOf: (at) => {
      const isComputed = operation === "log_softmax" || isKept(request, at.toSpliced(dim, 1));
      return isSoftmax && isComputed ? [{ step: "softmax", at }] : [];
    },
    explain: (at) => explainGradInput(results, gradInput, at),
  };
}

function gradientWords(results: Results): string {
  const { operation } = results.request;
  if (operation === "log_softmax") return "back from grad_output";
  const start = operation === "nll_loss" ? "−1 at the target" : "softmax − target";
  const divisor = divisorOf(results);
  return divisor === 1 ? start : `${start}, divided by ${shortNumber(divisor)}`;
}

function gradTargetStep(results: Results, gradTarget: Nested): Step {
  const { request, dim } = results;
  return {
    id: "gradient-target",
    title: "Gradient of the target",
    note: "How the result changes when a share of the target grows a little.",
    heat: "signed",
    slices: classSlices(gradTarget, dim, request.classNames),
    sourcesOf: (at) => [{ step: "log", at }],
    explain: (at) => explainGradTarget(results, gradTarget, at),
  };
}
