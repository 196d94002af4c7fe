import type { Static } from "typebox";
import { Type } from "typebox";
import { planLogSoftmax } from "../../loss/log-softmax.ts";
import type { OperandReader } from "./compute.ts";
import type { Operation } from "./operation.ts";
import { modelTensor } from "./operation.ts";
import { optional } from "./optional.ts";
import { castDType, format, gradOutput, MAX_JSON_INTEGER, nonFinite, returnGrad } from "./options.ts";
import { resultTensor } from "./result-schemas.ts";
import type { Obstacle, StreamedInput, Streaming } from "./streaming.ts";
import { tensorField, WARNINGS } from "./tensor-schemas.ts";

const LogSoftmaxRequest = Type.Object(
  {
    input: tensorField("The logits, of any shape."),
    dim: optional(
      Type.Integer({
        minimum: -MAX_JSON_INTEGER,
        maximum: MAX_JSON_INTEGER,
        default: null,
        description:
          "The dimension whose exponentials add up to 1, from -rank to rank - 1. If absent or null, PyTorch's legacy rule chooses it (0 for ranks 0, 1 and 3, else 1), with a warning.",
      }),
    ),
    dtype: castDType,
    return_grad: returnGrad,
    grad_output: gradOutput,
    format,
    non_finite: nonFinite,
  },
  { $id: "LogSoftmaxRequest", title: "LogSoftmaxRequest", additionalProperties: false },
);

const LogSoftmaxResult = Type.Object(
  {
    output: resultTensor("The log-probabilities, of the input's shape."),
    grad_input: Type.Optional(
      resultTensor("With return_grad: the gradient with respect to input, of its shape and dtype."),
    ),
    warnings: WARNINGS,
  },
  { $id: "LogSoftmaxResult", title: "LogSoftmaxResult" },
);

/** POST /v1/log_softmax */
function logSoftmaxPlan(
  reader: OperandReader,
  body: Static<typeof LogSoftmaxRequest>,
  streamed?: StreamedInput,
): ReturnType<typeof planLogSoftmax> {
  const input = reader.tensor("input", "float32");
  const options = {
    dim: body.dim,
    dtype: body.dtype,
    returnGrad: body.return_grad,
    gradOutput: reader.optional("grad_output", input.dtype),
  };
  return planLogSoftmax(input, options, streamed?.windowBytes);
}

/** Decides how POST /v1/log_softmax reads a safetensors body. */
function logSoftmaxStreaming(body: Static<typeof LogSoftmaxRequest>): Streaming | Obstacle {
  if (body.return_grad) return { obstacle: "the gradient needs the rows and grad_output side by side" };
  return { leaves: "output", last: [] };
}

/** POST /v1/log_softmax and the model log_softmax. */
export const LOG_SOFTMAX: Operation = {
  name: "log_softmax",
  operationId: "logSoftmax",
  summary: "Logarithm of the softmax along a dimension",
  description:
    "`torch.nn.functional.log_softmax`: every line along `dim` becomes (x - max) - log(sum(exp(x - max))). With return_grad also `grad_output - exp(output) * sum(grad_output)`.",
  request: LogSoftmaxRequest,
  response: LogSoftmaxResult,
  plan: logSoftmaxPlan,
  streaming: logSoftmaxStreaming,
  model: {
    inputs: [
      modelTensor("input", "FP32", [-1, -1], { optional: false }),
      modelTensor("grad_output", "FP32", [-1, -1]),
    ],
    outputs: [
      modelTensor("output", "FP32", [-1, -1], { optional: false }),
      modelTensor("grad_input", "FP32", [-1, -1]),
    ],
    mainOutput: "output",
  },
};
