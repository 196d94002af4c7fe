/** Public types of the library. They name no kernel and no address. */
import type { DType, FloatDType } from "../tensor/dtype.ts";

/** Element types of class indices. */
export type IndexDType = Exclude<DType, FloatDType>;

/** Typed array of each dtype. float16 and bfloat16 are stored as their 16 bits. */
export interface TypedArrays {
  float64: Float64Array;
  float32: Float32Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  uint8: Uint8Array;
}

/**
 * Tensor in the caller's memory, row-major, with up to 8 dimensions. `data.length` is the product of `shape`, and `[]`
 * is one element.
 */
export type ArrayTensor<D extends DType = DType> = D extends DType
  ? { readonly dtype: D; readonly shape: readonly number[]; readonly data: TypedArrays[D] }
  : never;

/** Gradient options of every function, as in PyTorch's `backward`. */
export interface GradientOptions {
  /** Also returns the gradient with respect to the input. Default false. */
  readonly returnGrad?: boolean | undefined;
  /** Upstream gradient with exactly the output's shape and any float dtype. Default 1 for an output of one element. */
  readonly gradOutput?: ArrayTensor<FloatDType> | undefined;
}

/** Options of `logSoftmax`: the parameters of PyTorch's `log_softmax` and of its gradient. */
export interface LogSoftmaxOptions extends GradientOptions, TransformOptions {
  /** Dimension to normalize, from -rank to rank - 1. Without it, PyTorch's legacy rule applies and adds a warning. */
  readonly dim?: number | null | undefined;
  /** Casts the input to this dtype before computing, which is also the output's dtype. Default is the input's. */
  readonly dtype?: FloatDType | null | undefined;
  /** Also returns log(sum(exp(input))) along `dim`, as `torch.logsumexp` does. Default false. */
  readonly returnLse?: boolean | undefined;
  /** Also returns the entropy of each line's softmax. Default false. */
  readonly returnEntropy?: boolean | undefined;
  /** Upstream gradient of `lse`, in its shape and any float dtype. Default 0. */
  readonly gradLse?: ArrayTensor<FloatDType> | undefined;
  /** Upstream gradient of `entropy`, in its shape and any float dtype. Default 0. */
  readonly gradEntropy?: ArrayTensor<FloatDType> | undefined;
}

/** Options of `logSoftmax` that return some log-probabilities instead of all, with exactly one of `index` and `topK`. */
export type LogSoftmaxSelection =
  | {
      /** Class indices in the input's shape except along `dim`, as for `torch.gather`. */
      readonly index: ArrayTensor<IndexDType>;
      readonly topK?: undefined;
    }
  | {
      /** Number of the largest log-probabilities of each line, from 1 to C, as for `torch.topk`. */
      readonly topK: number;
      readonly index?: undefined;
    };

/** Options of `nllLoss`: the parameters of PyTorch's `nll_loss` and of its gradient. */
export interface NllLossOptions extends GradientOptions {
  /** Dimension of the classes, from -rank to rank - 1. Default 0 for one row, 1 for a batch, as in PyTorch. */
  readonly dim?: number | null | undefined;
  /**
   * Positions by which the targets are ahead of the logits, 1 for next-token targets: the loss of `input[..., :-shift, :]`
   * and `target[..., shift:]`. Class indices only, with the classes in the last dimension. Default 0.
   */
  readonly shift?: number | undefined;
  /** Casts the input to this dtype before computing, which is also the dtype of the losses. Default is the input's. */
  readonly dtype?: FloatDType | null | undefined;
  /** Weight of each class, (C), in `dtype` or the input's dtype, or in any dtype for probability targets. Default 1 each. */
  readonly weight?: ArrayTensor | undefined;
  /**
   * Factor of each position, in the target's shape without classes, any float dtype. The mean divides by the sum of the
   * factors of the kept targets, each times the weight of its class. Default 1 each.
   */
  readonly sampleWeight?: ArrayTensor<FloatDType> | undefined;
  /** Target value without loss and gradient, any int64 as a bigint or a safe integer. Default -100. */
  readonly ignoreIndex?: bigint | number | undefined;
  /** "none", "mean" or "sum". "elementwise_mean" is deprecated. Default "mean". */
  readonly reduction?: string | undefined;
  /** Deprecated. Overrides `reduction` together with `reduce`. */
  readonly sizeAverage?: boolean | null | undefined;
  /** Deprecated. Overrides `reduction` together with `sizeAverage`. */
  readonly reduce?: boolean | null | undefined;
}

