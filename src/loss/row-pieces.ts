/**
 * Rows in pieces, for a loss that casts or transforms its input or whose last rows have no target: each piece is cast
 * into a small buffer, transformed and folded there, and its gradient returns the same way over the piece.
 */
import { convertStep } from "../kernel/convert.ts";
import type { LossKernel } from "../kernel/kernel.ts";
import type { LogitTransform } from "../kernel/logits.ts";
import { transformGradStep } from "../kernel/logits.ts";
import type { Step } from "../kernel/step.ts";
import { chain } from "../kernel/step.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import { partOf } from "../tensor/tensor.ts";
import { fillSteps } from "./logit-transform.ts";
import type { Shift } from "./loss-axis.ts";
import { clearStep } from "./numbers.ts";
import type { Layout, Slot } from "./plan.ts";
import { atSlot } from "./plan.ts";

/** Size of the buffer, which fits the second-level cache with the piece. One row may be larger. */
const BUFFER_BYTES = 128 * 1024;

/** Plan for the pieces of a loss. */
export interface PiecePlan {
  /** Elements of a row, or of a sample if the classes are not last. */
  readonly rowElements: number;
  /** Buffer for a piece in the dtype of the loss. Undefined if the fold reads the rows themselves. */
  readonly buffer: Slot<FloatDType> | undefined;
  readonly transform: LogitTransform | undefined;
  /** Rows of the largest piece. */
  readonly rows: number;
  readonly shift: Shift | undefined;
}

/** What happens to rows beside a fold. */
export interface RowChanges {
  /** Dtype of the loss, to which the rows are cast. */
  readonly dtype: FloatDType;
  readonly shift?: Shift | undefined;
  readonly transform?: LogitTransform | undefined;
}

/** Plans pieces. Undefined if a single fold can read all rows where they are. */
export function planPieces(
  layout: Layout,
  input: Tensor,
  axis: Axis,
  { dtype, shift, transform }: RowChanges,
): PiecePlan | undefined {
  const rowElements = axis.length * axis.inner;
  const rows = axis.outer;
  if (input.dtype === dtype && transform === undefined)
    return shift === undefined ? undefined : { rowElements, buffer: undefined, transform, rows, shift };
  const fitting = Math.floor(BUFFER_BYTES / Math.max(1, rowElements * DTYPES[dtype].bytes));
  const rowsAtOnce = Math.min(rows, Math.max(1, fitting));
  const buffer = layout.add(dtype, [rowsAtOnce * rowElements]);
  return { rowElements, buffer, transform, rows: rowsAtOnce, shift };
}

/** Consecutive rows that have a target each, or none. */
interface Piece {
  /** First row, counted from the first row of the input. */
  readonly first: number;
  readonly count: number;
  /** First row among the rows with a target. Undefined for rows without one. */
  readonly kept: number | undefined;
}

/** Divides `count` rows from row `first` on into pieces of at most `rows` rows. */
function* divide({ rows, shift }: PiecePlan, first: number, count: number): Generator<Piece> {
  const end = first + count;
  for (let at = first; at < end; ) {
    const most = Math.min(rows, end - at);
    if (shift === undefined) {
      yield { first: at, count: most, kept: at };
      at += most;
      continue;
    }
    const { length, by } = shift;
    const step = at % length;
    const isKept = step < length - by;
    const size = Math.min(most, (isKept ? length - by : length) - step);
    yield { first: at, count: size, kept: isKept ? at - Math.floor(at / length) * by : undefined };
    at += size;
  }
}

/** Rows in memory, and the fold of a piece of them. */
export interface PieceRows {
  /** Rows in the input's dtype. */
  readonly input: Tensor;
  /** Row of the input at `input.address`. */
  readonly first: number;
  readonly count: number;
  /** Whether the fold replaces the rows by their gradient. */
  readonly returnsGrad: boolean;
  /** Folds the rows `x`, whose targets begin at row `kept` of the targets. */
  readonly fold: (x: Tensor, kept: number, count: number) => Step;
}

/** Folds rows piece by piece. Clears the gradient of rows without a target. */
export function foldPieces(kernel: LossKernel, plan: PiecePlan, block: number, rows: PieceRows): Step {
  return chain(pieceSteps(kernel, plan, block, rows));
}

function* pieceSteps(kernel: LossKernel, plan: PiecePlan, block: number, rows: PieceRows): Generator<Step> {
  const { rowElements, transform } = plan;
  const buffer = plan.buffer && atSlot(block, plan.buffer);
  for (const { first, count, kept } of divide(plan, rows.first, rows.count)) {
    const elements = count * rowElements;
    const piece = partOf(rows.input, (first - rows.first) * rowElements, elements);
    if (kept === undefined) {
      if (rows.returnsGrad) yield clearStep(kernel, piece, elements);
    } else if (buffer === undefined) {
      yield rows.fold(piece, kept, count);
    } else {
      const x = partOf(buffer, 0, elements);
      yield* fillSteps(kernel, piece, x, elements, transform);
      yield rows.fold(x, kept, count);
      if (!rows.returnsGrad) continue;
      if (transform !== undefined) yield transformGradStep(kernel, piece, x, transform);
      yield convertStep(kernel, x, piece, elements);
    }
  }
}
