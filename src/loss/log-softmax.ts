/** `torch.nn.functional.log_softmax`: the checks, in PyTorch's order, the plan, and its run. */

import { convertStep } from "../kernel/convert.ts";
import { foldStep } from "../kernel/fold.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Step } from "../kernel/step.ts";
import type { DType, FloatDType } from "../tensor/dtype.ts";
import { DTYPES, isFloat } from "../tensor/dtype.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import { axisOf, elementCount } from "../tensor/tensor.ts";
import { LossError } from "./errors.ts";
import type { GradOptions } from "./grad-output.ts";
import { checkGradOutput, checkGradRequest } from "./grad-output.ts";
import { requireFloat } from "./index-checks.ts";
import { castStep, planCast } from "./numbers.ts";
import type { Output, Plan, RowsRun, RowWindow, Run, Slot } from "./plan.ts";
import { atSlot, Layout, planWindow, SCRATCH_BYTES } from "./plan.ts";

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
 * where the input lay or, with another `dtype`, in the plan's block, and the gradient then where the input lay; otherwise where
 * `gradOutput` lay.
 *
 * Refuses, in PyTorch's order: a gradient of integers, a `dim` out of range, an integer dtype, a `gradOutput` that does
 * not have exactly the output's shape. With `windowBytes` the input is streamed, of which only shape and dtype count; there can be no
 * gradient then, because it needs the rows a second time.
 */
export function planLogSoftmax(
  input: Tensor,
  options: LogSoftmaxOptions,
  windowBytes?: number,
): Plan<LogSoftmaxResult> {
  return new LogSoftmaxPlan(input, options, windowBytes);
}

class LogSoftmaxPlan implements Plan<LogSoftmaxResult> {
  readonly input: Tensor;
  readonly axis: Axis;
  /** The output's; an input without elements can have any. */
  readonly dtype: DType;
  readonly gradOutput: Tensor | undefined;
  readonly outputs: readonly Output<keyof LogSoftmaxResult>[];
  readonly rowsOutput = "output";
  readonly bytes: number;
  readonly window: RowWindow | undefined;
  readonly scratch: Slot;
  /** Rows that are cast to another dtype: as many as lie in memory at once. */
  readonly castRows: Slot<FloatDType> | undefined;
  readonly gradient: GradientPlan | undefined;
  readonly warnings: readonly string[];

  constructor(input: Tensor, options: LogSoftmaxOptions, windowBytes: number | undefined) {
    const { dim, dtype, returnGrad, warnings } = checkLogSoftmax(input, options);
    this.input = input;
    this.axis = axisOf(input.shape, dim);
    this.dtype = dtype;
    this.warnings = warnings;
    const layout = new Layout();
    this.scratch = layout.add("uint8", [SCRATCH_BYTES]);
    this.window = windowBytes === undefined ? undefined : planWindow(layout, input, this.axis, windowBytes);
    const rows = { dtype: input.dtype, shape: this.window?.slot.shape ?? input.shape };
    this.castRows = isFloat(dtype) ? planCast(layout, rows, dtype) : undefined;
    this.gradOutput = options.gradOutput;
    if (returnGrad) this.gradient = planGradient(layout, input, dtype as FloatDType, options.gradOutput);
    this.bytes = layout.bytes;
    const { shape } = input;
    this.outputs = [
      { name: "output", dtype, shape },
      ...(returnGrad ? [{ name: "gradInput" as const, dtype: input.dtype, shape }] : []),
    ];
  }

  start(kernel: Kernel, block: number): Run<LogSoftmaxResult> {
    return new LogSoftmaxRun(this, kernel, block);
  }
}

/** The tensors of the backward pass that have no place of the caller's. */
interface GradientPlan {
  /** The upstream gradient in the output's dtype, or the implicit 1; undefined where `gradOutput` has the dtype already. */
  readonly upstream: Slot<FloatDType> | undefined;
  /** Whether the gradient is cast to the input's dtype, in the place of the input, which was cast to the output's. */
  readonly isCast: boolean;
}

