import type { Static } from "typebox";
import { Type } from "typebox";
import type { LossResult } from "../../loss/loss-result.ts";
import { planNllLoss } from "../../loss/nll-loss.ts";
import type { Plan } from "../../loss/plan.ts";
import type { OperandReader } from "./compute.ts";
import type { Operation } from "./operation.ts";
import { CLASS_INDEX, LOSS_MODEL } from "./operation.ts";
import { lossRequestFields, lossResult, readLossOptions } from "./options.ts";
import type { StreamedInput } from "./streaming.ts";
import { lossStreaming } from "./streaming.ts";
import { tensorField, WARNINGS } from "./tensor-schemas.ts";

const NllLossRequest = Type.Object(
  {
    input: tensorField(
      "Log-probabilities, shape (C), (N, C) or (N, C, d1..dK), or with dim any shape with the classes there.",
    ),
    target: tensorField(
      "Class indices in [0, C), the input's shape without the class dimension: int64, int32 or uint8.",
    ),
    ...lossRequestFields,
  },
  { $id: "NllLossRequest", title: "NllLossRequest", additionalProperties: false },
);

const NllLossResult = Type.Object(
  { ...lossResult, warnings: WARNINGS },
  { $id: "NllLossResult", title: "NllLossResult" },
);

/** Reads the operands and options of nll_loss, and plans the loss. */
function nllLossPlan(
  reader: OperandReader,
  body: Static<typeof NllLossRequest>,
  streamed?: StreamedInput,
): Plan<LossResult> {
  const input = reader.tensor("input", "float32");
  const target = reader.tensor("target", "int64");
  return planNllLoss(input, target, readLossOptions(reader, body, input), streamed);
}

/** POST /v1/nll_loss and the model nll_loss. */
export const NLL_LOSS: Operation = {
  name: "nll_loss",
  operationId: "nllLoss",
  summary: "Negative log-likelihood of class indices, given log-probabilities",
  description:
    "`torch.nn.functional.nll_loss`: -input[target] * weight[target] at each position, exactly 0 where the target is ignore_index. The mean divides by the weights of the kept targets (`total_weight`).",
  request: NllLossRequest,
  response: NllLossResult,
  plan: nllLossPlan,
  streaming: lossStreaming,
  targetElement: CLASS_INDEX,
  model: LOSS_MODEL,
};
