/** Reads the operands and options of a loss from the fields of a body. */
import type { Step } from "../../kernel/step.ts";
import type { LossOptions } from "../../loss/index-loss.ts";
import type { DType } from "../../tensor/dtype.ts";
import { isFloat } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { byteLength, elementCount } from "../../tensor/tensor.ts";
import { emptyListBytes } from "../../wire/json/writer.ts";
import type { OperandName, Operands } from "../../wire/operands.ts";
import type { LossContext } from "../context.ts";

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
}
