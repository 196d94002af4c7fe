import type { Static } from "typebox";
import { Type } from "typebox";
import type { CrossEntropyOptions } from "../../loss/cross-entropy.ts";
import { crossEntropy, crossEntropyRows } from "../../loss/cross-entropy.ts";
import type { Steps } from "../../loss/workspace.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { sameShape } from "../../tensor/tensor.ts";
import type { Header } from "../../wire/safetensors.ts";
import type { Answer, Job } from "../job.ts";
import { lossAnswer, lossMembers, lossOptions } from "./options.ts";
import { resultTensor } from "./result.ts";
import type { Obstacle, Streaming } from "./streaming.ts";
import { planLoss } from "./streaming.ts";
import { realField, tensorField, WARNINGS } from "./tensor.ts";

export const CrossEntropyRequest = Type.Object(
  {
    input: tensorField("The logits, shape (C), (N, C) or (N, C, d1..dK)."),
    target: tensorField(
      "Class indices in [0, C), shape (), (N) or (N, d1..dK); or probabilities of the input's shape, one-hot rows among them.",
    ),
    ...lossOptions,
    label_smoothing: Type.Optional(
      realField(
        "How much of the target is spread evenly over all classes, up to 1. 0, negative and NaN are off.",
        0,
      ),
    ),
    return_grad_target: Type.Optional(
      Type.Boolean({
        default: false,
        description: "Probabilities only: also return `grad_target`, the gradient with respect to target.",
      }),
    ),
  },
  { $id: "CrossEntropyRequest", title: "CrossEntropyRequest", additionalProperties: false },
);

export const CrossEntropyResult = Type.Object(
  {
    ...lossAnswer,
    grad_target: Type.Optional(
      resultTensor("With return_grad_target: the gradient with respect to target, of its shape and dtype."),
    ),
    warnings: WARNINGS,
  },
  { $id: "CrossEntropyResult", title: "CrossEntropyResult" },
);

/** POST /v1/cross_entropy */
export function* crossEntropyOperation(job: Job, body: Static<typeof CrossEntropyRequest>): Steps<Answer> {
  const { input, target, options } = yield* operands(job, body);
  return lossMembers(yield* crossEntropy(job.work, input, target, options));
}

/** POST /v1/cross_entropy of an upload. */
export function planCrossEntropy(
  body: Static<typeof CrossEntropyRequest>,
  header: Header,
): Streaming | Obstacle {
  return planLoss(body, header, function* open(job, weightComesLast) {
    const { input, target, options } = yield* operands(job, body);
    return yield* crossEntropyRows(job.work, input, target, options, weightComesLast);
  });
}

function* operands(job: Job, body: Static<typeof CrossEntropyRequest>) {
  const input: Tensor = yield* job.tensor("input", "float32");
  // JSON does not tell 1 from 1.0: without a dtype, a target of the input's shape holds probabilities.
  const probabilities = sameShape(input.shape, job.shape("target"));
  const target: Tensor = yield* job.tensor("target", probabilities ? input.dtype : "int64");
  const options: CrossEntropyOptions = {
    ...(yield* job.lossOptions(body, input.dtype)),
    labelSmoothing: body.label_smoothing === undefined ? undefined : Number(body.label_smoothing),
    returnGradTarget: body.return_grad_target,
  };
  return { input, target, options };
}
