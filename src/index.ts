/**
 * lossd as a library: PyTorch's classification losses on typed arrays, without HTTP.
 *
 * ```ts
 * import { crossEntropy } from "lossd";
 * const input = { dtype: "float32", shape: [1, 2], data: new Float32Array([0, 0]) } as const;
 * const target = { dtype: "int64", shape: [1], data: new BigInt64Array([1n]) } as const;
 * crossEntropy(input, target).loss; // 0.6931471824645996
 * ```
 */
export { crossEntropy, klDiv, logSoftmax, nllLoss } from "./library/losses.ts";
export type {
  ArrayTensor,
  CrossEntropyOptions,
  CrossEntropyResult,
  GradientOptions,
  IndexDType,
  KlDivOptions,
  KlDivResult,
  LineResult,
  LogSoftmaxOptions,
  LogSoftmaxResult,
  LogSoftmaxSelection,
  LogSoftmaxValues,
  LossResult,
  NllLossOptions,
  TypedArrays,
} from "./library/types.ts";
export type { FieldName, LossErrorCode } from "./loss/loss-error.ts";
export { LossError } from "./loss/loss-error.ts";
export type { DType, FloatDType } from "./tensor/dtype.ts";
