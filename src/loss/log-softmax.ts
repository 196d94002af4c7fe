import { convertTensor } from "../kernel/convert.ts";
import { runFold } from "../kernel/fold.ts";
import type { Axis } from "../tensor/axis.ts";
import { axisOf } from "../tensor/axis.ts";
import type { DType } from "../tensor/dtype.ts";
import { isFloat } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount } from "../tensor/tensor.ts";
import { LossRefusal } from "./refusal.ts";
import type { Outline, RowFold } from "./rows.ts";
import { requireFloat } from "./target.ts";
import type { GradOptions } from "./upstream.ts";
import { checkGradOutput, checkGradRequest } from "./upstream.ts";
import type { Steps, Workspace } from "./workspace.ts";
import { allocate, cast, computeDType } from "./workspace.ts";

export interface LogSoftmaxOptions extends GradOptions {
  /** The dimension that is normalised, from -rank to rank - 1. Absent or null: PyTorch's legacy rule, with a warning. */
  readonly dim?: number | null | undefined;
  /** Cast the input to this dtype before computing; the output keeps it. */
  readonly dtype?: DType | null | undefined;
}

export interface LogSoftmaxResult {
  /** The input's shape, in `dtype` or the input's dtype. */
  readonly output: Tensor;
  /** The input's shape and dtype. */
  readonly gradInput?: Tensor;
  readonly warnings: readonly string[];
}

/**
 * `torch.nn.functional.log_softmax`: every line along `dim` becomes `(x - max) - log(sum(exp(x - max)))`. The output lies
 * where the input lay, the gradient where `gradOutput` lay.
 *
 * Refuses, in PyTorch's order: a gradient of integers, a `dim` out of range, an integer dtype, a `gradOutput` that does
 * not have exactly the output's shape.
 */
export function* logSoftmax(
  work: Workspace,
  input: Tensor,
  options: LogSoftmaxOptions,
): Steps<LogSoftmaxResult> {
  const { gradOutput } = options;
  const { dim, dtype, returnGrad, warnings } = checkLogSoftmax(input, options);
  if (!isFloat(dtype)) return { output: { ...input, dtype }, warnings };

  const output = yield* cast(work, input, dtype);
  const axis = axisOf(input.shape, dim);
  const wide = computeDType(output) === "float64";
  yield* runFold(work, "logSoftmax", { axis, wide, x: output, out: output });
  if (!returnGrad) return { output, warnings };

  const go = gradOutput ? yield* cast(work, gradOutput, dtype) : yield* implicitOne(work, output);
  yield* runFold(work, "logSoftmaxGrad", { axis, wide, x: output, target: go, out: go });
  const gradInput = isFloat(input.dtype) ? yield* cast(work, go, input.dtype) : go;
  return { output, gradInput, warnings };
}

/** `log_softmax` of an input that comes some rows at a time: the positions before `dim`. Of `input` only shape and dtype are looked at. */
export class LogSoftmaxFold implements RowFold<Partial<LogSoftmaxResult>> {
  readonly axis: Axis;
  readonly outline: readonly Outline<"output">[];
  readonly known = {};
  readonly warnings: readonly string[];
  readonly #work: Workspace;
  readonly #input: DType;
  /** The output's; an input without elements can have any. */
  readonly #dtype: DType;
  /** Where rows of another dtype are cast to, once there have been some. */
  #place: Tensor | undefined;

  /** Refuses what {@link logSoftmax} refuses. There can be no gradient: it needs the rows a second time, beside its own. */
  constructor(work: Workspace, input: Tensor, options: LogSoftmaxOptions & { returnGrad?: false }) {
    const { dim, dtype, warnings } = checkLogSoftmax(input, options);
    this.#work = work;
    this.#input = input.dtype;
    this.#dtype = dtype;
    this.warnings = warnings;
    this.axis = axisOf(input.shape, dim);
    this.outline = [{ name: "output", dtype, shape: input.shape }];
  }

  *rows(address: number, _first: number, count: number): Steps<Tensor> {
    const { length, inner } = this.axis;
    const dtype = this.#dtype;
    const elements = count * length * inner;
    const input = { dtype: this.#input, shape: [elements], address };
    if (!isFloat(dtype)) return { ...input, dtype };
    let output: Tensor = input;
    if (dtype !== input.dtype) {
      // The first part is the longest.
      this.#place ??= allocate(this.#work, dtype, [elements]);
      output = { dtype, shape: [elements], address: this.#place.address };
      yield* convertTensor(this.#work.kernel, input, output, elements);
    }
    const wide = dtype === "float64";
    const axis = { outer: count, length, inner };
    yield* runFold(this.#work, "logSoftmax", { axis, wide, x: output, out: output });
    return output;
  }

  // biome-ignore lint/correctness/useYield: everything is done
  *end(): Steps<Partial<LogSoftmaxResult>> {
    return {};
  }
}

/** All that PyTorch looks at before it reads a number. */
function checkLogSoftmax(input: Tensor, options: LogSoftmaxOptions) {
  const warnings: string[] = [];
  const { returnGrad = false, gradOutput } = options;
  checkGradRequest(input, returnGrad, gradOutput);
  const dim = resolveDim(input.shape.length, options.dim ?? null, warnings);
  const dtype = options.dtype ?? input.dtype;
  const empty = elementCount(input.shape) === 0;
  if (!empty || returnGrad) requireFloat("input", dtype, kernelName(input.shape, dim));
  if (returnGrad) checkGradOutput(gradOutput, input.shape);
  return { dim, dtype, returnGrad, warnings };
}

/** PyTorch's rules for `dim`: range, negative values, and the legacy choice where it is left out. */
function resolveDim(rank: number, dim: number | null, warnings: string[]): number {
  if (dim === null) {
    const implicit = rank === 0 || rank === 1 || rank === 3 ? 0 : 1;
    warnings.push(
      `Implicit dimension choice for log_softmax has been deprecated. Change the call to include dim=X as an argument. (Here dim=${implicit} was chosen.)`,
    );
    return implicit;
  }
  const dims = Math.max(rank, 1);
  if (dim >= -dims && dim < dims) return dim < 0 ? dim + dims : dim;
  throw new LossRefusal(
    "dim_out_of_range",
    "dim",
    `Dimension out of range (expected to be in range of [${-dims}, ${dims - 1}], but got ${dim})`,
  );
}

/** The kernel that PyTorch would name in its refusal of a dtype. */
function kernelName(shape: readonly number[], dim: number): string {
  return dim === Math.max(shape.length, 1) - 1
    ? "log_softmax_lastdim_kernel_impl"
    : "log_softmax_kernel_impl";
}

function* implicitOne(work: Workspace, output: Tensor): Steps<Tensor> {
  const one = allocate(work, "float64", output.shape);
  work.kernel.f64[one.address / 8] = 1;
  return isFloat(output.dtype) ? yield* cast(work, one, output.dtype) : one;
}
