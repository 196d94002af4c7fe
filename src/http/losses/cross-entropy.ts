import type { Static } from "typebox";
import { Type } from "typebox";
import { planCrossEntropy } from "../../loss/cross-entropy.ts";
import type { LossResult } from "../../loss/index-loss.ts";
import type { Plan } from "../../loss/plan.ts";
import { sameShape } from "../../tensor/tensor.ts";
import type { OperandReader } from "./compute.ts";
import { lossDType } from "./compute.ts";
import type { Operation } from "./operation.ts";
import { CLASS_INDEX, LOSS_MODEL, modelTensor } from "./operation.ts";
import { optional } from "./optional.ts";
import { lossOptions, lossResult, realOf, transformOptions } from "./options.ts";
import { resultTensor } from "./result-schemas.ts";
import type { StreamedInput } from "./streaming.ts";
import { lossStreaming } from "./streaming.ts";
import { realField, tensorField, WARNINGS } from "./tensor-schemas.ts";

const CrossEntropyRequest = Type.Object(
  {
    input: tensorField(
      "The logits, shape (C), (N, C) or (N, C, d1..dK), or with dim any shape with the classes there.",
    ),
    target: tensorField(
      "Class indices in [0, C), the input's shape without the class dimension; or probabilities of the input's shape, including one-hot rows.",
    ),
    ...lossOptions,
    label_smoothing: optional(
      realField(
        "Share of the target that is spread evenly over all classes, up to 1. 0, negative values and NaN disable it.",
        0,
      ),
    ),
    ...transformOptions,
    return_grad_target: optional(
      Type.Boolean({
        default: false,
        description: "Probabilities only: also return `grad_target`, the gradient with respect to target.",
      }),
    ),
  },
  { $id: "CrossEntropyRequest", title: "CrossEntropyRequest", additionalProperties: false },
);

const CrossEntropyResult = Type.Object(
  {
    ...lossResult,
    grad_target: Type.Optional(
      resultTensor("With return_grad_target: the gradient with respect to target, of its shape and dtype."),
    ),
    warnings: WARNINGS,
  },
  { $id: "CrossEntropyResult", title: "CrossEntropyResult" },
);

/** POST /v1/cross_entropy */
function crossEntropyPlan(
  reader: OperandReader,
  body: Static<typeof CrossEntropyRequest>,
  streamed?: StreamedInput,
): Plan<LossResult> {
  const input = reader.tensor("input", "float32");
  // Takes a target of the input's shape without a dtype as probabilities, because JSON does not tell 1 from 1.0.
  const isProbabilities = sameShape(input.shape, reader.operands.shape("target"));
  const target = reader.tensor("target", isProbabilities ? lossDType(body, input) : "int64");
  const options = {
    ...reader.lossOptions(body, input),
    labelSmoothing: realOf(body.label_smoothing),
    temperature: realOf(body.temperature),
    softcap: realOf(body.softcap),
    returnGradTarget: body.return_grad_target,
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
  model: { ...LOSS_MODEL, outputs: [...LOSS_MODEL.outputs, modelTensor("grad_target", "FP32", [-1, -1])] },
};
