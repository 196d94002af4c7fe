import type { DType, FloatDType } from "./dtype.ts";
import { DTYPES } from "./dtype.ts";

/** Highest rank. Products of the sizes stay exact integers. */
export const MAX_RANK = 8;

/** Tensor in the Arena: a plain record, row-major, contiguous, 16-byte aligned. */
export interface Tensor {
  readonly dtype: DType;
  /** Sizes, outermost first. `[]` is a 0-dim tensor with one element. */
  readonly shape: readonly number[];
  /** Byte address of the first element in the Arena's memory. */
  readonly address: number;
}

/** Counts the elements of a shape, 1 for a 0-dim tensor. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/** Returns the size of a tensor in bytes. */
export function byteLength(tensor: Pick<Tensor, "dtype" | "shape">): number {
  return elementCount(tensor.shape) * DTYPES[tensor.dtype].bytes;
}

/** Returns whether two shapes are equal. `()` and `(1)` differ. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Returns `count` elements from element `first` on as a flat view. */
export function partOf({ dtype, address }: Tensor, first: number, count: number): Tensor {
  return { dtype, shape: [count], address: address + first * DTYPES[dtype].bytes };
}

/** Number with its dtype. `value` is exact in that dtype. */
export interface Scalar {
  readonly dtype: FloatDType;
  readonly value: number;
}

/** Lines of a row-major tensor along an axis. Element (o, k, i) lies at (o * length + k) * inner + i. */
export interface Axis {
  /** Product of the sizes before the axis. */
  readonly outer: number;
  /** Elements along the axis. */
  readonly length: number;
  /** Product of the sizes after the axis, which is its stride. */
  readonly inner: number;
}

/** Returns the layout of `axis` (0 <= axis < rank). A 0-dim tensor counts as one line of one element. */
export function axisOf(shape: readonly number[], axis: number): Axis {
  let outer = 1;
  let inner = 1;
  shape.forEach((size, at) => {
    if (at < axis) outer *= size;
    if (at > axis) inner *= size;
  });
  return { outer, length: shape[axis] ?? 1, inner };
}
