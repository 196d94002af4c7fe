/** `torch.nn.functional.log_softmax`: checks in PyTorch's order, plan and run. */

import type { Fold } from "../kernel/fold.ts";
import { foldStep } from "../kernel/fold.ts";
import type { LossKernel } from "../kernel/kernel.ts";
import type { LogitTransform } from "../kernel/logits.ts";
import { transformGradStep } from "../kernel/logits.ts";
import type { Step } from "../kernel/step.ts";
import type { DType, FloatDType } from "../tensor/dtype.ts";
import { isFloat } from "../tensor/dtype.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import { axisOf, elementCount } from "../tensor/tensor.ts";
import type { GradOptions } from "./grad-output.ts";
import { checkGradOutput, checkGradRequest } from "./grad-output.ts";
import { fieldOf, requireFloat } from "./index-checks.ts";
import type { LineOptions } from "./line-checks.ts";
import { wantsLines } from "./line-checks.ts";
import { LinesPlan } from "./log-softmax-lines.ts";
import type { TransformOptions } from "./logit-transform.ts";
import { fillSteps, planBuffer, resolveTransform } from "./logit-transform.ts";
import { LossError } from "./loss-error.ts";
import { castStep, planCast, writeOneStep } from "./numbers.ts";
import type { Output, Plan, RowsRun, RowWindow, Run, Slot } from "./plan.ts";
import { atSlot, Layout, planWindow, SCRATCH_BYTES } from "./plan.ts";

export interface LogSoftmaxOptions extends GradOptions, LineOptions, TransformOptions {
  /** Dimension to normalize, from -rank to rank - 1. Without it, PyTorch's legacy rule applies and adds a warning. */
  readonly dim?: number | null | undefined;
  /** Casts the input to this dtype before computing, which is also the output's dtype. */
  readonly dtype?: DType | null | undefined;
}

export interface LogSoftmaxResult {
  /** Log-probabilities in the input's shape, in `dtype` or the input's dtype. Without `index` and `topK`. */
  readonly output?: Tensor;
  /** Log-probabilities of the classes in `index` or `indices`, in the output's dtype. */
  readonly values?: Tensor;
  /** Classes of the `topK` largest log-probabilities in int64. */
  readonly indices?: Tensor;
  /** log(sum(exp(input))) of each line, in the input's shape without the dimension and in the output's dtype. */
  readonly lse?: Tensor;
  /** Entropy of each line's softmax, in the shape and dtype of `lse`. */
  readonly entropy?: Tensor;
  /** Gradient in the input's shape and dtype. */
  readonly gradInput?: Tensor;
  readonly warnings: readonly string[];
}

/**
 * `torch.nn.functional.log_softmax`: replaces every line along `dim` by `(x - max) - log(sum(exp(x - max)))`. The output
 * overwrites the input. With another `dtype`, it lies in the plan's block and the gradient overwrites the input. Without
 * one, the gradient overwrites `gradOutput`.
 *
 * Rejects in PyTorch's order: gradient of integers, `dim` out of range, integer dtype, `gradOutput` with another shape
 * than the output. Also `temperature` and `softcap`. {@link LinesPlan} computes the options of {@link LineOptions}. With `windowBytes`, the input is
 * streamed and only its shape and dtype are used. Streaming rules out a gradient because that needs the rows a second
 * time.
 */
export function planLogSoftmax(
  input: Tensor,
  options: LogSoftmaxOptions,
  windowBytes?: number,
): Plan<LogSoftmaxResult> {
  if (wantsLines(options)) return new LinesPlan(input, checkInput(input, options), options, windowBytes);
  return new LogSoftmaxPlan(input, options, windowBytes);
}

class LogSoftmaxPlan implements Plan<LogSoftmaxResult> {
  readonly input: Tensor;
  readonly axis: Axis;
  /** Output's dtype. An input without elements can have any. */
  readonly dtype: DType;
  readonly gradOutput: Tensor | undefined;
  readonly outputs: readonly Output<keyof LogSoftmaxResult>[];
  readonly rowsOutput = "output";
  readonly bytes: number;
  readonly window: RowWindow | undefined;
  readonly scratch: Slot;
  readonly transform: LogitTransform | undefined;
  /** Buffer for rows that are cast or transformed, as large as the rows in memory. */
  readonly castRows: Slot<FloatDType> | undefined;
  readonly gradient: GradientPlan | undefined;
  readonly warnings: readonly string[];

  constructor(input: Tensor, options: LogSoftmaxOptions, windowBytes: number | undefined) {
    const { dim, dtype, transform, returnGrad, warnings } = checkLogSoftmax(input, options);
    this.input = input;
    this.axis = axisOf(input.shape, dim);
    this.dtype = dtype;
    this.transform = transform;
    this.warnings = warnings;
    const layout = new Layout();
    this.scratch = layout.add("uint8", [SCRATCH_BYTES]);
    this.window = windowBytes === undefined ? undefined : planWindow(layout, input, this.axis, windowBytes);
    const rows = { dtype: input.dtype, shape: this.window?.slot.shape ?? input.shape };
    this.castRows = isFloat(dtype) ? planBuffer(layout, rows, dtype, transform) : undefined;
    this.gradOutput = options.gradOutput;
    if (returnGrad) this.gradient = planGradient(layout, input, dtype as FloatDType, options.gradOutput);
    this.bytes = layout.bytes;
    const { shape } = input;
    this.outputs = [
      { name: "output", dtype, shape },
      ...(returnGrad ? [{ name: "gradInput" as const, dtype: input.dtype, shape }] : []),
    ];
  }

