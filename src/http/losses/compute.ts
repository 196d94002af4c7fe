/** Prepares a loss: reads its operands, plans it and allocates its memory. Then runs the kernels, and responds. */
import type { FastifyReply } from "fastify";
import type { Step } from "../../kernel/step.ts";
import type { LogSoftmaxResult } from "../../loss/log-softmax.ts";
import type { LossError } from "../../loss/loss-error.ts";
import type { LossResult } from "../../loss/loss-result.ts";
import type { Computation, Plan } from "../../loss/plan.ts";
import { computeWhole } from "../../loss/plan.ts";
import { Problem, rejectAt } from "../../problems.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { byteLength, elementCount } from "../../tensor/tensor.ts";
import type { Members } from "../../wire/json/writer.ts";
import { emptyListBytes } from "../../wire/json/writer.ts";
import type { OperandName, Operands } from "../../wire/operands.ts";
import type { LossContext } from "../context.ts";
import type { Sending } from "../send-result.ts";
import { runSlices } from "../turns.ts";
import type { Operation } from "./operation.ts";

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

/** Reads the operands of a request, and collects the conversions that their elements need. */
export class OperandReader {
  readonly operands: Operands;
  /** Steps that convert the elements of the operands to their dtypes. */
  readonly conversions: Step[] = [];
  /** Total bytes of the operands. An operand without elements counts with the nested lists that were sent. */
  bytes = 0;
  readonly #loss: LossContext;

  constructor(loss: LossContext, operands: Operands) {
    this.#loss = loss;
    this.operands = operands;
  }

  /** Reads an operand in its own dtype, or in `dtype` if it has none. */
  tensor(name: OperandName, dtype: DType): Tensor {
    const { tensor, convert } = this.operands.tensor(this.#loss, name, dtype);
    if (convert !== undefined) this.conversions.push(convert);
    const { shape } = tensor;
    const isEmptyList = elementCount(shape) === 0 && this.operands.isNested(name);
    this.bytes += isEmptyList ? emptyListBytes(shape) : byteLength(tensor);
    if (name === "input") this.#loss.input = tensor;
    return tensor;
  }

  optional(name: OperandName, dtype: DType): Tensor | undefined {
    return this.operands.has(name) ? this.tensor(name, dtype) : undefined;
  }
}

/** How the result or the error of a loss is sent. Has no state. */
export interface Responder {
  /** Whether the response has tensors as nested lists. */
  readonly isNested: boolean;
  send(reply: FastifyReply, loss: LossContext, members: Members): Sending;
  /** Converts a loss's error into a problem with the pointer into the body. */
  locate(error: LossError): Problem;
}

/** Loss whose operands have been checked, with a place in memory for each of its tensors. */
export interface Prepared extends Computation<LossResult> {
  readonly responder: Responder;
  /** Memory that the preparation has allocated, if the request had reserved all of it. */
  readonly memory: { readonly start: number; readonly bytes: number } | undefined;
  /** Called when the loss has been computed, after which it may run again, see `repeats.ts`, but only for a request with the memory of this one. */
  readonly onEnd?: () => void;
}

/** Reads and checks the operands, plans the loss and allocates its memory. */
export function prepare(
  loss: LossContext,
  operation: Operation,
  operands: Operands,
  fields: object,
  responder: Responder,
): Prepared {
  const { kernel, region } = loss;
  loss.timings.enter("compute");
  loss.locate = responder.locate;
  const { next: start, left } = region;
  const reader = new OperandReader(loss, operands);
  const plan = operation.plan(reader, fields as never);
  const block = allocBlock(loss, reader, plan, responder);
  const { steps, result } = computeWhole(kernel, plan as Plan<LossResult>, block);
  const bytes = region.next - start;
  const memory = bytes === left - region.left ? { start, bytes } : undefined;
  return { responder, memory, steps: [...reader.conversions, ...steps], result };
}

/** Converts a loss's error into a problem with a pointer to the field or the element. */
export function problemAt({ code, field, element, message }: LossError, operands: Operands): Problem {
  const pointer = element === undefined ? `/${field}` : operands.elementPointer(field, element);
  return rejectAt(code, pointer, message);
}

/** Computes a loss and sends its result, without a promise in this turn of the event loop if the loss ends in its first slice. */
export function respond(reply: FastifyReply, loss: LossContext, prepared: Prepared): Sending {
  const pending = runSlices(prepared.steps, loss);
  if (pending === undefined) return sendResult(reply, loss, prepared);
  return pending.then(async () => (await sendResult(reply, loss, prepared)) ?? reply);
}

function sendResult(reply: FastifyReply, loss: LossContext, { result, onEnd, responder }: Prepared): Sending {
  const members = toMembers(result());
  onEnd?.();
  return responder.send(reply, loss, members);
}

/** Output bytes that any request without logits may have, because a client can send shapes of size 0 without data. */
const FREE_OUTPUT_BYTES = 64 * 1024;
/** Output bytes per byte of the other operands of such a request. */
const BLOCK_BYTES_PER_OPERAND_BYTE = 8;

/**
 * Allocates the memory that a plan needs in addition to the operands. Rejects outputs without logits that are too large for the operands with
 * 422, in memory or as empty lists, and a plan that can never fit the Arena with 413. Throws ArenaFull if there is no memory now.
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
  // Logits with elements bound all outputs and buffers, which are more than 8 times their bytes for float16 logits and float64 results.
  if (own > most && elementCount(plan.input.shape) === 0) {
    const detail = `the outputs (${namesOf(plan.outputs)}) take ${own} bytes for ${operands} bytes of tensors, expected at most ${most}`;
    throw new Problem("output_too_large", detail);
  }
  if (responder.isNested) checkEmptyLists(plan, most, operands);
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
