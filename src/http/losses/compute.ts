/** Reads a loss's operands from the body, allocates the plan's memory and runs the kernels. */
import type { FastifyReply } from "fastify";
import type { Step } from "../../kernel/step.ts";
import type { LossOptions, LossResult } from "../../loss/index-loss.ts";
import type { LogSoftmaxResult } from "../../loss/log-softmax.ts";
import { LossError } from "../../loss/loss-error.ts";
import type { Plan } from "../../loss/plan.ts";
import { computeWhole } from "../../loss/plan.ts";
import { Problem, rejectAt } from "../../problems.ts";
import type { DType } from "../../tensor/dtype.ts";
import { isFloat } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { byteLength } from "../../tensor/tensor.ts";
import type { Members } from "../../wire/json/writer.ts";
import type { OperandName, Operands } from "../../wire/operands.ts";
import type { LossContext } from "../context.ts";
import type { Sending } from "../send-result.ts";
import { runSlices } from "../turns.ts";

/** Plan of an operation. */
export type LossPlan = Plan<LossResult> | Plan<LogSoftmaxResult>;

/** Options of nll_loss and cross_entropy in a body. */
export interface LossFields {
  readonly dim?: number;
  readonly shift?: number;
  readonly dtype?: DType;
  readonly ignore_index?: number;
  readonly reduction?: string;
  readonly size_average?: boolean | null;
  readonly reduce?: boolean | null;
  readonly return_grad?: boolean;
}

/** Returns the dtype of the losses: `dtype` or the input's. An integer `dtype` is rejected later. */
export function lossDType({ dtype }: LossFields, input: Tensor): DType {
  return dtype !== undefined && isFloat(dtype) ? dtype : input.dtype;
}

/** Reads the operands of a request, and collects the conversions that their elements need. */
export class OperandReader {
  readonly operands: Operands;
  /** Steps that convert the elements of the operands to their dtypes. */
  readonly conversions: Step[] = [];
  /** Total bytes of the operands. */
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
    this.bytes += byteLength(tensor);
    if (name === "input") this.#loss.input = tensor;
    return tensor;
  }

  optional(name: OperandName, dtype: DType): Tensor | undefined {
    return this.operands.has(name) ? this.tensor(name, dtype) : undefined;
  }

  /** Reads the options that nll_loss and cross_entropy share. Tensors without a dtype take that of the losses. */
  lossOptions(fields: LossFields, input: Tensor): LossOptions {
    const dtype = lossDType(fields, input);
    return {
      dim: fields.dim,
      shift: fields.shift,
      dtype: fields.dtype,
      weight: this.optional("weight", dtype),
      sampleWeight: this.optional("sample_weight", dtype),
      gradOutput: this.optional("grad_output", dtype),
      ignoreIndex: fields.ignore_index === undefined ? undefined : BigInt(fields.ignore_index),
      reduction: fields.reduction,
      sizeAverage: fields.size_average,
      reduce: fields.reduce,
      returnGrad: fields.return_grad,
    };
  }

  /** Converts a loss's error into a problem with a pointer to the field or the element. */
  problemOf({ code, field, element, message }: LossError): Problem {
    const pointer = element === undefined ? `/${field}` : this.operands.elementPointer(field, element);
    return rejectAt(code, pointer, message);
  }
}

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

/** Computes a loss with its operands in memory, in this turn of the event loop if it is short, otherwise in slices. */
function compute(
  loss: LossContext,
  reader: OperandReader,
  plan: LossPlan,
  isGone: () => boolean,
): Members | Promise<Members> {
  const block = allocBlock(loss, reader, plan);
  const { steps, result } = computeWhole(loss.kernel, plan as Plan<LossResult>, block);
  const pending = runSlices([...reader.conversions, ...steps], isGone);
  return pending === undefined ? toMembers(result()) : pending.then(() => toMembers(result()));
}

/** The request of one loss, and how its result is sent. */
export interface LossRequest {
  readonly reply: FastifyReply;
  readonly loss: LossContext;
  /** Checks the operands and plans the loss. */
  readonly plan: (reader: OperandReader) => LossPlan;
  readonly send: (members: Members) => Sending;
  /** Converts a loss's error into a problem with the pointer into the body. */
  readonly locate: (error: LossError, reader: OperandReader) => Problem;
}

/** Computes a loss and sends its result, without a promise in this turn of the event loop if the loss ends in its first slice. */
export function respond({ reply, loss, plan, send, locate }: LossRequest, operands: Operands): Sending {
  const reader = new OperandReader(loss, operands);
  const located = (error: unknown): unknown => (error instanceof LossError ? locate(error, reader) : error);
  loss.timings.enter("compute");
  try {
    const members = compute(loss, reader, plan(reader), () => reply.raw.destroyed);
    if (!(members instanceof Promise)) return send(members);
    return members.then(
      async (later) => (await send(later)) ?? reply,
      (error) => {
        throw located(error);
      },
    );
  } catch (error) {
    throw located(error);
  }
}

/** Output bytes that any request may have, because a client can send shapes of size 0 without data. */
const FREE_OUTPUT_BYTES = 1024 * 1024;
/** Output bytes per byte of operands, for a cast from uint8 to float64. */
const BLOCK_BYTES_PER_OPERAND_BYTE = 8;

/**
 * Allocates the memory that a plan needs in addition to the operands. Rejects outputs that are too large for the operands with 422, and a
 * plan that can never fit the Arena with 413. Throws ArenaFull if there is no memory now.
 */
export function allocBlock(
  { region }: LossContext,
  { bytes: operands }: OperandReader,
  plan: LossPlan,
): number {
  const most = FREE_OUTPUT_BYTES + operands * BLOCK_BYTES_PER_OPERAND_BYTE;
  const own = plan.window === undefined ? plan.bytes : plan.bytes - byteLength(plan.window.slot);
  if (own > most) {
    const detail = `the outputs take ${own} bytes for ${operands} bytes of tensors, expected at most ${most}`;
    throw new Problem("output_too_large", detail);
  }
  region.checkRoom(plan.bytes);
  return region.alloc(plan.bytes);
}
