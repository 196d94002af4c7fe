/**
 * lossd as a library: PyTorch's classification losses on typed arrays, without HTTP. This entry loads no kernels, so its
 * callers pass them to `init`. Those in `runtimes/` have the same exports and load them.
 *
 * ```ts
 * import { crossEntropy } from "lossd";
 * const input = { dtype: "float32", shape: [1, 2], data: new Float32Array([0, 0]) } as const;
 * const target = { dtype: "int64", shape: [1], data: new BigInt64Array([1n]) } as const;
 * crossEntropy(input, target).loss; // 0.6931471824645996
 * ```
 */
export { init, initSync } from "./library/init.ts";
export { crossEntropy, klDiv, logSoftmax, nllLoss } from "./library/losses.ts";
export type {
  ArrayTensor,
  CrossEntropyOptions,
  CrossEntropyResult,
  GradientOptions,
  IndexDType,
  InitOptions,
  KernelModule,
  KernelSource,
  KlDivOptions,
  KlDivResult,
  LineResult,
  LogSoftmaxOptions,
  LogSoftmaxResult,
  LogSoftmaxSelection,
  LogSoftmaxValues,
  LossResult,
  NllLossOptions,
  SyncKernelSource,
  TypedArrays,
} from "./library/types.ts";
export type { FieldName, LossErrorCode } from "./loss/loss-error.ts";
export { LossError } from "./loss/loss-error.ts";
export type { DType, FloatDType } from "./tensor/dtype.ts";
