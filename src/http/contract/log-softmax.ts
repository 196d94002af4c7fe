import type { Static } from "typebox";
import { Type } from "typebox";
import type { LogSoftmaxResult } from "../../loss/log-softmax.ts";
import { planLogSoftmax } from "../../loss/log-softmax.ts";
import type { Plan } from "../../loss/plan.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Job } from "../job.ts";
import { format, gradOutput, MAX_JSON_INTEGER, returnGrad } from "./options.ts";
import type { Obstacle, StreamedInput, Streaming } from "./streaming.ts";
import { tensorField, WARNINGS } from "./tensor.ts";

export const LogSoftmaxRequest = Type.Object(
  {
    input: tensorField("The logits, of any shape."),
    dim: Type.Optional(
      Type.Union([Type.Integer({ minimum: -MAX_JSON_INTEGER, maximum: MAX_JSON_INTEGER }), Type.Null()], {
        default: null,
        description:
          "The dimension whose exponentials add up to 1, from -rank to rank - 1. Left out or null, PyTorch's legacy rule chooses it (0 for ranks 0, 1 and 3, else 1), with a warning.",
      }),
    ),
    dtype: Type.Optional(
      Type.Unsafe<DType | null>({
        anyOf: [{ $ref: "DType#" }, { type: "null" }],
        default: null,
        description: "Cast the input to this dtype before computing; the output keeps it.",
      }),
    ),
    return_grad: returnGrad,
    grad_output: gradOutput,
    format,
  },
  { $id: "LogSoftmaxRequest", title: "LogSoftmaxRequest", additionalProperties: false },
);

export const LogSoftmaxResponse = Type.Object(
  {
    output: tensorField("The log-probabilities, of the input's shape."),
    grad_input: Type.Optional(
      tensorField("With return_grad: the gradient with respect to input, of its shape and dtype."),
    ),
    warnings: WARNINGS,
  },
  { $id: "LogSoftmaxResponse", title: "LogSoftmaxResponse", additionalProperties: false },
);

/** POST /v1/log_softmax */
export function logSoftmaxPlan(
  job: Job,
  body: Static<typeof LogSoftmaxRequest>,
  streamed?: StreamedInput,
): Plan<LogSoftmaxResult> {
  const input = job.tensor("input", "float32");
  const options = {
    dim: body.dim,
    dtype: body.dtype,
    returnGrad: body.return_grad,
    gradOutput: job.optionalTensor("grad_output", input.dtype),
  };
  return planLogSoftmax(input, options, streamed?.windowBytes);
}

/** How POST /v1/log_softmax takes a safetensors body. */
export function logSoftmaxStreaming(body: Static<typeof LogSoftmaxRequest>): Streaming | Obstacle {
  if (body.return_grad) return { obstacle: "the gradient needs the rows and grad_output side by side" };
  return { leaves: "output", last: [] };
}
