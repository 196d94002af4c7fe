/** Picks of lines whose sums are known: log-probabilities by class index, the largest, and their gradients. */

import { DTYPES } from "../tensor/dtype.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import type { Chunk, Sums } from "./line-sums.ts";
import { ROW_BLOCK } from "./line-sums.ts";
import type { Step } from "./step.ts";
import { withInit } from "./step.ts";

/** Exports of `assembly/gather.ts` and `assembly/top-k.ts`. */
export interface PickExports {
  readonly picksBytes: number;
  gatherStep(picks: number, budget: number): number;
  scatterStep(picks: number, budget: number): number;
  topKStep(picks: number, budget: number): number;
}

/** Operands of a step over picks. Tensors begin at the first position of `x`. */
export interface Picks {
  readonly axis: Axis;
  readonly wide: boolean;
  /** Logits, whose dtype the values have, too. */
  readonly x: Tensor;
  readonly sums: Sums;
  /** Picks per line. */
  readonly count: number;
  /** Checked class indices, or the output for those of the top k in int64. */
  readonly index: Tensor;
  readonly values: Tensor;
  /** Upstream gradient of the values, in any float dtype. */
  readonly grad?: Tensor | undefined;
  /** Output of scatter in the compute dtype, in the shape of `x`, to which the gradients are added. */
  readonly base?: Tensor | undefined;
  /** Address of {@link topKBytes} bytes for the top k. */
  readonly entries?: number | undefined;
  /** Address of the maxima of the chunk's blocks, see {@link maximaBytes}. */
  readonly maxima?: number | undefined;
}

/** Picks that are kept in order by insertion, up to which that is faster than to sort them. */
const ORDERED_PICKS = 32;
/** Bytes of the counts before the entries, see COUNTS_BYTES in assembly/top-k-entries.ts. */
const COUNTS_BYTES = 1024;

/** Returns the bytes for finding the `count` largest elements of a line. */
export function topKBytes(count: number, axis: Axis, wide: boolean): number {
  return COUNTS_BYTES + (capacityOf(count, axis, wide) || count) * (wide ? 12 : 8);
}

/**
 * Returns the largest number of entries, or 0 if they are kept in order. Two halves let each selection drop half of
 * them, and take turns in the sort. Many entries of one line of float32 need no second half: int64 class indices, which
 * are as large, take the turn.
 */
function capacityOf(count: number, { length, inner }: Axis, wide: boolean): number {
  if (count <= ORDERED_PICKS) return 0;
  const halves = 2 * (count + ROW_BLOCK);
  return inner === 1 && !wide && count > ROW_BLOCK ? Math.min(length, halves) : halves;
}

interface PickKernel {
  readonly exports: PickExports;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
}

// First field of class Picks in assembly/picks.ts that is a 32-bit word. The last word is the position to begin with.
const OPERANDS = 4;

/** Bytes of the record of {@link picksStep}. */
export const PICKS_RECORD_BYTES = 144;

/** Works on the picks of a chunk of lines. `at` is the address of {@link PICKS_RECORD_BYTES} bytes. */
export function picksStep(
  kernel: PickKernel,
  at: number,
  name: "gather" | "scatter" | "topK",
  picks: Picks,
  chunk: Chunk,
): Step {
  const step = kernel.exports[`${name}Step`];
  return withInit(
    () => writePicks(kernel, at, picks, chunk),
    (budget) => step(at, budget) !== 0,
  );
}

function writePicks(kernel: PickKernel, at: number, picks: Picks, { first, end }: Chunk): void {
  const { axis, x, sums, index, values, grad, base } = picks;
  kernel.u8.fill(0, at, at + kernel.exports.picksBytes);
  const words = [
    x.address,
    DTYPES[x.dtype].code,
    Number(picks.wide),
    axis.length,
    axis.inner,
    picks.count,
    first,
    end,
    sums.address,
    sums.pitch,
    index.address,
    DTYPES[index.dtype].code,
    values.address,
    grad?.address ?? 0,
    DTYPES[grad?.dtype ?? "float32"].code,
    base?.address ?? 0,
    picks.entries ?? 0,
    capacityOf(picks.count, axis, picks.wide),
    picks.maxima ?? 0,
    first,
  ];
  kernel.i32.set(words, at / 4 + OPERANDS);
}
