/** Examples of every operation and error in the OpenAPI document. */
import type { LossName } from "../../../loss/names.ts";
import { BODY_ERRORS } from "./body-errors.ts";
import { CROSS_ENTROPY_EXAMPLES } from "./cross-entropy.ts";
import type { ErrorExample, Example } from "./example.ts";
import { KL_DIV_EXAMPLES } from "./kl-div.ts";
import { LOG_SOFTMAX_EXAMPLES } from "./log-softmax.ts";
import { LOSS_ERRORS } from "./loss-errors.ts";
import { NLL_LOSS_EXAMPLES } from "./nll-loss.ts";

export const EXAMPLES: Readonly<Record<`/v1/${LossName}`, Readonly<Record<string, Example>>>> = {
  "/v1/log_softmax": LOG_SOFTMAX_EXAMPLES,
  "/v1/nll_loss": NLL_LOSS_EXAMPLES,
  "/v1/cross_entropy": CROSS_ENTROPY_EXAMPLES,
  "/v1/kl_div": KL_DIV_EXAMPLES,
};

export const ERROR_EXAMPLES: readonly ErrorExample[] = [...BODY_ERRORS, ...LOSS_ERRORS];
