/** Lists the operations in the order of the documents. */
import type { LossName } from "../../loss/names.ts";
import { LOSSES } from "../../loss/names.ts";
import { CROSS_ENTROPY } from "./cross-entropy.ts";
import { KL_DIV } from "./kl-div.ts";
import { LOG_SOFTMAX } from "./log-softmax.ts";
import { NLL_LOSS } from "./nll-loss.ts";
import type { Operation } from "./operation.ts";

/** Operations by name. */
const OPERATION: Readonly<Record<LossName, Operation>> = {
  log_softmax: LOG_SOFTMAX,
  nll_loss: NLL_LOSS,
  cross_entropy: CROSS_ENTROPY,
  kl_div: KL_DIV,
};

export const OPERATIONS: readonly Operation[] = LOSSES.map((name) => OPERATION[name]);
