/** Class dimension of the losses. */
import type { Tensor } from "../tensor/tensor.ts";
import { sameShape } from "../tensor/tensor.ts";
import { formatShape, LossError } from "./loss-error.ts";
import type { Shift } from "./shift.ts";

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

/** Returns the shape of the losses: the input's without the class dimension, and without the positions left out. */
export function lossShapeOf(shape: readonly number[], axis: number, shift: Shift | undefined): number[] {
  const positions = shape.toSpliced(axis, 1);
  return shift === undefined ? positions : positions.with(-1, shift.length - shift.by);
}

/** Rejects a target whose shape is not the input's without the class dimension. For a `dim` other than PyTorch's. */
export function checkTargetShape(input: Tensor, axis: number, target: Tensor): void {
  const expected = input.shape.toSpliced(axis, 1);
  if (sameShape(target.shape, expected)) return;
  throw new LossError(
    "shape_mismatch",
    "target",
    `Expected target size ${formatShape(expected)}, got ${formatShape(target.shape)}: the input's shape without its classes, dimension ${axis}`,
  );
}
