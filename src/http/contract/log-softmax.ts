import type { Static } from "typebox";
import { Type } from "typebox";
import { LogSoftmaxFold, logSoftmax } from "../../loss/log-softmax.ts";
import type { RowFold } from "../../loss/rows.ts";
import type { Steps } from "../../loss/workspace.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Answer, Job } from "../job.ts";
import { format, gradOutput, MAX_JSON_INTEGER, nonFinite, returnGrad } from "./options.ts";
import { resultTensor } from "./result.ts";
import type { Obstacle, Streaming } from "./streaming.ts";
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
    non_finite: nonFinite,
  },
  { $id: "LogSoftmaxRequest", title: "LogSoftmaxRequest", additionalProperties: false },
);

export const LogSoftmaxResult = Type.Object(
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
export function* logSoftmaxOperation(job: Job, body: Static<typeof LogSoftmaxRequest>): Steps<Answer> {
  const input = yield* job.tensor("input", "float32");
  const result = yield* logSoftmax(job.work, input, {
    dim: body.dim,
    dtype: body.dtype,
    returnGrad: body.return_grad,
    gradOutput: yield* job.optionalTensor("grad_output", input.dtype),
  });
  return { output: result.output, grad_input: result.gradInput, warnings: result.warnings };
}

/** POST /v1/log_softmax of an upload. */
export function planLogSoftmax(body: Static<typeof LogSoftmaxRequest>): Streaming | Obstacle {
  if (body.return_grad) return { obstacle: "the gradient needs the rows and grad_output side by side" };
  return {
    leaves: "output",
    last: [],
    *open(job) {
      const input: Tensor = yield* job.tensor("input", "float32");
      const gradOutput: Tensor | undefined = yield* job.optionalTensor("grad_output", "float32");
      return new LogSoftmaxFold(job.work, input, { ...body, gradOutput }) as RowFold<Answer>;
    },
  };
}
