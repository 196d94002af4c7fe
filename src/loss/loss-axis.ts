/** Class dimension of the losses, and the shift between logits and next-token targets. */
import type { LossKernel } from "../kernel/kernel.ts";
import type { Step } from "../kernel/step.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount, sameShape } from "../tensor/tensor.ts";
import { LossError, show } from "./loss-error.ts";

/** Options that say where the classes are and which target belongs to a row. */
export interface AxisOptions {
  /** Dimension of the classes, from -rank to rank - 1. Default 0 for a 1-D input, otherwise 1, as in PyTorch. */
  readonly dim?: number | null | undefined;
  /**
   * Positions by which the targets are ahead of the logits, along the target's last dimension. The first `shift` targets
   * and the last `shift` rows are left out. Needs the classes in the last dimension. Default 0.
   */
  readonly shift?: number | undefined;
}

/** Returns PyTorch's class dimension: 0 for an unbatched row, otherwise 1. */
export function classAxis(shape: readonly number[]): number {
  return shape.length === 1 ? 0 : 1;
}

/** Returns the class dimension. Rejects a `dim` out of range. Without dimensions, returns PyTorch's, which the checks reject. */
export function resolveClassAxis({ shape }: Tensor, dim: number | null | undefined): number {
  const rank = shape.length;
  if (dim == null || rank === 0) return classAxis(shape);
  if (dim >= -rank && dim < rank) return dim < 0 ? dim + rank : dim;
  throw new LossError(
    "dim_out_of_range",
    "dim",
    `Dimension out of range (expected to be in range of [${-rank}, ${rank - 1}], but got ${dim})`,
  );
}

/** Shift of next-token targets: `targets[..., by:]` belong to `logits[..., :-by, :]`. */
export interface Shift {
  /** Length of the sequences, which is the size of the target's last dimension. */
  readonly length: number;
  readonly by: number;
}

/**
 * Returns the shift of checked operands, undefined for 0. Rejects classes that are not in the last dimension, an input
 * without a dimension for the sequence, and a shift over its length.
 */
export function resolveShift({ shape }: Tensor, axis: number, by = 0): Shift | undefined {
  if (by === 0) return undefined;
  if (axis !== shape.length - 1 || shape.length < 2) {
    throw new LossError(
      "option_not_applicable",
      "shift",
      `shift needs logits of shape (..., sequence, classes), got ${show(shape)} with the classes in dimension ${axis}: set dim to -1`,
    );
  }
  const length = shape.at(-2)!;
  if (by < 0 || by > length) {
    throw new LossError(
      "option_out_of_range",
      "shift",
      `shift must be between 0 and the length of the sequence, ${length}. Got: ${by}`,
    );
  }
  return { length, by };
}

/** Returns the shape of the losses: the input's without the class dimension, and without the positions left out. */
export function lossShapeOf(shape: readonly number[], axis: number, shift: Shift | undefined): number[] {
  const positions = shape.toSpliced(axis, 1);
  return shift === undefined ? positions : positions.with(-1, shift.length - shift.by);
}

/** Returns the index in the caller's target of element `kept` of the shifted target. */
export function unshiftedIndex(kept: number, shift: Shift | undefined): number {
  if (shift === undefined) return kept;
  const { length, by } = shift;
  return kept + by + Math.floor(kept / (length - by)) * by;
}

/** Copies the targets from position `by` on of each sequence. `to` has the shape of the losses. */
export function shiftStep({ u8 }: LossKernel, from: Tensor, to: Tensor, { length, by }: Shift): Step {
  const { bytes } = DTYPES[from.dtype];
  const kept = length - by;
  const sequences = kept === 0 ? 0 : elementCount(to.shape) / kept;
  let at = 0;
  return (budget) => {
    const end = Math.min(sequences, at + Math.ceil(budget / length));
    for (; at < end; at++) {
      const first = from.address + (at * length + by) * bytes;
      u8.copyWithin(to.address + at * kept * bytes, first, first + kept * bytes);
    }
    return at >= sequences;
  };
}

/** Rejects a target whose shape is not the input's without the class dimension. For a `dim` other than PyTorch's. */
export function checkTargetShape(input: Tensor, axis: number, target: Tensor): void {
  const expected = input.shape.toSpliced(axis, 1);
  if (sameShape(target.shape, expected)) return;
  throw new LossError(
    "shape_mismatch",
    "target",
    `Expected target size ${show(expected)}, got ${show(target.shape)}: the input's shape without its classes, dimension ${axis}`,
  );
}
