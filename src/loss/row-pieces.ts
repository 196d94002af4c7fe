/**
 * Rows in pieces, for a loss that casts or transforms its input or whose last rows have no target. The rows with a
 * target are gathered at the start of their piece, cast into a small buffer, transformed and folded there, and their
 * gradient returns the same way over the piece.
 */
import { convertStep } from "../kernel/convert.ts";
import type { LossKernel } from "../kernel/kernel.ts";
import type { LogitTransform } from "../kernel/logits.ts";
import { transformGradStep } from "../kernel/logits.ts";
import type { SizedStep, Step } from "../kernel/step.ts";
import { chain } from "../kernel/step.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import { partOf } from "../tensor/tensor.ts";
import { fillSteps } from "./logit-transform.ts";
import type { Layout, RowsRun, Slot } from "./plan.ts";
import { atSlot } from "./plan.ts";
import type { Shift } from "./shift.ts";
import { gatherStep, keptRows, spreadStep } from "./shift.ts";

/** Size of a piece, which fits the second-level cache with its buffer. One row may be larger. */
const PIECE_BYTES = 128 * 1024;

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
  const changes = input.dtype !== dtype || transform !== undefined;
  if (!changes && shift === undefined) return undefined;
  const rowElements = axis.length * axis.inner;
  const fitting = Math.floor(PIECE_BYTES / (rowElements * DTYPES[dtype].bytes));
  const rows = Math.min(axis.outer, Math.max(1, fitting));
  const buffer = changes ? layout.add(dtype, [rows * rowElements]) : undefined;
  return { rowElements, buffer, transform, rows, shift };
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

/** Folds rows in place, piece by piece if there is a plan for pieces. Clears the gradient of rows without a target. */
export function foldRows(
  kernel: LossKernel,
  plan: PiecePlan | undefined,
  block: number,
  rows: PieceRows,
): RowsRun {
  const { input, first, count, returnsGrad, fold } = rows;
  const step =
    plan === undefined ? fold(input, first, count) : chain(() => pieceSteps(kernel, plan, block, rows));
  return { steps: [step], output: returnsGrad ? input : undefined };
}

function* pieceSteps(
  kernel: LossKernel,
  plan: PiecePlan,
  block: number,
  rows: PieceRows,
): Generator<SizedStep, void> {
  const { rowElements, transform, shift } = plan;
  const { input, returnsGrad, fold } = rows;
  const buffer = plan.buffer && atSlot(block, plan.buffer);
  const rowBytes = rowElements * DTYPES[input.dtype].bytes;
  for (let at = 0; at < rows.count; at += plan.rows) {
    const first = rows.first + at;
    const count = Math.min(plan.rows, rows.count - at);
    const kept = keptRows(first, shift);
    const size = keptRows(first + count, shift) - kept;
    const all = count * rowElements;
    const elements = size * rowElements;
    const piece = partOf(input, at * rowElements, elements);
    const inPlace = { address: piece.address, first, count, rowBytes };
    if (shift !== undefined) yield { step: gatherStep(kernel, inPlace, piece.address, shift), elements: all };
    if (buffer === undefined) {
      yield { step: fold(piece, kept, size), elements };
    } else {
      const x = partOf(buffer, 0, elements);
      for (const step of fillSteps(kernel, piece, x, elements, transform)) yield { step, elements };
      yield { step: fold(x, kept, size), elements };
      if (returnsGrad) {
        if (transform !== undefined) yield { step: transformGradStep(kernel, piece, x, transform), elements };
        yield { step: convertStep(kernel, x, piece, elements), elements };
      }
    }
    if (shift !== undefined && returnsGrad) yield { step: spreadStep(kernel, inPlace, shift), elements: all };
  }
}
