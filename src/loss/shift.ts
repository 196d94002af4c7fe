/**
 * Shift between logits and next-token targets. Each sequence loses its last rows and its first targets, so what remains
 * is gathered for the kernels and spread again for the gradient.
 */
import type { LossKernel } from "../kernel/kernel.ts";
import type { Step } from "../kernel/step.ts";
import { withInit } from "../kernel/step.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount } from "../tensor/tensor.ts";
import { formatShape, LossError } from "./loss-error.ts";

/** Shift of next-token targets: `targets[..., by:]` belong to `logits[..., :-by, :]`. */
export interface Shift {
  /** Length of the sequences, which is the size of the target's last dimension. */
  readonly length: number;
  readonly by: number;
}

/** Returns the shape of the losses: the input's without the class dimension, and without the positions left out. */
export function lossShapeOf(shape: readonly number[], axis: number, shift: Shift | undefined): number[] {
  const positions = shape.toSpliced(axis, 1);
  return shift === undefined ? positions : positions.with(-1, shift.length - shift.by);
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
      `shift needs logits of shape (..., sequence, classes), got ${formatShape(shape)} with the classes in dimension ${axis}: set dim to -1`,
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

/** Returns the index in the caller's target of element `kept` of the shifted target. */
export function unshiftedIndex(kept: number, shift: Shift | undefined): number {
  if (shift === undefined) return kept;
  const { length, by } = shift;
  return kept + by + Math.floor(kept / (length - by)) * by;
}

/** Returns how many of the first `rows` rows have a target. */
export function keptRows(rows: number, shift: Shift | undefined): number {
  if (shift === undefined) return rows;
  const { length, by } = shift;
  const kept = length - by;
  return Math.floor(rows / length) * kept + Math.min(rows % length, kept);
}

/** Consecutive rows of sequences, from row `first` on. */
export interface SequenceRows {
  readonly address: number;
  readonly first: number;
  readonly count: number;
  readonly rowBytes: number;
}

/** Cost of a move beside that of its elements, in elements. */
const MOVE_ELEMENTS = 32;

/** Moves the rows that have a target, without gaps, to `to`, which may be the address of the rows. */
export function gatherStep({ u8 }: LossKernel, rows: SequenceRows, to: number, { length, by }: Shift): Step {
  const { address, first, count, rowBytes } = rows;
  let at: number;
  let next: number;
  const init = (): void => {
    [at, next] = [0, to];
  };
  return withInit(init, (budget) => {
    for (let left = budget; at < count && left > 0; left -= length + MOVE_ELEMENTS) {
      const step = (first + at) % length;
      const bytes = Math.max(0, Math.min(length - by - step, count - at)) * rowBytes;
      const from = address + at * rowBytes;
      if (from !== next) u8.copyWithin(next, from, from + bytes);
      next += bytes;
      at += length - step;
    }
    return at >= count;
  });
}

/** Moves gathered rows at `rows.address` back to their places, the last ones first, and clears the rows between them. */
export function spreadStep({ u8 }: LossKernel, rows: SequenceRows, shift: Shift): Step {
  const { address, first, count, rowBytes } = rows;
  const { length, by } = shift;
  const gatheredEnd = address + (keptRows(first + count, shift) - keptRows(first, shift)) * rowBytes;
  let end: number;
  let next: number;
  const init = (): void => {
    [end, next] = [count, gatheredEnd];
  };
  return withInit(init, (budget) => {
    for (let left = budget; end > 0 && left > 0; left -= length + MOVE_ELEMENTS) {
      const at = Math.max(0, end - 1 - ((first + end - 1) % length));
      const bytes = Math.max(0, Math.min(length - by - ((first + at) % length), end - at)) * rowBytes;
      const to = address + at * rowBytes;
      next -= bytes;
      if (to !== next) u8.copyWithin(to, next, next + bytes);
      u8.fill(0, to + bytes, address + end * rowBytes);
      end = at;
    }
    return end === 0;
  });
}

/** Copies the targets from position `by` on of each sequence. `to` has the shape of the losses. */
export function shiftStep(kernel: LossKernel, from: Tensor, to: Tensor, shift: Shift): Step {
  const { bytes: rowBytes } = DTYPES[from.dtype];
  const address = from.address + shift.by * rowBytes;
  const count = elementCount(from.shape);
  return gatherStep(kernel, { address, first: 0, count, rowBytes }, to.address, shift);
}
