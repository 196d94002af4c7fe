import type { DType, FloatDType } from "./dtype.ts";
import { DTYPES } from "./dtype.ts";

/** The highest rank that is accepted; products of the sizes stay exact integers. */
export const MAX_RANK = 8;

/** A tensor in the Arena: row-major, without gaps, at a 16-byte boundary. A plain record; rooms take it and give it back. */
export interface Tensor {
  readonly dtype: DType;
  /** Sizes, outermost first; `[]` is a 0-dim tensor with one element. */
  readonly shape: readonly number[];
  /** The byte address of the first element in the Arena's memory. */
  readonly address: number;
}

/** The number of elements of a shape; 1 for a 0-dim tensor. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/** The bytes that a tensor of this type and shape takes. */
export function byteLength(tensor: Pick<Tensor, "dtype" | "shape">): number {
  return elementCount(tensor.shape) * DTYPES[tensor.dtype].bytes;
}

/** Whether two shapes are the same, size by size: `()` and `(1)` differ. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** `count` elements of a tensor from element `first` on, as a flat tensor in the same place. */
export function partOf({ dtype, address }: Tensor, first: number, count: number): Tensor {
  return { dtype, shape: [count], address: address + first * DTYPES[dtype].bytes };
}

/** One number with the dtype in which it is stored; `value` is exact in that dtype. */
export interface Scalar {
  readonly dtype: FloatDType;
  readonly value: number;
}

/** How an axis cuts a row-major tensor into lines: element (o, k, i) lies at (o * length + k) * inner + i. */
export interface Axis {
  /** Positions before the axis, multiplied. */
  readonly outer: number;
  /** Elements along the axis. */
  readonly length: number;
  /** Positions after the axis, multiplied: the stride of the axis; 1 when it is the last. */
  readonly inner: number;
}

/** The layout of `axis` (0 <= axis < rank) in a shape. A 0-dim tensor counts as one line of one element. */
export function axisOf(shape: readonly number[], axis: number): Axis {
  let outer = 1;
  let inner = 1;
  shape.forEach((size, at) => {
    if (at < axis) outer *= size;
    if (at > axis) inner *= size;
  });
  return { outer, length: shape[axis] ?? 1, inner };
}
