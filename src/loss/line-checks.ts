/** Checks of the options of `log_softmax` that give results of each line. */
import { isFloat } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount, sameShape } from "../tensor/tensor.ts";
import type { GradOptions } from "./grad-output.ts";
import type { FieldName } from "./loss-error.ts";
import { floatFault, formatShape, LossError } from "./loss-error.ts";

/** Options of `log_softmax` for results of each line along `dim`. */
export interface LineOptions {
  /**
   * Class indices, int64, int32 or uint8, in the input's shape except along `dim`. Returns their log-probabilities
   * instead of all, as `torch.gather` does.
   */
  readonly index?: Tensor | undefined;
  /** Returns the largest log-probabilities and their classes instead of all, as `torch.topk` does. From 1 to C. */
  readonly topK?: number | undefined;
  /** Also returns log(sum(exp(input))), as `torch.logsumexp` does. */
  readonly returnLse?: boolean | undefined;
  /** Also returns the entropy of the softmax, with 0 for classes without probability. */
  readonly returnEntropy?: boolean | undefined;
  /** Upstream gradient of `lse`, in its shape and any float dtype. */
  readonly gradLse?: Tensor | undefined;
  /** Upstream gradient of `entropy`, in its shape and any float dtype. */
  readonly gradEntropy?: Tensor | undefined;
}

/** Returns whether a call has an option of {@link LineOptions}. */
export function wantsLines(options: LineOptions): boolean {
  const { index, topK, returnLse, returnEntropy, gradLse, gradEntropy } = options;
  const given = [index, topK, gradLse, gradEntropy].some((option) => option !== undefined);
  return given || returnLse === true || returnEntropy === true;
}

/** Log-probabilities to return instead of all. */
export interface Selection {
  /** Checked class indices. Undefined for the top k. */
  readonly index: Tensor | undefined;
  /** Number of log-probabilities per line. */
  readonly count: number;
  readonly shape: readonly number[];
}

/** Shapes of the results of each line. */
export interface LineShapes {
  readonly selection: Selection | undefined;
  /** Input's shape without the dimension. */
  readonly line: readonly number[];
}

/**
 * Checks the options that choose outputs. Rejects `topK` beside `index` or outside [1, C], and an index of another
 * shape or of a float dtype. A 0-dim input accepts an index of shape () or (K), as PyTorch does.
 */
export function checkOutputs(
  shape: readonly number[],
  dim: number,
  { index, topK }: LineOptions,
): LineShapes {
  const line = shape.toSpliced(dim, 1);
  if (index !== undefined && topK !== undefined)
    throw new LossError(
      "option_without_effect",
      "top_k",
      "top_k has no effect beside index: send one of them",
    );
  if (index !== undefined) return { selection: checkIndex(shape, dim, index), line };
  if (topK === undefined) return { selection: undefined, line };
  const classes = shape[dim] ?? 1;
  if (!Number.isInteger(topK) || topK < 1 || topK > classes) {
    throw new LossError(
      "option_out_of_range",
      "top_k",
      `selected index k out of range: top_k must be between 1 and ${classes}. Got: ${topK}`,
    );
  }
  return { selection: { index: undefined, count: topK, shape: withSize(shape, dim, topK) }, line };
}

function withSize(shape: readonly number[], dim: number, size: number): readonly number[] {
  return shape.length === 0 ? shape : shape.with(dim, size);
}

function checkIndex(shape: readonly number[], dim: number, index: Tensor): Selection {
  if (isFloat(index.dtype)) {
    throw new LossError(
      "dtype_not_supported",
      "index",
      `gather(): Expected dtype int32/int64 for index: class indices are int64, int32 or uint8, got ${index.dtype}`,
    );
  }
  const count = index.shape[dim] ?? 1;
  if (index.shape.length !== Math.max(shape.length, Math.min(index.shape.length, 1))) {
    throw new LossError(
      "shape_mismatch",
      "index",
      `Index tensor must have the same number of dimensions as input tensor, that is ${shape.length}, got ${formatShape(index.shape)}`,
    );
  }
  const expected = shape.length === 0 ? index.shape : shape.with(dim, count);
  if (!sameShape(index.shape, expected)) {
    throw new LossError(
      "shape_mismatch",
      "index",
      `Size does not match: expected index ${formatShape(index.shape)} to have the sizes of input ${formatShape(shape)} apart from dimension ${dim}`,
    );
  }
  // An input without classes has no element that checks could compare.
  if (shape[dim] === 0 && elementCount(index.shape) > 0) throw indexError(0, undefined, dim, 0);
  return { index, count, shape: index.shape };
}

/** Creates the error of an index that is no class. */
export function indexError(
  element: number,
  value: bigint | undefined,
  dim: number,
  classes: number,
): LossError {
  // Labels mark padding by a negative class, usually -100, which gather does not take.
  const hint =
    value !== undefined && value < 0n
      ? ". index has no ignore_index: give padding a class, such as 0, and the upstream gradient 0"
      : "";
  const detail = `index ${value === undefined ? "" : `${value} `}is out of bounds for dimension ${dim} with size ${classes}${hint}`;
  return new LossError("target_out_of_bounds", "index", detail, element);
}

/** Upstream gradient that a call may give. */
interface Upstream {
  readonly field: FieldName;
  readonly given: Tensor | undefined;
  readonly shape: readonly number[];
  /** Option that returns the output, undefined for the first output. */
  readonly option: string | undefined;
  readonly isReturned: boolean;
}

/**
 * Checks the upstream gradients. Rejects an unused one, one with another shape than its output or of an integer dtype,
 * and a call with none unless the only output has one element.
 */
export function checkUpstreams(
  shape: readonly number[],
  options: LineOptions & GradOptions,
  { selection, line }: LineShapes,
): void {
  const { returnGrad = false, gradOutput, gradLse, gradEntropy, returnLse = false } = options;
  const { returnEntropy = false } = options;
  const first = selection?.shape ?? shape;
  const upstreams: readonly Upstream[] = [
    { field: "grad_output", given: gradOutput, shape: first, option: undefined, isReturned: true },
    { field: "grad_lse", given: gradLse, shape: line, option: "return_lse", isReturned: returnLse },
    {
      field: "grad_entropy",
      given: gradEntropy,
      shape: line,
      option: "return_entropy",
      isReturned: returnEntropy,
    },
  ];
  for (const upstream of upstreams) checkUpstream(upstream, returnGrad);
  if (!returnGrad || upstreams.some(({ given }) => given !== undefined)) return;
  if (!returnLse && !returnEntropy && elementCount(first) === 1) return;
  const others = upstreams.filter(({ option, isReturned }) => option !== undefined && isReturned);
  const names = others.map(({ field, shape }) => ` or ${field} with shape ${formatShape(shape)}`);
  throw new LossError(
    "grad_output_required",
    "grad_output",
    `grad can be implicitly created only for scalar outputs: send grad_output with shape ${formatShape(first)}${names.join("")}`,
  );
}

function checkUpstream({ field, given, shape, option, isReturned }: Upstream, returnGrad: boolean): void {
  if (given === undefined) return;
  if (!returnGrad || !isReturned) {
    const missing = isReturned ? "return_grad" : option;
    throw new LossError("option_without_effect", field, `${field} has no effect without ${missing}`);
  }
  if (!sameShape(given.shape, shape)) {
    throw new LossError(
      "shape_mismatch",
      field,
      `Mismatch in shape: ${field} has a shape of torch.Size(${formatShape(given.shape)}) and its output has a shape of torch.Size(${formatShape(shape)}).`,
    );
  }
  const fault = floatFault(field, given);
  if (fault !== undefined) throw fault;
}
