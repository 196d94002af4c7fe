import type { Static } from "typebox";
import { Type } from "typebox";
import type { LossOptions } from "../../loss/index-loss.ts";
import { nllLoss, nllLossRows } from "../../loss/nll-loss.ts";
import type { Steps } from "../../loss/workspace.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Header } from "../../wire/safetensors.ts";
import type { Answer, Job } from "../job.ts";
import { lossAnswer, lossMembers, lossOptions } from "./options.ts";
import type { Obstacle, Streaming } from "./streaming.ts";
import { planLoss } from "./streaming.ts";
import { tensorField, WARNINGS } from "./tensor.ts";

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
export function* nllLossOperation(job: Job, body: Static<typeof NllLossRequest>): Steps<Answer> {
  const { input, target, options } = yield* operands(job, body);
  return lossMembers(yield* nllLoss(job.work, input, target, options));
}

/** POST /v1/nll_loss of an upload. */
export function planNllLoss(body: Static<typeof NllLossRequest>, header: Header): Streaming | Obstacle {
  return planLoss(body, header, function* open(job, weightComesLast) {
    const { input, target, options } = yield* operands(job, body);
    return yield* nllLossRows(job.work, input, target, options, weightComesLast);
  });
}

function* operands(job: Job, body: Static<typeof NllLossRequest>) {
  const input: Tensor = yield* job.tensor("input", "float32");
  const target: Tensor = yield* job.tensor("target", "int64");
  const options: LossOptions = yield* job.lossOptions(body, input.dtype);
  return { input, target, options };
}