/** Transform of the logits to `softcap * tanh(x / softcap) / temperature`, through which gradients go. */
export interface TransformOptions {
  /** Divides the logits, after `softcap`. Positive and finite. Default 1. */
  readonly temperature?: number | undefined;
  /** Bounds the logits to (-softcap, softcap), as Gemma 2 does. Positive and finite. Default none. */
  readonly softcap?: number | undefined;
}

/** Options of `crossEntropy`: the parameters of PyTorch's `cross_entropy` and of its gradients. */
export interface CrossEntropyOptions extends NllLossOptions, TransformOptions {
  /** Share of the target that is spread evenly over all classes, up to 1. 0, negative values and NaN disable it. Default 0. */
  readonly labelSmoothing?: number | undefined;
  /** Also returns the gradient with respect to a probability target. Default false. */
  readonly returnGradTarget?: boolean | undefined;
  /** Scale of the z-loss, `lseSquareScale * logsumexp(logits) ** 2`, added to each kept position's loss. Default 0. */
  readonly lseSquareScale?: number | undefined;
  /** Also returns the z-loss, which is part of the loss. Default false. */
  readonly returnZLoss?: boolean | undefined;
  /** Also returns the class of each position's largest logit, the first of equal ones. Default false. */
  readonly returnPredictions?: boolean | undefined;
  /** Also returns whether the prediction is the target. Class indices only. Default false. */
  readonly returnCorrect?: boolean | undefined;
  /**
   * Weight of each class of a sparse target, whose shape is the input's with any size for the class dimension. The loss
   * is that of probabilities with these entries and 0 elsewhere.
   */
  readonly targetWeight?: ArrayTensor<FloatDType> | undefined;
  /** Also returns the gradient with respect to `targetWeight`. Default false. */
  readonly returnGradTargetWeight?: boolean | undefined;
}

/** Options of `klDiv`: the parameters of PyTorch's `kl_div` and of its gradients, and three for logits. */
export interface KlDivOptions extends GradientOptions {
  /** "none", "mean", "sum" or "batchmean". "elementwise_mean" is deprecated. Default "mean", with PyTorch's warning. */
  readonly reduction?: string | undefined;
  /** Deprecated. Overrides `reduction` together with `reduce`. */
  readonly sizeAverage?: boolean | null | undefined;
  /** Deprecated. Overrides `reduction` together with `sizeAverage`. */
  readonly reduce?: boolean | null | undefined;
  /** Whether the target holds log-probabilities. Default false. */
  readonly logTarget?: boolean | undefined;
  /** Applies `logSoftmax` to input and target first. Not in PyTorch. Default false. */
  readonly fromLogits?: boolean | undefined;
  /** Dimension of that `logSoftmax`, from -rank to rank - 1. Default -1. */
  readonly dim?: number | null | undefined;
  /** Divides both logits before that `logSoftmax`, must be positive. Default 1. */
  readonly temperature?: number | null | undefined;
  /** Also returns the gradient with respect to the target. Default false. */
  readonly returnGradTarget?: boolean | undefined;
}

/** Results of `logSoftmax` for each line of an input of dtype `D`, in dtype `Output`. */
export interface LineResult<D extends DType, Output extends FloatDType> {
  /** log(sum(exp(input))) in the input's shape without the dimension, with `returnLse`. */
  readonly lse?: ArrayTensor<Output>;
  /** Entropy in the input's shape without the dimension, with `returnEntropy`. */
  readonly entropy?: ArrayTensor<Output>;
  /** Gradient in the input's shape and dtype, with `returnGrad`. */
  readonly gradInput?: ArrayTensor<D>;
  /** PyTorch's warnings. */
  readonly warnings: readonly string[];
}

/** Result of `logSoftmax` for an input of dtype `D` and an output of dtype `Output`. */
export interface LogSoftmaxResult<D extends DType = DType, Output extends FloatDType = D & FloatDType>
  extends LineResult<D, Output> {
  /** Log-probabilities in the input's shape. */
  readonly output: ArrayTensor<Output>;
}

/** Result of `logSoftmax` with {@link LogSoftmaxSelection}. */
export interface LogSoftmaxValues<D extends DType = DType, Output extends FloatDType = D & FloatDType>
  extends LineResult<D, Output> {
  /** Log-probabilities of the classes in `index` or `indices`, with the bits of the whole output. */
  readonly values: ArrayTensor<Output>;
  /** Classes of the largest log-probabilities in descending order, equal ones in ascending order, with `topK`. */
  readonly indices?: ArrayTensor<"int64">;
}

