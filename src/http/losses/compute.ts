/** Computes a loss: its operands from the body, memory for all that the plan needs, then the kernels. */
import type { Step } from "../../kernel/step.ts";
import type { LossError } from "../../loss/errors.ts";
import type { LossOptions, LossResult } from "../../loss/index-loss.ts";
import type { LogSoftmaxResult } from "../../loss/log-softmax.ts";
import type { Plan } from "../../loss/plan.ts";
import { computeWhole } from "../../loss/plan.ts";
import { Problem, rejectAt } from "../../problems.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { byteLength } from "../../tensor/tensor.ts";
import type { Members } from "../../wire/json/writer.ts";
import type { OperandName, Operands } from "../../wire/operands.ts";
import type { LossContext } from "../context.ts";
import { runSlices } from "../slices.ts";

/** The plans of the operations. */
export type LossPlan = Plan<LossResult> | Plan<LogSoftmaxResult>;

/** The options of nll_loss and cross_entropy as a body has them. */
export interface LossFields {
  readonly ignore_index?: number;
  readonly reduction?: string;
  readonly size_average?: boolean | null;
  readonly reduce?: boolean | null;
  readonly return_grad?: boolean;
}

/** Reads the operands of one request, and collects the conversions that their elements need first. */
export class OperandReader {
  readonly operands: Operands;
  /** Steps after which the elements of all operands that were read have their dtypes. */
  readonly conversions: Step[] = [];
  /** Bytes of the tensors that were read. */
  bytes = 0;
  readonly #loss: LossContext;

  constructor(loss: LossContext, operands: Operands) {
    this.#loss = loss;
    this.operands = operands;
  }

  /** An operand in its own dtype, or in `dtype` if it names none. */
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

  /** The options that nll_loss and cross_entropy share; tensors without a dtype take the input's. */
  lossOptions(fields: LossFields, dtype: DType): LossOptions {
    return {
      weight: this.optional("weight", dtype),
      gradOutput: this.optional("grad_output", dtype),
      ignoreIndex: fields.ignore_index === undefined ? undefined : BigInt(fields.ignore_index),
      reduction: fields.reduction,
      sizeAverage: fields.size_average,
      reduce: fields.reduce,
      returnGrad: fields.return_grad,
    };
  }

  /** The problem of a loss's error, with the pointer to the field, or to the element as the client wrote it. */
  problemOf({ code, field, element, message }: LossError): Problem {
    const pointer = element === undefined ? `/${field}` : this.operands.elementPointer(field, element);
    return rejectAt(code, pointer, message);
  }
}

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

const MEMBER_NAMES = Object.keys(MEMBERS) as (keyof typeof MEMBERS)[];

/** A result under the names of the contract. */
export function toMembers(result: Partial<LossResult & LogSoftmaxResult>): Members {
  const members: Record<string, Members[string]> = {};
  for (const name of MEMBER_NAMES) {
    const member = result[name];
    if (member !== undefined) members[MEMBERS[name]] = member;
  }
  return members;
}

/** Computes a loss whose operands are in memory: in this turn of the event loop if it is short, otherwise in slices. */
export function compute(
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

/** Bytes of outputs that need no operand of their size: shapes of size 0 cost a client nothing to send. */
const FREE_OUTPUT_BYTES = 1024 * 1024;
/** Bytes of a block for each byte of its operands: a cast from uint8 to float64. */
const BLOCK_BYTES_PER_OPERAND_BYTE = 8;

/**
 * The address of the memory that a plan needs beside the operands, taken whole. Rejects with 422 outputs that no bytes of the request stand
 * behind, with 413 a plan that there can never be room for; throws ArenaFull if there is none now.
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
