/** The step of the input as it is. */

import type { LossRequest } from "../request/request.ts";
import { dimOf } from "../request/request.ts";
import { classSlices } from "../tensors/slices.ts";
import { explainInput } from "./explanation.ts";
import type { Step } from "./step.ts";

/** Returns the step of the input. */
export function inputStep(request: LossRequest): Step {
  const { operation, body, classNames } = request;
  const isLog = operation === "nll_loss" || (operation === "kl_div" && body.from_logits !== true);
  return {
    id: "input",
    title: isLog ? "Log-probabilities" : "Scores",
    note: isLog
      ? "Logarithms of probabilities, as log_softmax returns them: the nearer to 0, the more the model favours that class."
      : "Any numbers, also called logits: the higher, the more the model favours that class.",
    heat: isLog ? "log" : "signed",
    slices: classSlices(request.input, dimOf(request), classNames),
    isEditable: true,
    explain: (at) => explainInput(request, at),
  };
}
