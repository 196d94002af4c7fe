/** PyTorch's checks of the class dimension, index targets and weights, in its order and words. */
import type { DType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount, sameShape } from "../tensor/tensor.ts";
import { formatShape, LossError } from "./loss-error.ts";

/** Returns PyTorch's class dimension: 0 for an unbatched row, otherwise 1. */
function classAxis(shape: readonly number[]): number {
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

/**
 * Checks the operands of `nll_loss` in the order of PyTorch 2.15: rank, batch size, rank of the target, its dtype, its
 * sizes, the weight's shape, the input's dtype, the weight's dtype. For 4-D inputs, the weight's shape comes before the
 * target's sizes, and for 3-D, 5-D and higher inputs, the target's sizes come before its dtype. PyTorch 2.15 accepts a 1-D input with a target of shape (1), which is rejected here because it
 * is always a mistake. Another class dimension than PyTorch's has its own order: the target's shape, its dtype, the
 * weight's shape, the dtypes.
 */
export function checkIndexOperands(
  input: Tensor,
  axis: number,
  target: Tensor,
  weight: Tensor | undefined,
): void {
  const rank = input.shape.length;
  if (rank === 0) throw shapeError("input", "Expected 1 or more dimensions (got 0)");
  if (axis !== classAxis(input.shape)) {
    checkMoved(input, axis, target, weight);
    return;
  }
  if (rank !== 1 && input.shape[0] !== (target.shape[0] ?? 0)) {
    throw shapeError(
      "target",
      `Expected input batch_size (${input.shape[0]}) to match target batch_size (${target.shape[0] ?? 0})${hint(input, target) || "."}`,
    );
  }
  if (rank <= 2) checkRows(input, target, weight);
  else if (rank === 4) checkImages(input, target, weight);
  else checkVolumes(input, target, weight);
  checkDTypes(input, weight);
}

function checkRows(input: Tensor, target: Tensor, weight: Tensor | undefined): void {
  const classes = input.shape.at(-1) ?? 0;
  if (target.shape.length > 1) {
    throw shapeError(
      "target",
      `0D or 1D target tensor expected, multi-target not supported (got ${formatShape(target.shape)})${hint(input, target)}`,
    );
  }
  checkTargetDType(target);
  if (input.shape.length === 1 && target.shape.length === 1) throw listError(input, target);
  // A 0-dim target has no batch size, so it does not match a batch of 0 either.
  if (input.shape.length === 2 && target.shape.length === 0) {
    throw shapeError(
      "target",
      `Dimension specified as 0 but tensor has no dimensions: the target of a batch has shape [${input.shape[0]}], got []`,
    );
  }
  checkWeightShape(weight, classes);
}

function checkImages(input: Tensor, target: Tensor, weight: Tensor | undefined): void {
  const [n = 0, , height = 0, width = 0] = input.shape;
  if (target.shape.length !== 3) {
    throw shapeError(
      "target",
      `only batches of spatial targets supported (3D tensors) but got targets of dimension: ${target.shape.length}${hint(input, target)}`,
    );
  }
  checkTargetDType(target);
  checkWeightCount(input, weight);
  if (!sameShape(target.shape, [n, height, width])) throw sizesError(input.shape, target.shape);
}

/** Checks 3-D, 5-D and higher inputs, which PyTorch reshapes to the 4-D case. */
function checkVolumes(input: Tensor, target: Tensor, weight: Tensor | undefined): void {
  const [n = 0, classes = 0, ...spatial] = input.shape;
  const expected = [n, ...spatial];
  if (!sameShape(target.shape, expected)) {
    throw shapeError(
      "target",
      `Expected target size ${formatShape(expected)}, got ${formatShape(target.shape)}${hint(input, target)}`,
    );
  }
  checkTargetDType(target);
  checkWeightCount(input, weight);
  if (classes === 0) checkNoPositions(n, target);
}

/** Rejects the positions of a volume without classes, as PyTorch does for 3-D, 5-D and higher inputs alone. */
function checkNoPositions(n: number, target: Tensor): void {
  const positions = elementCount(target.shape);
  if (positions > 0) throw sizesError([n, 0, 0, 0], [n, 1, positions / n]);
}

/**
 * Checks the operands with a class dimension other than PyTorch's. They are accepted as those of `input.movedim(axis, 1)`.
 */
function checkMoved(input: Tensor, axis: number, target: Tensor, weight: Tensor | undefined): void {
  checkTargetShape(input, axis, target);
  checkTargetDType(target);
  checkWeightShape(weight, input.shape[axis]!);
  const rank = input.shape.length;
  if (input.shape[axis] === 0 && (rank === 3 || rank > 4)) checkNoPositions(target.shape[0]!, target);
  checkDTypes(input, weight);
}

/** Rejects a target whose shape is not the input's without the class dimension. */
function checkTargetShape(input: Tensor, axis: number, target: Tensor): void {
  const expected = input.shape.toSpliced(axis, 1);
  if (sameShape(target.shape, expected)) return;
  throw new LossError(
    "shape_mismatch",
    "target",
    `Expected target size ${formatShape(expected)}, got ${formatShape(target.shape)}: the input's shape without its classes, dimension ${axis}`,
  );
}

function checkWeightShape(weight: Tensor | undefined, classes: number): void {
  if (weight === undefined || sameShape(weight.shape, [classes])) return;
  throw weightError(weight, `either for all ${classes} classes or no classes`);
}

function checkWeightCount(input: Tensor, weight: Tensor | undefined): void {
  if (weight !== undefined && elementCount(weight.shape) !== input.shape[1]) {
    throw weightError(weight, `either for all or no classes, that is for ${input.shape[1]},`);
  }
}

/** Accepts int32 in addition to PyTorch's int64 and uint8. */
export function checkTargetDType({ dtype }: Tensor): void {
  if (!DTYPES[dtype].float) return;
  throw new LossError(
    "dtype_not_supported",
    "target",
    `expected target dtype to be Long or Byte, but got ${DTYPES[dtype].torch}: class indices are int64, int32 or uint8`,
  );
}

function checkDTypes(input: Tensor, weight: Tensor | undefined): void {
  const name = input.shape.length < 3 ? "nll_loss_out_frame" : "nll_loss2d_forward_out_frame";
  requireFloat("input", input.dtype, name);
  checkWeightDType(input, weight);
}

/** Rejects a weight whose dtype is not that of the loss, to which the input is cast. */
export function checkWeightDType(input: Tensor, weight: Tensor | undefined): void {
  if (weight !== undefined && weight.dtype !== input.dtype) {
    throw new LossError(
      "dtype_mismatch",
      "weight",
      `expected scalar type ${DTYPES[input.dtype].torch} but found ${DTYPES[weight.dtype].torch}: weight must have the dtype of the loss, ${input.dtype}, which is the input's unless dtype is set`,
    );
  }
}

/** Returns the field that has decided on the `dtype` of the computation. */
export function fieldOf(dtype: DType, input: Tensor): "input" | "dtype" {
  return dtype === input.dtype ? "input" : "dtype";
}

/** Rejects integer dtypes in the words of PyTorch's kernel dispatch. */
export function requireFloat(field: "input" | "dtype", dtype: DType, kernel: string): void {
  if (DTYPES[dtype].float) return;
  throw new LossError(
    "dtype_not_supported",
    field,
    `"${kernel}" not implemented for '${DTYPES[dtype].torch}': ${field} must be float64, float32, float16 or bfloat16`,
  );
}

/** Returns advice for common mistakes in the target's shape, empty for others. */
function hint(input: Tensor, target: Tensor): string {
  const [n = 0] = input.shape;
  const top = (input.shape[classAxis(input.shape)] ?? 0) - 1;
  if (sameShape(input.shape, target.shape))
    return `. The target holds class indices in [0, ${top}], one for each row, not one-hot rows or probabilities; cross_entropy takes those`;
  if (input.shape.length === 1 && sameShape(target.shape, [1]))
    return ". One row of logits takes a class index alone, such as 0, not [0]";
  if (input.shape.length === 2 && n === 1 && target.shape.length === 0)
    return ". A target for one row is [0], a list of one class index, not 0";
  if (input.shape.length === 2 && sameShape(target.shape, [n, 1]))
    return ". The target is one list of class indices, such as [0, 1], not a column, [[0], [1]]";
  if (input.shape.length === 2 && target.shape.length === 2 && target.shape[0] === n)
    return ". K classes for each row are a sparse target, which cross_entropy takes with target_weight";
  if (input.shape.length === 3 && sameShape(target.shape, input.shape.slice(0, -1)))
    return ". The second dimension holds the classes unless dim says otherwise: set dim to -1 for (batch, tokens, classes)";
  return "";
}

function shapeError(field: "input" | "target", message: string): LossError {
  return new LossError("shape_mismatch", field, message);
}

/** Builds the error for a 1-D target with a 1-D input. */
function listError(input: Tensor, target: Tensor): LossError {
  const [size] = target.shape;
  const message =
    size === 1
      ? "Expected target to be 0D when input is 1D, but got target.dim=1"
      : `For 1D input, 1D target must have size 1, but got target size: ${size}; here it is 0D, a class index alone`;
  return shapeError("target", `${message}${hint(input, target)}`);
}

function sizesError(input: readonly number[], target: readonly number[]): LossError {
  return shapeError(
    "target",
    `size mismatch (got input: ${formatShape(input)}, target: ${formatShape(target)})`,
  );
}

function weightError(weight: Tensor, scope: string): LossError {
  return new LossError(
    "shape_mismatch",
    "weight",
    `weight tensor should be defined ${scope} but got weight tensor of shape: ${formatShape(weight.shape)}`,
  );
}
