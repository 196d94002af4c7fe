import type { Static } from "typebox";
import { Type } from "typebox";
import { planKlDiv } from "../../loss/kl-div.ts";
import type { LossResult } from "../../loss/loss-result.ts";
import type { Plan } from "../../loss/plan.ts";
import type { Header } from "../../wire/safetensors/header.ts";
import type { OperandReader } from "./compute.ts";
import { optional } from "./nulls.ts";
import type { Operation } from "./operation.ts";
import { FIXED_RANK, modelTensor, REQUIRED } from "./operation.ts";
import { dimField, flag, format, gradOutput, legacy, nonFinite, realOf, returnGrad } from "./options.ts";
import { resultNumber, resultTensor } from "./result-schemas.ts";
import type { NotStreamable, StreamedInput, Streaming } from "./streaming.ts";
import { lateTensor } from "./streaming.ts";
import { realField, tensorField, WARNINGS } from "./tensor-schemas.ts";

const KlDivRequest = Type.Object(
  {
    input: tensorField("Log-probabilities, of any shape. With from_logits, logits."),
    target: tensorField(
      "Probabilities, of the input's shape. With log_target, log-probabilities; with from_logits, logits.",
    ),
    reduction: optional(Type.Unsafe<string>({ $ref: "KlDivReduction#", default: "mean" })),
    size_average: legacy("Deprecated: with reduce, overrides reduction."),
    reduce: legacy("Deprecated: with size_average, overrides reduction."),
    log_target: flag("Whether target holds log-probabilities."),
    from_logits: flag(
      "Whether input and target are logits: both are divided by temperature and go through log_softmax over dim first. PyTorch has no such option.",
    ),
    dim: dimField(
      "With from_logits: the dimension whose probabilities add up to 1, from -rank to rank - 1. If absent or null, it is -1, the last.",
    ),
    temperature: optional(
      realField(
        "With from_logits: the divisor of input and target before log_softmax, positive and finite. If absent or null, it is 1. The loss is not multiplied by its square.",
      ),
    ),
    return_grad: returnGrad,
    return_grad_target: flag("Whether to return `grad_target`, the gradient with respect to target."),
    grad_output: gradOutput,
    format,
    non_finite: nonFinite,
  },
  { $id: "KlDivRequest", title: "KlDivRequest", additionalProperties: false },
);

const KlDivResult = Type.Object(
  {
    loss: Type.Optional(
      resultNumber(
        "The mean, the sum or the batchmean, in the promoted dtype of input and target. A mean over nothing is NaN, with a warning.",
      ),
    ),
    losses: Type.Optional(
      resultTensor(
        "With reduction none: the loss of each element, of the input's shape and the promoted dtype of input and target.",
      ),
    ),
    grad_input: Type.Optional(
      resultTensor("With return_grad: the gradient with respect to input, of its shape and dtype."),
    ),
    grad_target: Type.Optional(
      resultTensor(
        "With return_grad_target: the gradient with respect to target, of its shape and dtype. NaN for a probability of 0, as in PyTorch.",
      ),
    ),
    warnings: WARNINGS,
  },
  { $id: "KlDivResult", title: "KlDivResult" },
);

/** Reads the operands and options of kl_div, and plans the loss. */
function klDivPlan(
  reader: OperandReader,
  body: Static<typeof KlDivRequest>,
  streamed?: StreamedInput,
): Plan<LossResult> {
  const input = reader.tensor("input", "float32");
  const target = reader.tensor("target", input.dtype);
  const options = {
    reduction: body.reduction,
    sizeAverage: body.size_average,
    reduce: body.reduce,
    logTarget: body.log_target,
    fromLogits: body.from_logits,
    dim: body.dim,
    temperature: realOf(body.temperature),
    returnGrad: body.return_grad,
    returnGradTarget: body.return_grad_target,
    gradOutput: reader.optional("grad_output", input.dtype),
  };
  return planKlDiv(input, target, options, streamed?.windowBytes);
}

/** Decides how POST /v1/kl_div reads a safetensors body, from the order of its tensors. */
function klDivStreaming(
  { return_grad: wantsGrad = false }: Static<typeof KlDivRequest>,
  { entries }: Header,
): Streaming | NotStreamable {
  const names = entries.map(({ name }) => name);
  const late = lateTensor(names, ["target", "grad_output"]);
  return late ?? { streamedOutput: wantsGrad ? "grad_input" : undefined, trailing: [] };
}

/** POST /v1/kl_div and the model kl_div. */
export const KL_DIV: Operation = {
  name: "kl_div",
  operationId: "klDiv",
  summary: "Kullback-Leibler divergence between log-probabilities and probabilities",
  description:
    "`torch.nn.functional.kl_div`: each element's loss is target * (log(target) - input), and 0 for a target of 0; with log_target, exp(target) * (target - input). The default reduction, mean, divides by the number of elements and is not the divergence, as PyTorch warns; batchmean divides by the batch size. With from_logits, `kl_div(log_softmax(input / temperature, dim), log_softmax(target / temperature, dim), log_target=True)`, without a factor of temperature squared. Unlike PyTorch, target must have the input's shape.",
  request: KlDivRequest,
  response: KlDivResult,
  plan: klDivPlan,
  streaming: klDivStreaming,
  targetElement: "a probability, a number",
  model: {
    inputs: [
      modelTensor("input", "FP32", [-1, -1], REQUIRED),
      modelTensor("target", "FP32", [-1, -1], REQUIRED),
      modelTensor("grad_output", "FP32", [-1, -1]),
    ],
    outputs: [
      modelTensor("loss", "FP32", [], FIXED_RANK),
      modelTensor("losses", "FP32", [-1, -1]),
      modelTensor("grad_input", "FP32", [-1, -1]),
      modelTensor("grad_target", "FP32", [-1, -1]),
    ],
    mainOutput: "loss",
  },
};
