/**
 * Plans: all sizes, dtypes and offsets of a loss, computed before memory is reserved. One plan sizes the outputs,
 * counts the loops and announces the response, so the three cannot differ.
 */
import { FOLD_BYTES } from "../kernel/fold.ts";
import type { LossKernel } from "../kernel/kernel.ts";
import type { Step } from "../kernel/step.ts";
import { alignUp } from "../tensor/arena.ts";
import type { DType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import { byteLength } from "../tensor/tensor.ts";

/** Position of a tensor in a plan's memory block. */
export interface Slot<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  /** Byte offset in the block. */
  readonly offset: number;
}

/** Memory block of a plan under construction. */
export class Layout {
  #bytes = 0;

  /** Size of the block in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  add<D extends DType>(dtype: D, shape: readonly number[]): Slot<D> {
    const slot = { dtype, shape, offset: this.#bytes };
    this.#bytes += alignUp(byteLength(slot));
    return slot;
  }
}

/** Returns the tensor of a slot for a block address. */
export function atSlot<D extends DType>(
  block: number,
  { dtype, shape, offset }: Slot<D>,
): Tensor & { dtype: D } {
  return { dtype, shape, address: block + offset };
}

/** Scratch bytes at the start of each block for kernel operands and scalars. */
export const SCRATCH_BYTES = FOLD_BYTES;

/** Output of a plan. */
export interface Output<Name> {
  readonly name: Name;
  readonly dtype: DType;
  /** `[]` for a scalar. */
  readonly shape: readonly number[];
}

/** Loss with checked operands. For a streamed input, only shape and dtype are used. */
export interface Plan<Result> {
  readonly input: Tensor;
  /** Layout of the input: `outer` rows (or samples) of `length * inner` elements. */
  readonly axis: Axis;
  /** Outputs with their sizes, without warnings. */
  readonly outputs: readonly Output<string & keyof Result>[];
  /** Output that {@link Run.rows} writes. */
  readonly rowsOutput: (string & keyof Result) | undefined;
  /** Bytes beyond the operands: outputs, casts, scratch and the window of a streamed input. */
  readonly bytes: number;
  /** Window of a streamed input. Undefined if all rows lie at `input.address`. */
  readonly window: RowWindow | undefined;
  /** Starts the run in a block of {@link Plan.bytes} at `block`. */
  start(kernel: LossKernel, block: number): Run<Result>;
}

/** Rows of a streamed input that are in memory at one time. */
export interface RowWindow {
  readonly rows: number;
  readonly rowBytes: number;
  readonly slot: Slot;
}

/** Plans a window of at most `windowBytes`, or of one row if that is larger. */
export function planWindow(layout: Layout, { dtype }: Tensor, axis: Axis, windowBytes: number): RowWindow {
  const row = axis.length * axis.inner;
  const rowBytes = row * DTYPES[dtype].bytes;
  const fitting = rowBytes === 0 ? axis.outer : Math.max(1, Math.floor(windowBytes / rowBytes));
  const rows = Math.min(axis.outer, fitting);
  return { rows, rowBytes, slot: layout.add(dtype, [rows * row]) };
}

/**
 * Run of a loss: `begin`, `rows` in order, `end`, and again from `begin` on for other numbers at the same addresses. Results are bit-identical for
 * every division of the rows.
 */
export interface Run<Result> {
  /** Checks of operands' elements, casts, and sums that the rows need. Sets all state anew, so that nothing of an earlier run is left. */
  readonly begin: readonly Step[];
  /** Computes `count` rows from row `first` on at `address`, which may be overwritten afterwards. */
  rows(address: number, first: number, count: number): RowsRun;
  readonly end: readonly Step[];
  /** Outputs known after `begin`, if there can be any. */
  known?(): Partial<Result>;
  /** All outputs after `end`, except {@link Plan.rowsOutput}. */
  result(): Result;
  /** Complete after `end`. */
  readonly warnings: readonly string[];
}

/** Work on some rows and their part of {@link Plan.rowsOutput}. */
export interface RowsRun {
  readonly steps: readonly Step[];
  readonly output: Tensor | undefined;
}

/** Loss whose whole input is in memory. Its steps may run again once they have all ended, but not after an error. */
export interface Computation<Result> {
  readonly steps: readonly Step[];
  result(): Result;
}

/** Builds all steps of a plan in a block of `plan.bytes` at `block`. */
export function computeWhole<Result>(
  kernel: LossKernel,
  plan: Plan<Result>,
  block: number,
): Computation<Result> {
  const { input, axis, rowsOutput } = plan;
  const run = plan.start(kernel, block);
  const rows = run.rows(input.address, 0, axis.outer);
  const steps = [...run.begin, ...rows.steps, ...run.end];
  if (rowsOutput === undefined) return { steps, result: () => run.result() };
  const output = { ...rows.output, shape: input.shape };
  return { steps, result: () => ({ ...run.result(), [rowsOutput]: output }) };
}
