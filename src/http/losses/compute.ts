/** Prepares a loss: reads its operands, plans it and allocates its memory. Then runs the kernels, and responds. */
import type { FastifyReply } from "fastify";
import type { LogSoftmaxResult } from "../../loss/log-softmax.ts";
import { LossError } from "../../loss/loss-error.ts";
import type { LossResult } from "../../loss/loss-result.ts";
import type { Computation, Plan } from "../../loss/plan.ts";
import { computeWhole } from "../../loss/plan.ts";
import { Problem, rejectAt } from "../../problems.ts";
import { byteLength, elementCount } from "../../tensor/tensor.ts";
import type { Members } from "../../wire/json/writer.ts";
import { emptyListBytes } from "../../wire/json/writer.ts";
import type { Operands } from "../../wire/operands.ts";
import type { LossContext } from "../context.ts";
import type { Sending } from "../send-result.ts";
import { runSlices } from "../turns.ts";
import { OperandReader } from "./operand-reader.ts";

/** Plan of an operation. */
export type LossPlan = Plan<LossResult> | Plan<LogSoftmaxResult>;

/** Names of result members in the contract, in the order of the response. */
export const MEMBERS = {
  output: "output",
  values: "values",
  indices: "indices",
  lse: "lse",
  entropy: "entropy",
  loss: "loss",
  losses: "losses",
  totalWeight: "total_weight",
  zLoss: "z_loss",
  zLosses: "z_losses",
  predictions: "predictions",
  correct: "correct",
  gradInput: "grad_input",
  gradTarget: "grad_target",
  gradTargetWeight: "grad_target_weight",
  warnings: "warnings",
} as const satisfies Record<keyof LossResult | keyof LogSoftmaxResult, string>;

const MEMBER_NAMES = Object.keys(MEMBERS) as (keyof typeof MEMBERS)[];

/** Renames the members of a result to the contract's names. */
export function toMembers(result: Partial<LossResult & LogSoftmaxResult>): Members {
  const members: Record<string, Members[string]> = {};
  for (const name of MEMBER_NAMES) {
    const member = result[name];
    if (member !== undefined) members[MEMBERS[name]] = member;
  }
  return members;
}

/** How the result or the error of a loss is sent. Has no state. */
export interface Responder {
  /** Whether the response has tensors as nested lists. */
  isNested(loss: LossContext): boolean;
  send(reply: FastifyReply, loss: LossContext, members: Members): Sending;
  /** Converts a loss's error into a problem with the pointer into the body. */
  locate(error: LossError): Problem;
}

/** Loss whose operands have been checked, with a place in memory for each of its tensors. */
export interface Prepared extends Computation<LossResult> {
  readonly responder: Responder;
  /** Called when the loss has been computed, after which it may run again, see `repeats.ts`, but only for a request with the memory of this one. */
  readonly onEnd?: () => void;
}

/** Reads and checks the operands, plans the loss and allocates its memory. */
export function prepare(
  loss: LossContext,
  operands: Operands,
  responder: Responder,
  planLoss: (reader: OperandReader) => LossPlan,
): Prepared {
  const reader = new OperandReader(loss, operands);
  const plan = planLoss(reader);
  const block = allocBlock(loss, reader, plan, responder);
  const { steps, result } = computeWhole(loss.kernel, plan as Plan<LossResult>, block);
  return { responder, steps: [...reader.conversions, ...steps], result };
}

/** Runs a loss, in this turn of the event loop if it is short, otherwise in slices. */
function run(loss: LossContext, prepared: Prepared): Members | Promise<Members> {
  const pending = runSlices(prepared.steps, loss);
  return pending === undefined ? endRun(prepared) : pending.then(() => endRun(prepared));
}

function endRun({ result, onEnd }: Prepared): Members {
  const members = toMembers(result());
  onEnd?.();
  return members;
}

/** Converts a loss's error into a problem with a pointer to the field or the element. */
export function problemOf({ code, field, element, message }: LossError, operands: Operands): Problem {
  const pointer = element === undefined ? `/${field}` : operands.elementPointer(field, element);
  return rejectAt(code, pointer, message);
}

/** Computes a loss and sends its result, without a promise in this turn of the event loop if the loss ends in its first slice. */
export function respond(
  reply: FastifyReply,
  loss: LossContext,
  responder: Responder,
  prepareLoss: () => Prepared,
): Sending {
  const located = (error: unknown): unknown => (error instanceof LossError ? responder.locate(error) : error);
  loss.timings.enter("compute");
  try {
    const members = run(loss, prepareLoss());
    if (!(members instanceof Promise)) return responder.send(reply, loss, members);
    return members.then(
      async (later) => (await responder.send(reply, loss, later)) ?? reply,
      (error) => {
        throw located(error);
      },
    );
  } catch (error) {
    throw located(error);
  }
}

/** Output bytes that any request may have, because a client can send shapes of size 0 without data. */
const FREE_OUTPUT_BYTES = 64 * 1024;
/** Output bytes per byte of operands, for a cast from uint8 to float64. */
const BLOCK_BYTES_PER_OPERAND_BYTE = 8;

/**
 * Allocates the memory that a plan needs in addition to the operands. Rejects outputs that are too large for the operands with 422, in memory
 * or as empty lists, and a plan that can never fit the Arena with 413. Throws ArenaFull if there is no memory now.
 */
export function allocBlock(
  loss: LossContext,
  { bytes: operands }: OperandReader,
  plan: LossPlan,
  responder: Responder,
): number {
  const { region } = loss;
  const most = FREE_OUTPUT_BYTES + operands * BLOCK_BYTES_PER_OPERAND_BYTE;
  const own = plan.window === undefined ? plan.bytes : plan.bytes - byteLength(plan.window.slot);
  if (own > most) {
    const detail = `the outputs (${namesOf(plan.outputs)}) take ${own} bytes for ${operands} bytes of tensors, expected at most ${most}`;
    throw new Problem("output_too_large", detail);
  }
  if (responder.isNested(loss)) checkEmptyLists(plan, most, operands);
  region.checkRoom(plan.bytes);
  return region.alloc(plan.bytes);
}

/** Rejects outputs without elements whose nested lists take more than `most` bytes. */
function checkEmptyLists({ outputs }: LossPlan, most: number, operands: number): void {
  const empty = outputs.filter(({ shape }) => elementCount(shape) === 0);
  const bytes = empty.reduce((sum, { shape }) => sum + emptyListBytes(shape), 0);
  if (bytes <= most) return;
  throw rejectAt(
    "too_many_empty_lists",
    "/format",
    `the empty lists of ${namesOf(empty)} take ${bytes} bytes for ${operands} bytes of tensors, expected at most ${most}, or format flat or base64`,
  );
}

function namesOf(outputs: Iterable<LossPlan["outputs"][number]>): string {
  return Array.from(outputs, ({ name }) => MEMBERS[name]).join(", ");
}