function planGradient(
  layout: Layout,
  input: Tensor,
  dtype: FloatDType,
  gradOutput: Tensor | undefined,
): GradientPlan {
  const upstream =
    gradOutput === undefined ? layout.add(dtype, input.shape) : planCast(layout, gradOutput, dtype);
  return { upstream, isCast: dtype !== input.dtype };
}

class LogSoftmaxRun implements Run<LogSoftmaxResult> {
  readonly begin: readonly Step[] = [];
  readonly end: readonly Step[];
  readonly warnings: readonly string[];
  readonly #plan: LogSoftmaxPlan;
  readonly #kernel: Kernel;
  readonly #block: number;
  #gradInput: Tensor | undefined;

  constructor(plan: LogSoftmaxPlan, kernel: Kernel, block: number) {
    this.#plan = plan;
    this.#kernel = kernel;
    this.#block = block;
    this.warnings = plan.warnings;
    this.end = plan.gradient === undefined ? [] : this.#gradientSteps(plan.gradient);
  }

  rows(address: number, _first: number, count: number): RowsRun {
    const { dtype, input, axis, castRows } = this.#plan;
    const elements = count * axis.length * axis.inner;
    const rows = { dtype: input.dtype, shape: [elements], address };
    // Only an input without elements can have an integer dtype.
    if (!isFloat(dtype)) return { steps: [], output: { ...rows, dtype } };
    const output = {
      dtype,
      shape: [elements],
      address: castRows === undefined ? address : this.#block + castRows.offset,
    };
    const cast = castRows === undefined ? [] : [convertStep(this.#kernel, rows, output, elements)];
    const describe = () => ({
      axis: { ...axis, outer: count },
      wide: dtype === "float64",
      x: output,
      out: output,
    });
    return { steps: [...cast, this.#fold("logSoftmax", describe)], output };
  }

  known(): Partial<LogSoftmaxResult> {
    return {};
  }

  /** Without the output, which the rows gave. */
  result(): LogSoftmaxResult {
    const gradInput = this.#gradInput;
    return { ...(gradInput && { gradInput }), warnings: this.warnings } as LogSoftmaxResult;
  }

  #gradientSteps({ upstream, isCast }: GradientPlan): Step[] {
    const { input, axis, castRows, gradOutput } = this.#plan;
    const dtype = this.#plan.dtype as FloatDType;
    const output = { dtype, shape: input.shape, address: input.address };
    if (castRows !== undefined) output.address = this.#block + castRows.offset;
    const grad = upstream === undefined ? gradOutput! : atSlot(this.#block, upstream);
    const steps: Step[] = [];
    if (gradOutput === undefined) steps.push(this.#writeOne(grad));
    else if (upstream !== undefined) steps.push(castStep(this.#kernel, gradOutput, grad));
    const wide = dtype === "float64";
    steps.push(this.#fold("logSoftmaxGrad", () => ({ axis, wide, x: output, target: grad, out: grad })));
    this.#gradInput = grad;
    if (isCast) {
      this.#gradInput = input;
      steps.push(castStep(this.#kernel, grad, this.#gradInput));
    }
    return steps;
  }

  #fold(name: "logSoftmax" | "logSoftmaxGrad", describe: Parameters<typeof foldStep>[3]): Step {
    return foldStep(this.#kernel, this.#block + this.#plan.scratch.offset, name, describe, () => {});
  }

  /** The upstream gradient of an output of one element is 1. */
  #writeOne(to: Tensor): Step {
    return () => {
      const scratch = this.#block + this.#plan.scratch.offset;
      this.#kernel.f64[scratch / 8] = 1;
      this.#kernel.run.convert(scratch, DTYPES.float64.code, to.address, DTYPES[to.dtype].code, 1);
      return true;
    };
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
  throw new LossError(
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
