/**
 * Plans: every size, dtype and place that a loss needs, from one source and before a byte of memory is taken. Outputs are sized, loops are
 * counted and answers are announced by the same plan, so that they cannot differ.
 */
import type { Kernel } from "../kernel/kernel.ts";
import type { Step } from "../kernel/step.ts";
import { alignUp } from "../tensor/arena.ts";
import type { DType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import { byteLength } from "../tensor/tensor.ts";

/** The place of a tensor in the block of memory that a plan asks for. */
export interface Slot<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  /** Bytes from the start of the block. */
  readonly offset: number;
}

/** The block of memory of one plan, while the plan is made. */
export class Layout {
  #bytes = 0;

  /** Bytes of the block. */
  get bytes(): number {
    return this.#bytes;
  }

  add<D extends DType>(dtype: D, shape: readonly number[]): Slot<D> {
    const slot = { dtype, shape, offset: this.#bytes };
    this.#bytes += alignUp(byteLength(slot));
    return slot;
  }
}

/** The tensor of a slot, once its block has an address. */
export function atSlot<D extends DType>(
  block: number,
  { dtype, shape, offset }: Slot<D>,
): Tensor & { dtype: D } {
  return { dtype, shape, address: block + offset };
}

/** Bytes at the start of each block for the operands of one kernel call and single numbers. */
export const SCRATCH_BYTES = 512;

/** A member of a result, before it is known. */
export interface Output<Name> {
  readonly name: Name;
  readonly dtype: DType;
  /** `[]` for a scalar. */
  readonly shape: readonly number[];
}

/** A loss whose operands have been checked. Of an input that is streamed only shape and dtype count. */
export interface Plan<Result> {
  readonly input: Tensor;
  /** The input's lines: `outer` rows (or samples) of `length * inner` elements. */
  readonly axis: Axis;
  /** The members of the result with their sizes, warnings apart. */
  readonly outputs: readonly Output<string & keyof Result>[];
  /** The member that {@link Run.rows} writes. */
  readonly rowsOutput: (string & keyof Result) | undefined;
  /** Bytes of memory beside the operands: outputs, casts, scratch and the window of a streamed input. */
  readonly bytes: number;
  /** Where some rows of a streamed input lie at a time; undefined: all rows lie at `input.address`. */
  readonly window: RowWindow | undefined;
  /** Starts the computation in a block of {@link Plan.bytes} at `block`. */
  start(kernel: Kernel, block: number): Run<Result>;
}

/** Rows of a streamed input that are in memory at one time. */
export interface RowWindow {
  readonly rows: number;
  readonly rowBytes: number;
  readonly slot: Slot;
}

/** Plans a window of at most `windowBytes`, or of one row if that takes more. */
export function planWindow(layout: Layout, { dtype }: Tensor, axis: Axis, windowBytes: number): RowWindow {
  const row = axis.length * axis.inner;
  const rowBytes = row * DTYPES[dtype].bytes;
  const fitting = rowBytes === 0 ? axis.outer : Math.max(1, Math.floor(windowBytes / rowBytes));
  const rows = Math.min(axis.outer, fitting);
  return { rows, rowBytes, slot: layout.add(dtype, [rows * row]) };
}

/** A loss under way: `begin`, then `rows` for all rows in order, then `end`. However the rows are divided, every result has the same bits. */
export interface Run<Result> {
  /** Checks that read the operands' elements, casts, and sums that the rows need. */
  readonly begin: readonly Step[];
  /** Takes `count` rows from row `first` on, which lie at `address` and may be overwritten afterwards. */
  rows(address: number, first: number, count: number): RowsRun;
  readonly end: readonly Step[];
  /** The members that are known after `begin`. */
  known(): Partial<Result>;
  /** After `end`: all members but {@link Plan.rowsOutput}. */
  result(): Result;
  /** Grows until the end. */
  readonly warnings: readonly string[];
}

/** The work on some rows, and the elements of {@link Plan.rowsOutput} that it gives. */
export interface RowsRun {
  readonly steps: readonly Step[];
  readonly output: Tensor | undefined;
}

/** A loss with all of its input in memory: its steps in order, and the result after the last one. */
export interface Computation<Result> {
  readonly steps: readonly Step[];
  result(): Result;
}

/** The whole computation of a plan, in a block of `plan.bytes` at `block`. */
export function computeWhole<Result>(kernel: Kernel, plan: Plan<Result>, block: number): Computation<Result> {
  const run = plan.start(kernel, block);
  const { steps, output } = run.rows(plan.input.address, 0, plan.axis.outer);
  return {
    steps: [...run.begin, ...steps, ...run.end],
    result: () => {
      const result = { ...run.result(), warnings: run.warnings };
      if (plan.rowsOutput === undefined) return result;
      return { ...result, [plan.rowsOutput]: { ...output, shape: plan.input.shape } };
    },
  };
}
