import type { Static } from "typebox";
import { Type } from "typebox";
import { planLogSoftmax } from "../../loss/log-softmax.ts";
import type { Header } from "../../wire/safetensors/header.ts";
import type { OperandReader } from "./compute.ts";
import { optional } from "./nulls.ts";
import type { Operation } from "./operation.ts";
import { modelTensor, REQUIRED } from "./operation.ts";
import {
  castDType,
  dimField,
  flag,
  format,
  MAX_JSON_INTEGER,
  nonFinite,
  realOf,
  returnGrad,
  transformOptions,
} from "./options.ts";
import { resultTensor } from "./result-schemas.ts";
import type { NotStreamable, StreamedInput, Streaming } from "./streaming.ts";
import { lateTensor } from "./streaming.ts";
import { tensorField, WARNINGS } from "./tensor-schemas.ts";

const LogSoftmaxRequest = Type.Object(
  {
    input: tensorField("The logits, of any shape."),
    dim: dimField(
      "The dimension whose exponentials add up to 1, from -rank to rank - 1. If absent or null, PyTorch's legacy rule chooses it (0 for ranks 0, 1 and 3, else 1), with a warning.",
    ),
    dtype: castDType,
    ...transformOptions,
    index: optional(
      tensorField(
        "Class indices in [0, C): int64, int32 or uint8, of the input's shape except along `dim`. Returns their log-probabilities as `values` instead of `output`, like `torch.gather`.",
      ),
    ),
    top_k: optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_JSON_INTEGER,
        description:
          "Number of log-probabilities to return for each line, at most C. Returns the largest as `values` and their classes as `indices` instead of `output`, like `torch.topk`. Not with `index`.",
      }),
    ),
    return_lse: flag("Whether to return `lse`, log(sum(exp(input))) along `dim`, like `torch.logsumexp`."),
    return_entropy: flag(
      "Whether to return `entropy`, the entropy of each line's softmax, -sum(p * log(p)) with 0 for p = 0.",
    ),
    return_grad: returnGrad,
    grad_output: optional(
      tensorField(
        "The upstream gradient, of exactly the shape of output or values. Default 1 if that is the only output and has one element. 0 beside grad_lse or grad_entropy. Otherwise required with return_grad.",
      ),
    ),
    grad_lse: optional(tensorField("The upstream gradient of lse, of its shape. Default 0.")),
    grad_entropy: optional(tensorField("The upstream gradient of entropy, of its shape. Default 0.")),
    format,
    non_finite: nonFinite,
  },
  { $id: "LogSoftmaxRequest", title: "LogSoftmaxRequest", additionalProperties: false },
);

const LogSoftmaxResult = Type.Object(
  {
    output: Type.Optional(
      resultTensor("The log-probabilities, of the input's shape. Absent with index or top_k."),
    ),
    values: Type.Optional(
      resultTensor(
        "With index or top_k: log-probabilities with the bits of output. With index of its shape, with top_k of the input's shape with top_k along dim, in descending order.",
      ),
    ),
    indices: Type.Optional(
      resultTensor(
        "With top_k: the classes of values, int64. Equal log-probabilities, as rounded to the output's dtype, are in the order of their classes, and so are lines of NaN.",
      ),
    ),
    lse: Type.Optional(
      resultTensor(
        "With return_lse: log(sum(exp(input))) of each line, of the input's shape without dim, in the output's dtype.",
      ),
    ),
    entropy: Type.Optional(
      resultTensor(
        "With return_entropy: the entropy of each line, of the input's shape without dim, in the output's dtype.",
      ),
    ),
    grad_input: Type.Optional(
      resultTensor("With return_grad: the gradient with respect to input, of its shape and dtype."),
    ),
    warnings: WARNINGS,
  },
  { $id: "LogSoftmaxResult", title: "LogSoftmaxResult" },
);

/** Reads the operands and options of log_softmax, and plans the loss. */
function logSoftmaxPlan(
  reader: OperandReader,
  body: Static<typeof LogSoftmaxRequest>,
  streamed?: StreamedInput,
): ReturnType<typeof planLogSoftmax> {
  const input = reader.tensor("input", "float32");
  const options = {
    dim: body.dim,
    dtype: body.dtype,
    temperature: realOf(body.temperature),
    softcap: realOf(body.softcap),
    returnGrad: body.return_grad,
    gradOutput: reader.optional("grad_output", input.dtype),
    index: reader.optional("index", "int64"),
    topK: body.top_k,
    returnLse: body.return_lse,
    returnEntropy: body.return_entropy,
    gradLse: reader.optional("grad_lse", input.dtype),
    gradEntropy: reader.optional("grad_entropy", input.dtype),
  };
  return planLogSoftmax(input, options, streamed?.windowBytes);
}

/** Decides how POST /v1/log_softmax reads a safetensors body. */
function logSoftmaxStreaming(
  body: Static<typeof LogSoftmaxRequest>,
  { entries }: Header,
): Streaming | NotStreamable {
  if (body.return_grad) return { reason: "the gradient needs the rows and grad_output side by side" };
  if (body.top_k !== undefined) return { streamedOutput: undefined, trailing: [] };
  const names = entries.map(({ name }) => name);
  const streamedOutput = names.includes("index") ? undefined : "output";
  return lateTensor(names, ["index"]) ?? { streamedOutput, trailing: [] };
}

/** POST /v1/log_softmax and the model log_softmax. */
export const LOG_SOFTMAX: Operation = {
  name: "log_softmax",
  operationId: "logSoftmax",
  summary: "Logarithm of the softmax along a dimension",
  description:
    "`torch.nn.functional.log_softmax`: every line along `dim` becomes (x - max) - log(sum(exp(x - max))). With return_grad also `grad_output - exp(output) * sum(grad_output)`. With index or top_k, only the chosen log-probabilities are returned.",
  request: LogSoftmaxRequest,
  response: LogSoftmaxResult,
  plan: logSoftmaxPlan,
  streaming: logSoftmaxStreaming,
  model: {
    inputs: [
      modelTensor("input", "FP32", [-1, -1], REQUIRED),
      modelTensor("grad_output", "FP32", [-1, -1]),
      modelTensor("index", "INT64", [-1, -1]),
      modelTensor("grad_lse", "FP32", [-1]),
      modelTensor("grad_entropy", "FP32", [-1]),
    ],
    outputs: [
      modelTensor("output", "FP32", [-1, -1]),
      modelTensor("values", "FP32", [-1, -1]),
      modelTensor("indices", "INT64", [-1, -1]),
      modelTensor("lse", "FP32", [-1]),
      modelTensor("entropy", "FP32", [-1]),
      modelTensor("grad_input", "FP32", [-1, -1]),
    ],
    mainOutput: "output",
  },
};
