/** What callers of the library hand in and get back. Nothing here names a kernel or an address: these are all types that a caller's compiler sees. */
import type { DType, FloatDType } from "../tensor/dtype.ts";

/** The element types that class indices can have. */
export type IndexDType = Exclude<DType, FloatDType>;

/** The typed array in which each dtype's elements stand; float16 and bfloat16 as their 16 bits. */
export interface TypedArrays {
  float64: Float64Array;
  float32: Float32Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  uint8: Uint8Array;
}

/** A tensor in the caller's memory: row-major, `data.length` the product of `shape`; up to 8 dimensions, `[]` for a single element. */
export type ArrayTensor<D extends DType = DType> = D extends DType
  ? { readonly dtype: D; readonly shape: readonly number[]; readonly data: TypedArrays[D] }
  : never;

/** What every function takes for its gradient, as `backward` does in PyTorch. */
export interface GradientOptions {
  /** Also return the gradient with respect to the input. Default false. */
  readonly returnGrad?: boolean | undefined;
  /** The upstream gradient: exactly the output's shape, any float dtype. Default 1 where the output has one element. */
  readonly gradOutput?: ArrayTensor<FloatDType> | undefined;
}

/** Options of `logSoftmax`: the parameters of PyTorch's `log_softmax`, and its gradient's. */
export interface LogSoftmaxOptions extends GradientOptions {
  /** The dimension that is normalised, from -rank to rank - 1. Left out or null: PyTorch's legacy rule, with a warning. */
  readonly dim?: number | null | undefined;
  /** Cast the input to this dtype before computing; the output keeps it. Default: the input's. */
  readonly dtype?: FloatDType | null | undefined;
}

/** Options of `nllLoss`: the parameters of PyTorch's `nll_loss`, and its gradient's. */
export interface NllLossOptions extends GradientOptions {
  /** One factor for each class, (C). In the input's dtype; beside probabilities any. Default: 1 each. */
  readonly weight?: ArrayTensor | undefined;
  /** Targets of this value give no loss and no gradient: any int64, as a bigint or a safe integer. Default -100. */
  readonly ignoreIndex?: bigint | number | undefined;
  /** "none", "mean" or "sum" ("elementwise_mean": deprecated). Default "mean". */
  readonly reduction?: string | undefined;
  /** Deprecated: with `reduce`, overrides `reduction`. */
  readonly sizeAverage?: boolean | null | undefined;
  /** Deprecated: with `sizeAverage`, overrides `reduction`. */
  readonly reduce?: boolean | null | undefined;
}

/** Options of `crossEntropy`: the parameters of PyTorch's `cross_entropy`, and its gradients'. */
export interface CrossEntropyOptions extends NllLossOptions {
  /** How much of the target is spread evenly over all classes, up to 1. 0, negative and NaN are off. Default 0. */
  readonly labelSmoothing?: number | undefined;
  /** Probabilities only: also return the gradient with respect to the target. Default false. */
  readonly returnGradTarget?: boolean | undefined;
}

/** What `logSoftmax` returns, for an input of dtype `D` and an output of dtype `Output`. */
export interface LogSoftmaxResult<D extends DType = DType, Output extends FloatDType = D & FloatDType> {
  /** The log-probabilities, of the input's shape. */
  readonly output: ArrayTensor<Output>;
  /** With `returnGrad`: the gradient, of the input's shape and dtype. */
  readonly gradInput?: ArrayTensor<D>;
  /** What PyTorch warns of, in its words. */
  readonly warnings: readonly string[];
}

/** What `nllLoss` returns for an input of dtype `D`. Exactly one of `loss` and `losses` is there. */
export interface LossResult<D extends FloatDType = FloatDType, Losses extends FloatDType = D> {
  /** For "mean" and "sum": the loss, rounded to its dtype. */
  readonly loss?: number;
  /** For "none": one loss for each position, the input's shape without the class dimension. */
  readonly losses?: ArrayTensor<Losses>;
  /** Class indices only: the weights of the targets that were kept, added up; the divisor of the mean. */
  readonly totalWeight?: number;
  /** With `returnGrad`: the gradient, of the input's shape and dtype. */
  readonly gradInput?: ArrayTensor<D>;
  /** What PyTorch warns of, in its words, and why a mean is NaN. */
  readonly warnings: readonly string[];
}

/**
 * What `crossEntropy` returns for an input of dtype `D` and a target of dtype `T`. Beside probabilities `losses` have the widest dtype of
 * input, target and weight, as `torch.promote_types` gives it.
 */
export interface CrossEntropyResult<D extends FloatDType = FloatDType, T extends DType = DType>
  extends LossResult<D, T extends FloatDType ? FloatDType : D> {
  /** With `returnGradTarget`: the gradient of the probabilities, of their shape and dtype. */
  readonly gradTarget?: ArrayTensor<T>;
}
