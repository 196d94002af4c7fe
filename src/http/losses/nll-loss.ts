import type { Static } from "typebox";
import { Type } from "typebox";
import type { LossResult } from "../../loss/index-loss.ts";
import { planNllLoss } from "../../loss/nll-loss.ts";
import type { Plan } from "../../loss/plan.ts";
import type { OperandReader } from "./compute.ts";
import { lossAnswer, lossOptions } from "./options.ts";
import type { StreamedInput } from "./streaming.ts";
import { tensorField, WARNINGS } from "./tensor-schemas.ts";

export const NllLossRequest = Type.Object(
  {
    input: tensorField("Log-probabilities, shape (C), (N, C) or (N, C, d1..dK)."),
    target: tensorField("Class indices in [0, C), shape (), (N) or (N, d1..dK): int64, int32 or uint8."),
    ...lossOptions,
  },
  { $id: "NllLossRequest", title: "NllLossRequest", additionalProperties: false },
);

export const NllLossResult = Type.Object(
  { ...lossAnswer, warnings: WARNINGS },
  { $id: "NllLossResult", title: "NllLossResult" },
);

/** POST /v1/nll_loss */
export function nllLossPlan(
  reader: OperandReader,
  body: Static<typeof NllLossRequest>,
  streamed?: StreamedInput,
): Plan<LossResult> {
  const input = reader.tensor("input", "float32");
  const target = reader.tensor("target", "int64");
  return planNllLoss(input, target, reader.lossOptions(body, input.dtype), streamed);
}
