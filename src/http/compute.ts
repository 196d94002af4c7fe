/** From a plan to an answer: memory for all that the plan needs, then the kernels. */
import type { LossResult } from "../loss/index-loss.ts";
import type { LogSoftmaxResult } from "../loss/log-softmax.ts";
import type { Plan } from "../loss/plan.ts";
import { computeWhole } from "../loss/plan.ts";
import { Problem } from "../problems.ts";
import { byteLength } from "../tensor/tensor.ts";
import type { Answer, Job } from "./job.ts";
import { OPERANDS } from "./job.ts";
import { runSteps } from "./steps.ts";

/** The results of the operations. */
export type LossPlan = Plan<LossResult> | Plan<LogSoftmaxResult>;

/** The members of results by their names in the contract, in the order in which they are written. */
export const MEMBERS = {
  output: "output",
  loss: "loss",
  losses: "losses",
  totalWeight: "total_weight",
  gradInput: "grad_input",
  gradTarget: "grad_target",
  warnings: "warnings",
} as const satisfies Record<keyof LossResult | keyof LogSoftmaxResult, string>;

/** A result under the names of the contract. */
export function toAnswer(result: Partial<LossResult & LogSoftmaxResult>): Answer {
  const entries = Object.entries(MEMBERS).map(([key, name]) => [name, result[key as keyof typeof MEMBERS]]);
  return Object.fromEntries(entries);
}

/** Computes a loss whose operands are in memory: in this turn of the event loop where it is short, otherwise in slices. */
export function compute(job: Job, plan: LossPlan, gone: () => boolean): Answer | Promise<Answer> {
  const { kernel } = job.work;
  const { steps, result } = computeWhole(kernel, plan as Plan<LossResult>, takeBlock(job, plan));
  const pending = runSteps([...job.conversions, ...steps], gone);
  return pending === undefined ? toAnswer(result()) : pending.then(() => toAnswer(result()));
}

/** Bytes of outputs that need no operand of their size: shapes of size 0 cost a client nothing to send. */
const FREE_OUTPUT_BYTES = 1024 * 1024;
/** Bytes of a block for each byte of its operands: a cast from uint8 to float64. */
const BLOCK_BYTES_PER_OPERAND_BYTE = 8;

/**
 * The address of the memory that a plan needs beside the operands, taken whole. Refuses with 422 outputs that no bytes of the request stand
 * behind, with 413 a plan for which there can never be room; throws ArenaFull where there is none now.
 */
export function takeBlock(job: Job, plan: LossPlan): number {
  const { region } = job.work;
  const operands = OPERANDS.reduce((sum, name) => {
    const tensor = job.operand(name);
    return tensor === undefined ? sum : sum + byteLength(tensor);
  }, 0);
  const most = FREE_OUTPUT_BYTES + operands * BLOCK_BYTES_PER_OPERAND_BYTE;
  const own = plan.window === undefined ? plan.bytes : plan.bytes - byteLength(plan.window.slot);
  if (own > most) {
    const detail = `the outputs take ${own} bytes for ${operands} bytes of tensors, expected at most ${most}`;
    throw new Problem("output_too_large", detail);
  }
  region.checkRoom(plan.bytes);
  return region.alloc(plan.bytes);
}
