/** Work memory of the library. Operands are copied into its Arena and results out of it. */
import type { Kernel } from "../kernel/kernel.ts";
import { loadKernel } from "../kernel/kernel.ts";
import { runToEnd } from "../kernel/step.ts";
import type { FieldName } from "../loss/loss-error.ts";
import { LossError, show } from "../loss/loss-error.ts";
import type { Plan } from "../loss/plan.ts";
import { computeWhole } from "../loss/plan.ts";
import type { Region } from "../tensor/arena.ts";
import { Arena, ArenaFull } from "../tensor/arena.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { byteLength, elementCount } from "../tensor/tensor.ts";
import { ARRAYS } from "./check.ts";
import type { ArrayTensor } from "./types.ts";

const MEBIBYTE = 1024 * 1024;
/** Close to the limit of 32-bit addresses. Untouched pages cost nothing. */
const LIBRARY_BYTES = 4000 * MEBIBYTE;

let shared: { kernel: Kernel; arena: Arena } | undefined;

/** Kernel and memory of one call. */
export interface Workspace {
  readonly kernel: Kernel;
  readonly region: Region;
}

/**
 * Runs a loss and releases its memory. Throws a RangeError, with {@link ArenaFull} or {@link ArenaTooSmall} as its
 * cause, if the tensors do not fit.
 */
export function inWorkspace<Result>(where: string, compute: (work: Workspace) => Result): Result {
  if (shared === undefined) {
    const kernel = loadKernel(LIBRARY_BYTES);
    shared = { kernel, arena: new Arena(kernel.heapBase, kernel.u8.length) };
  }
  const region = shared.arena.reserve(0);
  try {
    return compute({ kernel: shared.kernel, region });
  } catch (error) {
    if (!(error instanceof ArenaFull)) throw error;
    const limit = Math.floor(shared.arena.largest / MEBIBYTE);
    throw new RangeError(
      `${where}: no room for ${error.bytes} more bytes: the tensors of a call, with what it needs to compute, may take ${limit} MiB`,
      { cause: error },
    );
  } finally {
    region.release();
  }
}

/** Runs a plan to its end. */
export function compute<Result>({ kernel, region }: Workspace, plan: Plan<Result>): Result {
  const { steps, result } = computeWhole(kernel, plan, region.alloc(plan.bytes));
  runToEnd(steps);
  return result();
}

/** Copies a tensor into the Arena. Rejects a shape that does not match its data. */
export function copyIn(work: Workspace, field: FieldName, { dtype, shape, data }: ArrayTensor): Tensor {
  const expected = elementCount(shape);
  const { bytes } = DTYPES[dtype];
  if (data.length !== expected) {
    throw new LossError(
      "shape_mismatch",
      field,
      `${field}: shape ${show(shape)} of ${dtype} needs ${expected} elements of ${bytes} bytes, got ${data.length} of ${data.BYTES_PER_ELEMENT}`,
    );
  }
  const address = work.region.alloc(data.byteLength);
  work.kernel.u8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), address);
  return { dtype, shape, address };
}

/** Copies a tensor out of the Arena. */
export function copyOut(work: Workspace, tensor: Tensor): ArrayTensor {
  const { dtype, shape, address } = tensor;
  const { buffer } = work.kernel.u8.slice(address, address + byteLength(tensor));
  return { dtype, shape, data: new ARRAYS[dtype](buffer) } as ArrayTensor;
}
