/** The losses for callers in the same process: typed arrays in, typed arrays out, nothing of the caller's is changed. */
import type { Kernel } from "./kernel/kernel.ts";
import { loadKernel } from "./kernel/kernel.ts";
import type { CrossEntropyOptions } from "./loss/cross-entropy.ts";
import { crossEntropy as crossEntropySteps } from "./loss/cross-entropy.ts";
import type { LossOptions, LossResult } from "./loss/index-loss.ts";
import type { LogSoftmaxOptions } from "./loss/log-softmax.ts";
import { logSoftmax as logSoftmaxSteps } from "./loss/log-softmax.ts";
import { nllLoss as nllLossSteps } from "./loss/nll-loss.ts";
import type { FieldName } from "./loss/refusal.ts";
import { LossRefusal } from "./loss/refusal.ts";
import type { Steps, Workspace } from "./loss/workspace.ts";
import { Arena } from "./tensor/arena.ts";
import type { DType } from "./tensor/dtype.ts";
import { DTYPES } from "./tensor/dtype.ts";
import type { Tensor } from "./tensor/tensor.ts";
import { byteLength, elementCount } from "./tensor/tensor.ts";

/** The typed array in which each dtype's elements stand; float16 and bfloat16 as their 16 bits. */
interface Arrays {
  float64: Float64Array;
  float32: Float32Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  uint8: Uint8Array;
}

/** A tensor in the caller's memory: row-major, `data.length` the product of `shape`. */
export type ArrayTensor<D extends DType = DType> = D extends DType
  ? { readonly dtype: D; readonly shape: readonly number[]; readonly data: Arrays[D] }
  : never;

/** Options of {@link logSoftmax}: `dim`, `dtype`, `returnGrad`, `gradOutput`, as in PyTorch. */
export type LibraryLogSoftmaxOptions = Omit<LogSoftmaxOptions, "gradOutput"> & {
  readonly gradOutput?: ArrayTensor;
};

/** Options of {@link nllLoss} and {@link crossEntropy}; tensors as typed arrays. */
export type LibraryLossOptions<Options = LossOptions> = Omit<Options, "weight" | "gradOutput"> & {
  readonly weight?: ArrayTensor;
  readonly gradOutput?: ArrayTensor;
};

/** A loss: `loss` for mean and sum, `losses` for none, and the gradients that were asked for. */
export interface LibraryLossResult {
  readonly loss?: number;
  readonly losses?: ArrayTensor;
  readonly totalWeight?: number;
  readonly gradInput?: ArrayTensor;
  readonly gradTarget?: ArrayTensor;
  readonly warnings: readonly string[];
}

/** `torch.nn.functional.log_softmax`. Refuses with {@link LossRefusal} what PyTorch refuses. */
export function logSoftmax(
  input: ArrayTensor,
  options: LibraryLogSoftmaxOptions = {},
): { readonly output: ArrayTensor; readonly gradInput?: ArrayTensor; readonly warnings: readonly string[] } {
  return inWorkspace((work) => {
    const { output, gradInput, warnings } = finish(
      logSoftmaxSteps(work, place(work, "input", input), {
        ...options,
        gradOutput: options.gradOutput && place(work, "grad_output", options.gradOutput),
      }),
    );
    return {
      output: lift(work, output),
      ...(gradInput && { gradInput: lift(work, gradInput) }),
      warnings,
    };
  });
}

/** `torch.nn.functional.nll_loss`. Refuses with {@link LossRefusal} what PyTorch refuses. */
export function nllLoss(
  input: ArrayTensor,
  target: ArrayTensor,
  options: LibraryLossOptions = {},
): LibraryLossResult {
  return inWorkspace((work) =>
    liftLoss(
      work,
      nllLossSteps(
        work,
        place(work, "input", input),
        place(work, "target", target),
        placeOptions(work, options),
      ),
    ),
  );
}

/** `torch.nn.functional.cross_entropy`. Refuses with {@link LossRefusal} what PyTorch refuses. */
export function crossEntropy(
  input: ArrayTensor,
  target: ArrayTensor,
  options: LibraryLossOptions<CrossEntropyOptions> = {},
): LibraryLossResult {
  return inWorkspace((work) =>
    liftLoss(
      work,
      crossEntropySteps(work, place(work, "input", input), place(work, "target", target), {
        ...placeOptions(work, options),
        labelSmoothing: options.labelSmoothing,
        returnGradTarget: options.returnGradTarget,
      }),
    ),
  );
}

let shared: { kernel: Kernel; arena: Arena } | undefined;

/** Memory for about 4 GB of tensors; pages cost nothing until they are touched. */
const LIBRARY_BYTES = 4000 * 1024 * 1024;

function inWorkspace<Result>(compute: (work: Workspace) => Result): Result {
  if (shared === undefined) {
    const kernel = loadKernel(LIBRARY_BYTES);
    shared = { kernel, arena: new Arena(kernel.heapBase, kernel.u8.length) };
  }
  const region = shared.arena.reserve(0);
  try {
    return compute({ kernel: shared.kernel, region });
  } finally {
    region.release();
  }
}

function finish<Result>(steps: Steps<Result>): Result {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** Copies a tensor into the Arena. */
function place(work: Workspace, field: FieldName, { dtype, shape, data }: ArrayTensor): Tensor {
  const expected = elementCount(shape);
  const { bytes } = DTYPES[dtype];
  if (data.length !== expected || data.BYTES_PER_ELEMENT !== bytes) {
    throw new LossRefusal(
      "shape_mismatch",
      field,
      `${field}: shape [${shape.join(", ")}] of ${dtype} needs ${expected} elements of ${bytes} bytes, got ${data.length} of ${data.BYTES_PER_ELEMENT}`,
    );
  }
  const address = work.region.alloc(data.byteLength);
  work.kernel.u8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), address);
  return { dtype, shape: [...shape], address };
}

function placeOptions(
  work: Workspace,
  { weight, gradOutput, ...options }: LibraryLossOptions<LossOptions>,
): LossOptions {
  return {
    ...options,
    weight: weight && place(work, "weight", weight),
    gradOutput: gradOutput && place(work, "grad_output", gradOutput),
  };
}

/** Copies a tensor out of the Arena. */
function lift(work: Workspace, tensor: Tensor): ArrayTensor {
  const { dtype, shape, address } = tensor;
  const { buffer } = work.kernel.u8.slice(address, address + byteLength(tensor));
  return { dtype, shape, data: new ARRAYS[dtype](buffer) } as ArrayTensor;
}

const ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
};

function liftLoss(work: Workspace, steps: Steps<LossResult>): LibraryLossResult {
  const { loss, losses, totalWeight, gradInput, gradTarget, warnings } = finish(steps);
  return {
    ...(loss && { loss: loss.value }),
    ...(losses && { losses: lift(work, losses) }),
    ...(totalWeight && { totalWeight: totalWeight.value }),
    ...(gradInput && { gradInput: lift(work, gradInput) }),
    ...(gradTarget && { gradTarget: lift(work, gradTarget) }),
    warnings,
  };
}
