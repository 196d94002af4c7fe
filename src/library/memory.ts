/** Work memory of one call. Operands are copied into it and results out of it. */
import { runToEnd } from "../kernel/step.ts";
import type { FieldName } from "../loss/loss-error.ts";
import { formatShape, LossError } from "../loss/loss-error.ts";
import type { Plan } from "../loss/plan.ts";
import { computeWhole } from "../loss/plan.ts";
import { alignUp } from "../tensor/arena.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { byteLength, elementCount } from "../tensor/tensor.ts";
import { ARRAYS } from "./check.ts";
import type { Instance } from "./instance.ts";
import { currentInstance } from "./instance.ts";
import type { ArrayTensor } from "./types.ts";

/**
 * Memory of one call. All operands get addresses first, then the plan has all sizes, so the memory grows once and no
 * view of it is used before.
 */
export class Workspace {
  readonly #where: string;
  readonly #instance: Instance;
  readonly #operands: { readonly bytes: Uint8Array; readonly address: number }[] = [];
  #end: number;

  /** `where` is the name of the function in errors. */
  constructor(where: string) {
    this.#where = where;
    this.#instance = currentInstance(where);
    this.#end = alignUp(this.#instance.kernel.heapBase);
  }

  #alloc(bytes: number): number {
    const address = this.#end;
    this.#end += alignUp(bytes);
    return address;
  }

  /** Gives an operand its address. Rejects a shape that does not match its data. */
  place(field: FieldName, { dtype, shape, data }: ArrayTensor): Tensor {
    const expected = elementCount(shape);
    const { bytes } = DTYPES[dtype];
    // The view's length is the number of bytes that are copied, whatever the array says.
    const view = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (view.length !== expected * bytes) {
      throw new LossError(
        "shape_mismatch",
        field,
        `${field}: shape ${formatShape(shape)} of ${dtype} needs ${expected} elements, got ${view.length / bytes}`,
      );
    }
    const address = this.#alloc(view.length);
    this.#operands.push({ bytes: view, address });
    return { dtype, shape, address };
  }

  /** Copies the operands in and runs a plan to its end. Throws a RangeError if memory does not suffice. */
  compute<Result>(plan: Plan<Result>): Result {
    const block = this.#alloc(plan.bytes);
    this.#instance.reserve(this.#where, this.#end);
    const { kernel } = this.#instance;
    for (const { bytes, address } of this.#operands) kernel.u8.set(bytes, address);
    const { steps, result } = computeWhole(kernel, plan, block);
    runToEnd(steps);
    return result();
  }

  /** Copies a result out. */
  copyOut(tensor: Tensor): ArrayTensor {
    const { dtype, shape, address } = tensor;
    const { buffer } = this.#instance.kernel.u8.slice(address, address + byteLength(tensor));
    return { dtype, shape: [...shape], data: new ARRAYS[dtype](buffer) } as ArrayTensor;
  }
}