/** Result of `nllLoss` for an input of dtype `D` and losses of dtype `Losses`. Has exactly one of `loss` and `losses`. */
export interface LossResult<D extends DType = FloatDType, Losses extends FloatDType = D & FloatDType> {
  /** Loss for "mean" and "sum", rounded to its dtype. */
  readonly loss?: number;
  /** Loss of each position for "none", in the target's shape. A shift leaves out the last positions of each sequence. */
  readonly losses?: ArrayTensor<Losses>;
  /**
   * Divisor of the mean: the sum of the weights of all targets that are not ignored, of a sparse target 1 for each
   * position with a kept class, each times its sample weight. Probabilities have it only with sample weights.
   */
  readonly totalWeight?: number;
  /** Gradient in the input's shape and dtype, with `returnGrad`. */
  readonly gradInput?: ArrayTensor<D>;
  /** PyTorch's warnings, and the reason if a mean is NaN. */
  readonly warnings: readonly string[];
}

/**
 * Result of `crossEntropy` for an input of dtype `D`, a target of dtype `T` and a `dtype` of `Losses`. For probabilities, `losses` have the
 * promoted dtype of input, target and weight, as in `torch.promote_types`.
 */
export interface CrossEntropyResult<
  D extends DType = FloatDType,
  T extends DType = DType,
  Losses extends FloatDType = D & FloatDType,
> extends LossResult<D, T extends FloatDType ? FloatDType : Losses> {
  /** Gradient of a probability target in its shape and dtype, with `returnGradTarget`. */
  readonly gradTarget?: ArrayTensor<T>;
  /** z-loss for "mean" and "sum", with `returnZLoss`. */
  readonly zLoss?: number;
  /** z-loss of each position for "none", with `returnZLoss`. */
  readonly zLosses?: ArrayTensor<FloatDType>;
  /** Class of the largest logit of each position, with `returnPredictions`. */
  readonly predictions?: ArrayTensor<"int64">;
  /** 1 where the prediction is the target, otherwise 0, with `returnCorrect`. */
  readonly correct?: ArrayTensor<"uint8">;
  /** Gradient of `targetWeight` in its shape and dtype, with `returnGradTargetWeight`. */
  readonly gradTargetWeight?: ArrayTensor<FloatDType>;
}

/** Result of `klDiv` for an input of dtype `D` and a target of dtype `T`. Has exactly one of `loss` and `losses`. */
export interface KlDivResult<D extends FloatDType = FloatDType, T extends FloatDType = FloatDType> {
  /** Loss for "mean", "sum" and "batchmean", rounded to the promoted dtype of input and target. */
  readonly loss?: number;
  /** Loss of each element for "none", in the input's shape and the promoted dtype of input and target. */
  readonly losses?: ArrayTensor<FloatDType>;
  /** Gradient in the input's shape and dtype, with `returnGrad`. */
  readonly gradInput?: ArrayTensor<D>;
  /** Gradient in the target's shape and dtype, with `returnGradTarget`. */
  readonly gradTarget?: ArrayTensor<T>;
  /** PyTorch's warnings, and the reason if a mean is NaN. */
  readonly warnings: readonly string[];
}

/** Compiled `WebAssembly.Module`, whose type not every configuration of TypeScript knows. */
export interface KernelModule {
  readonly [Symbol.toStringTag]?: "WebAssembly.Module";
}

/** Kernels that are loaded at once: a module, or the bytes of `kernel.wasm`. */
export type SyncKernelSource = KernelModule | ArrayBuffer | ArrayBufferView;

type AnyKernelSource =
  | SyncKernelSource
  | string
  | { readonly href: string }
  | { arrayBuffer(): Promise<ArrayBuffer> };

/** Kernels: a module, bytes, a URL that is fetched, a `Response`, or a promise of one. */
export type KernelSource = AnyKernelSource | PromiseLike<AnyKernelSource>;

/** Options of `init`. */
export interface InitOptions {
  /** Most bytes of WebAssembly memory, from 2.5 MiB to 4 GiB. It starts at 2.5 MiB and grows on demand. Default 4 GiB. */
  readonly maxBytes?: number | undefined;
}
