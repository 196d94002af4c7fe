import type { Static } from "typebox";
import { Type } from "typebox";
import { planCrossEntropy } from "../../loss/cross-entropy.ts";
import type { LossResult } from "../../loss/loss-result.ts";
import type { Plan } from "../../loss/plan.ts";
import { sameShape } from "../../tensor/tensor.ts";
import type { OperandReader } from "./compute.ts";
import { optional } from "./nulls.ts";
import type { Operation } from "./operation.ts";
import { CLASS_INDEX, FIXED_RANK, LOSS_MODEL, modelTensor } from "./operation.ts";
import {
  flag,
  lossDType,
  lossRequestFields,
  lossResult,
  readLossOptions,
  realOf,
  transformOptions,
} from "./options.ts";
import { resultNumber, resultTensor } from "./result-schemas.ts";
import type { StreamedInput } from "./streaming.ts";
import { lossStreaming } from "./streaming.ts";
import { realField, tensorField, WARNINGS } from "./tensor-schemas.ts";

const CrossEntropyRequest = Type.Object(
  {
    input: tensorField(
      "The logits, shape (C), (N, C) or (N, C, d1..dK), or with dim any shape with the classes there.",
    ),
    target: tensorField(
      "Class indices in [0, C), the input's shape without the class dimension; or probabilities of the input's shape, including one-hot rows; or with target_weight K class indices for each position, the input's shape with K classes, at most 1024.",
    ),
    ...lossRequestFields,
    label_smoothing: optional(
      realField(
        "Share of the target that is spread evenly over all classes, up to 1. 0, negative values and NaN disable it.",
        0,
      ),
    ),
    ...transformOptions,
    lse_square_scale: optional(
      realField(
        "Scale of the z-loss, lse_square_scale * logsumexp(logits)^2, which is added to the loss of each kept position. At least 0.",
        0,
      ),
    ),
    return_z_loss: flag("Also return `z_loss` (`z_losses` with reduction none), which is part of the loss."),
    return_predictions: flag(
      "Also return `predictions`, the class of the largest logit of each position, the first of equal ones.",
    ),
    return_correct: flag("Class indices only: also return `correct`, whether the prediction is the target."),
    target_weight: optional(
      tensorField(
        "Weight of each class of a sparse target, in the target's shape. The loss is that of probabilities with these entries and 0 elsewhere, such as the top K of a teacher.",
      ),
    ),
    return_grad_target_weight: flag(
      "With target_weight: also return `grad_target_weight`, the gradient with respect to it.",
    ),
    return_grad_target: flag(
      "Probabilities only: also return `grad_target`, the gradient with respect to target.",
    ),
  },
  { $id: "CrossEntropyRequest", title: "CrossEntropyRequest", additionalProperties: false },
);

const CrossEntropyResult = Type.Object(
  {
    ...lossResult,
    z_loss: Type.Optional(
      resultNumber("With return_z_loss and reduction mean or sum: the z-loss, reduced as the loss."),
    ),
    z_losses: Type.Optional(
      resultTensor("With return_z_loss and reduction none: the z-loss of each position."),
    ),
    predictions: Type.Optional(
      resultTensor("With return_predictions: class indices of the losses' shape, int64."),
    ),
    correct: Type.Optional(
      resultTensor("With return_correct: 1 where the prediction is the target, otherwise 0, uint8."),
    ),
    grad_target_weight: Type.Optional(
      resultTensor("With return_grad_target_weight: the gradient, of the shape and dtype of target_weight."),
    ),
    grad_target: Type.Optional(
      resultTensor("With return_grad_target: the gradient with respect to target, of its shape and dtype."),
    ),
    warnings: WARNINGS,
  },
  { $id: "CrossEntropyResult", title: "CrossEntropyResult" },
);

/** Reads the operands and options of cross_entropy, and plans the loss. */
function crossEntropyPlan(
  reader: OperandReader,
  body: Static<typeof CrossEntropyRequest>,
  streamed?: StreamedInput,
): Plan<LossResult> {
  const input = reader.tensor("input", "float32");
  // Takes a target of the input's shape without a dtype as probabilities, because JSON does not tell 1 from 1.0.
  const isSparse = reader.operands.has("target_weight");
  const isProbabilities = !isSparse && sameShape(input.shape, reader.operands.shape("target"));
  const target = reader.tensor("target", isProbabilities ? lossDType(body, input) : "int64");
  const options = {
    ...readLossOptions(reader, body, input),
    labelSmoothing: realOf(body.label_smoothing),
    temperature: realOf(body.temperature),
    softcap: realOf(body.softcap),
    lseSquareScale: realOf(body.lse_square_scale),
    returnZLoss: body.return_z_loss,
    returnPredictions: body.return_predictions,
    returnCorrect: body.return_correct,
    returnGradTarget: body.return_grad_target,
    targetWeight: reader.optional("target_weight", lossDType(body, input)),
    returnGradTargetWeight: body.return_grad_target_weight,
  };
  return planCrossEntropy(input, target, options, streamed);
}

/** POST /v1/cross_entropy and the model cross_entropy. */
export const CROSS_ENTROPY: Operation = {
  name: "cross_entropy",
  operationId: "crossEntropy",
  summary: "Cross entropy between logits and class indices or probabilities",
  description:
    "`torch.nn.functional.cross_entropy`: log_softmax over the class dimension, then nll_loss. With a target of the input's shape, minus the sum of log-probabilities times probabilities. The mean divides by the weights of the kept targets for class indices, by the number of positions for probabilities.",
  request: CrossEntropyRequest,
  response: CrossEntropyResult,
  plan: crossEntropyPlan,
  streaming: lossStreaming,
  targetElement: `${CLASS_INDEX}, or a probability, a number`,
  model: {
    ...LOSS_MODEL,
    inputs: [...LOSS_MODEL.inputs, modelTensor("target_weight", "FP32", [-1, -1])],
    outputs: [
      ...LOSS_MODEL.outputs,
      modelTensor("grad_target", "FP32", [-1, -1]),
      modelTensor("z_loss", "FP32", [], FIXED_RANK),
      modelTensor("z_losses", "FP32", [-1]),
      modelTensor("predictions", "INT64", [-1]),
      modelTensor("correct", "UINT8", [-1]),
      modelTensor("grad_target_weight", "FP32", [-1, -1]),
    ],
  },
};
