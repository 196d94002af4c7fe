/** Reads the operands of a loss from the fields of a body. */
import type { Step } from "../../kernel/step.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { byteLength, elementCount } from "../../tensor/tensor.ts";
import { emptyListBytes } from "../../wire/json/writer.ts";
import type { OperandName, Operands } from "../../wire/operands.ts";
import type { LossContext } from "../context.ts";

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
