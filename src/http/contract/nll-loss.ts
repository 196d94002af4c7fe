import type { Static } from "typebox";
import { Type } from "typebox";
import { nllLoss } from "../../loss/nll-loss.ts";
import type { Steps } from "../../loss/workspace.ts";
import type { Answer, Job } from "../job.ts";
import { lossAnswer, lossOptions } from "./options.ts";
import { tensorField, WARNINGS } from "./tensor.ts";

export const NllLossRequest = Type.Object(
  {
    input: tensorField("Log-probabilities, shape (C), (N, C) or (N, C, d1..dK)."),
    target: tensorField("Class indices in [0, C), shape (), (N) or (N, d1..dK): int64, int32 or uint8."),
    ...lossOptions,
  },
  { $id: "NllLossRequest", title: "NllLossRequest", additionalProperties: false },
);

export const NllLossResponse = Type.Object(
  { ...lossAnswer, warnings: WARNINGS },
  { $id: "NllLossResponse", title: "NllLossResponse", additionalProperties: false },
);

/** POST /v1/nll_loss */
export function* nllLossOperation(job: Job, body: Static<typeof NllLossRequest>): Steps<Answer> {
  const input = yield* job.tensor("input", "float32");
  const target = yield* job.tensor("target", "int64");
  const result = yield* nllLoss(job.work, input, target, yield* job.lossOptions(body, input.dtype));
  return {
    loss: result.loss,
    losses: result.losses,
    total_weight: result.totalWeight,
    grad_input: result.gradInput,
    warnings: result.warnings,
  };
}
