/** Scalars and casts with each dtype's rounding. */
import { convertStep } from "../kernel/convert.ts";
import type { LossKernel } from "../kernel/kernel.ts";
import type { Step } from "../kernel/step.ts";
import { once, sliced } from "../kernel/step.ts";
import type { DType, FloatDType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Scalar, Tensor } from "../tensor/tensor.ts";
import { elementCount } from "../tensor/tensor.ts";
import { requireFloat } from "./index-checks.ts";
import type { Layout, Slot } from "./plan.ts";

/** Compute dtype of the kernels, float64 if any operand has it. */
export type ComputeDType = "float64" | "float32";

export function computeDType(...operands: readonly (Pick<Tensor, "dtype"> | undefined)[]): ComputeDType {
  return operands.some((operand) => operand?.dtype === "float64") ? "float64" : "float32";
}

/** Rounds a double to a dtype. `scratch` is the address of a double. */
export function roundTo(kernel: LossKernel, scratch: number, dtype: FloatDType, value: number): Scalar {
  if (dtype === "float64") return { dtype, value };
  if (dtype === "float32") return { dtype, value: Math.fround(value) };
  const { exports, f64 } = kernel;
  f64[scratch / 8] = value;
  exports.convert(scratch, DTYPES.float64.code, scratch, DTYPES[dtype].code, 1);
  exports.convert(scratch, DTYPES[dtype].code, scratch, DTYPES.float64.code, 1);
  return { dtype, value: f64[scratch / 8]! };
}

/** Reads the first element of a tensor as a double. `scratch` is the address of a double. */
export function firstElement({ exports, f64 }: LossKernel, scratch: number, tensor: Tensor): number {
  exports.convert(tensor.address, DTYPES[tensor.dtype].code, scratch, DTYPES.float64.code, 1);
  return f64[scratch / 8]!;
}

/** Plans a cast. Undefined if the tensor has the dtype already. */
export function planCast<D extends FloatDType>(
  layout: Layout,
  tensor: Pick<Tensor, "dtype" | "shape"> | undefined,
  dtype: D,
): Slot<D> | undefined {
  return tensor === undefined || tensor.dtype === dtype ? undefined : layout.add(dtype, tensor.shape);
}

/** Rounds all elements to the dtype of `to`, to nearest even. */
export function castStep(kernel: LossKernel, from: Tensor, to: Tensor): Step {
  return convertStep(kernel, from, to, elementCount(from.shape));
}

/** Writes 1 to a tensor of one element. `scratch` is the address of a double. */
export function writeOneStep({ exports, f64 }: LossKernel, scratch: number, to: Tensor): Step {
  return once(() => {
    f64[scratch / 8] = 1;
    exports.convert(scratch, DTYPES.float64.code, to.address, DTYPES[to.dtype].code, 1);
  });
}

/** Writes zeros to the first `count` elements of a tensor. */
export function clearStep({ u8 }: LossKernel, { dtype, address }: Tensor, count: number): Step {
  const { bytes } = DTYPES[dtype];
  return sliced(count, (at, n) => u8.fill(0, address + at * bytes, address + (at + n) * bytes));
}

/**
 * Returns the input as the tensor after a cast to `dtype`, for the checks of its dtype and shape. Rejects an integer
 * `dtype`, in which PyTorch's losses are not implemented.
 */
export function castInput(input: Tensor, dtype: DType | null | undefined): Tensor {
  if (dtype == null) return input;
  requireFloat("dtype", dtype, "log_softmax");
  return { ...input, dtype };
}
