/** Where a loss computes: the kernels and the memory that its request has reserved. */

import { convertTensor } from "../kernel/convert.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Region } from "../tensor/arena.ts";
import type { DType, FloatDType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { byteLength, elementCount } from "../tensor/tensor.ts";

export interface Workspace {
  readonly kernel: Kernel;
  readonly region: Region;
}

/** One number with the dtype in which it is stored; `value` is exact in that dtype. */
export interface Scalar {
  readonly dtype: FloatDType;
  readonly value: number;
}

/** Slices of work: each `yield` is a place where other requests may run. */
export type Steps<Result> = Generator<void, Result>;

/** A new tensor whose elements are not yet written. */
export function allocate<D extends DType>(
  work: Workspace,
  dtype: D,
  shape: readonly number[],
): Tensor & { dtype: D } {
  return { dtype, shape, address: work.region.alloc(byteLength({ dtype, shape })) };
}

/** The same numbers in another dtype, rounded to nearest even; the tensor itself when it has that dtype already. */
export function* cast<D extends FloatDType>(
  work: Workspace,
  tensor: Tensor,
  dtype: D,
): Steps<Tensor & { dtype: D }> {
  if (tensor.dtype === dtype) return tensor as Tensor & { dtype: D };
  const copy = allocate(work, dtype, tensor.shape);
  yield* convertTensor(work.kernel, tensor, copy, elementCount(tensor.shape));
  return copy;
}

/** Rounds a double to a dtype as storing it there would. */
export function roundTo(work: Workspace, dtype: FloatDType, value: number): Scalar {
  if (dtype === "float64") return { dtype, value };
  if (dtype === "float32") return { dtype, value: Math.fround(value) };
  const at = work.region.alloc(8);
  const { run, f64 } = work.kernel;
  f64[at / 8] = value;
  run.convert(at, DTYPES.float64.code, at, DTYPES[dtype].code, 1);
  run.convert(at, DTYPES[dtype].code, at, DTYPES.float64.code, 1);
  return { dtype, value: f64[at / 8] ?? Number.NaN };
}

/** The first element of a tensor as a double. */
export function firstElement(work: Workspace, tensor: Tensor): number {
  const at = work.region.alloc(8);
  work.kernel.run.convert(tensor.address, DTYPES[tensor.dtype].code, at, DTYPES.float64.code, 1);
  return work.kernel.f64[at / 8] ?? Number.NaN;
}

/** The type in which the kernels compute: float64 as soon as one operand has it, else float32. */
export function computeDType(...operands: readonly (Tensor | undefined)[]): "float64" | "float32" {
  return operands.some((operand) => operand?.dtype === "float64") ? "float64" : "float32";
}
