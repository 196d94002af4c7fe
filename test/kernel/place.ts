/** Tensors in the kernels' memory for the tests: written and read with DataView, without any of the service's code. */

import type { Fold, FoldName, FoldState, FoldSums } from "../../src/kernel/fold.ts";
import { foldStep, NO_SUMS } from "../../src/kernel/fold.ts";
import type { Kernel } from "../../src/kernel/load.ts";
import { loadKernel } from "../../src/kernel/load.ts";
import { chooseBuild } from "../../src/server/build.ts";
import type { Region } from "../../src/tensor/arena.ts";
import { Arena } from "../../src/tensor/arena.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { byteLength } from "../../src/tensor/tensor.ts";
import { bytesOf, numbersOf } from "../conformance/forms.ts";

export const kernel: Kernel = loadKernel(64 * 1024 * 1024, chooseBuild(true));
const arena = new Arena(kernel.heapBase, kernel.u8.length - 64);

/** A place to work in, returned afterwards. */
export function inRegion<Result>(work: (region: Region) => Result): Result {
  const region = arena.reserve(32 * 1024 * 1024);
  try {
    return work(region);
  } finally {
    region.release();
  }
}

export function place(
  region: Region,
  dtype: DType,
  shape: readonly number[],
  numbers: readonly number[],
): Tensor {
  return placeIn(kernel, region, dtype, shape, numbers);
}

/** Does {@link place} in the memory of `kernel`. */
export function placeIn(
  { u8 }: Kernel,
  region: Region,
  dtype: DType,
  shape: readonly number[],
  numbers: readonly number[],
): Tensor {
  const tensor = { dtype, shape, address: region.alloc(byteLength({ dtype, shape })) };
  u8.set(bytesOf(dtype, numbers), tensor.address);
  return tensor;
}

export function read({ dtype, shape, address }: Tensor): number[] {
  const end = address + byteLength({ dtype, shape });
  return numbersOf(dtype, Buffer.from(kernel.u8.slice(address, end)));
}

/** Runs a fold to its end in steps of `budget` elements; gives its sums. */
export function fold(
  region: Region,
  name: FoldName,
  operands: Fold & Partial<FoldState>,
  budget?: number,
): FoldSums {
  return foldInSteps(region, name, operands, budget).sums;
}

/** Runs a fold to its end in steps of `budget` elements; gives its sums and the number of steps. */
export function foldInSteps(
  region: Region,
  name: FoldName,
  operands: Fold & Partial<FoldState>,
  budget = 1 << 18,
): { readonly sums: FoldSums; readonly steps: number } {
  const at = region.alloc(kernel.exports.foldBytes);
  const { gradOutputScalar = 1, sums = NO_SUMS } = operands;
  const state = { gradOutputScalar, sums };
  const step = foldStep(kernel, at, name, operands, state);
  let steps = 1;
  while (!step(budget)) steps++;
  return { sums: state.sums, steps };
}