  start(kernel: LossKernel, block: number): Run<LogSoftmaxResult> {
    return new LogSoftmaxRun(this, kernel, block);
  }
}

/** Plan of the backward pass. */
interface GradientPlan {
  /** Upstream gradient in the output's dtype, or the implicit 1. Undefined uses `gradOutput` in place. */
  readonly slot: Slot<FloatDType> | undefined;
  /** Whether the gradient is cast to the input's dtype and written over the input. */
  readonly isCast: boolean;
}

function planGradient(
  layout: Layout,
  input: Tensor,
  dtype: FloatDType,
  gradOutput: Tensor | undefined,
): GradientPlan {
  const slot =
    gradOutput === undefined ? layout.add(dtype, input.shape) : planCast(layout, gradOutput, dtype);
  return { slot, isCast: dtype !== input.dtype };
}

class LogSoftmaxRun implements Run<LogSoftmaxResult> {
  readonly begin: readonly Step[] = [];
  readonly end: readonly Step[];
  readonly warnings: readonly string[];
  readonly #plan: LogSoftmaxPlan;
  readonly #kernel: LossKernel;
  readonly #block: number;
  #gradInput: Tensor | undefined;

  constructor(plan: LogSoftmaxPlan, kernel: LossKernel, block: number) {
    this.#plan = plan;
    this.#kernel = kernel;
    this.#block = block;
    this.warnings = plan.warnings;
    this.end = plan.gradient === undefined ? [] : this.#gradientSteps(plan.gradient);
  }

  rows(address: number, _first: number, count: number): RowsRun {
    const { dtype, input, axis, castRows, transform } = this.#plan;
    const elements = count * axis.length * axis.inner;
    const rows = { dtype: input.dtype, shape: [elements], address };
    // Only an input without elements can have an integer dtype.
    if (!isFloat(dtype)) return { steps: [], output: { ...rows, dtype } };
    const output = {
      dtype,
      shape: [elements],
      address: castRows === undefined ? address : this.#block + castRows.offset,
    };
    const fill = castRows === undefined ? [] : fillSteps(this.#kernel, rows, output, elements, transform);
    const fold = {
      axis: { ...axis, outer: count },
      wide: dtype === "float64",
      x: output,
      out: output,
    };
    return { steps: [...fill, this.#fold("logSoftmax", fold)], output };
  }

  /** Returns the result without the output, because the rows wrote that. */
  result(): LogSoftmaxResult {
    const gradInput = this.#gradInput;
    return { ...(gradInput && { gradInput }), warnings: this.warnings } as LogSoftmaxResult;
  }

  #gradientSteps({ slot, isCast }: GradientPlan): Step[] {
    const { input, axis, castRows, gradOutput, transform } = this.#plan;
    const dtype = this.#plan.dtype as FloatDType;
    const output = { dtype, shape: input.shape, address: input.address };
    if (castRows !== undefined) output.address = this.#block + castRows.offset;
    const grad = slot === undefined ? gradOutput! : atSlot(this.#block, slot);
    const steps: Step[] = [];
    if (gradOutput === undefined)
      steps.push(writeOneStep(this.#kernel, this.#block + this.#plan.scratch.offset, grad));
    else if (slot !== undefined) steps.push(castStep(this.#kernel, gradOutput, grad));
    const wide = dtype === "float64";
    steps.push(this.#fold("logSoftmaxGrad", { axis, wide, x: output, target: grad, out: grad }));
    if (transform !== undefined) steps.push(transformGradStep(this.#kernel, input, grad, transform));
    this.#gradInput = grad;
    if (isCast) {
      this.#gradInput = input;
      steps.push(castStep(this.#kernel, grad, this.#gradInput));
    }
    return steps;
  }

  #fold(name: "logSoftmax" | "logSoftmaxGrad", fold: Fold): Step {
    return foldStep(this.#kernel, this.#block + this.#plan.scratch.offset, name, fold);
  }
}

/** Runs the checks that PyTorch makes before it reads a number. */
function checkLogSoftmax(input: Tensor, options: LogSoftmaxOptions) {
  const checked = checkInput(input, options);
  if (checked.returnGrad) checkGradOutput(options.gradOutput, input.shape);
  return checked;
}

function checkInput(input: Tensor, options: LogSoftmaxOptions) {
  const warnings: string[] = [];
  const { returnGrad = false } = options;
  checkGradRequest(input, options);
  const dim = resolveDim(input.shape.length, options.dim ?? null, warnings);
  const dtype = options.dtype ?? input.dtype;
  const empty = elementCount(input.shape) === 0;
  if (!empty || returnGrad) requireFloat(fieldOf(dtype, input), dtype, kernelName(input.shape, dim));
  return { dim, dtype, transform: resolveTransform(options), returnGrad, warnings };
}

/** Applies PyTorch's rules for `dim`: range, negative values, legacy default. */
export function resolveDim(rank: number, dim: number | null, warnings: string[]): number {
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

/** Returns the kernel that PyTorch names in its dtype error. */
function kernelName(shape: readonly number[], dim: number): string {
  return dim === Math.max(shape.length, 1) - 1
    ? "log_softmax_lastdim_kernel_impl"
    : "log_softmax_kernel_impl";
}
