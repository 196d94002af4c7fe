/** `log_softmax` with results of each line: chosen log-probabilities, logsumexp and entropy. */

import type { LossKernel } from "../kernel/kernel.ts";
import { LINE_RECORDS_BYTES, maximaBytes, sumsBytes, sumsPitch } from "../kernel/line-sums.ts";
import type { LogitTransform } from "../kernel/logits.ts";
import { PICKS_RECORD_BYTES, topKBytes } from "../kernel/picks.ts";
import type { DType, FloatDType } from "../tensor/dtype.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import { axisOf } from "../tensor/tensor.ts";
import type { GradOptions } from "./grad-output.ts";
import { fieldOf, requireFloat } from "./index-checks.ts";
import type { LineOptions, LineShapes } from "./line-checks.ts";
import { checkOutputs, checkUpstreams } from "./line-checks.ts";
import { LinesRun, SLAB_ELEMENTS } from "./lines-run.ts";
import type { LogSoftmaxResult } from "./log-softmax.ts";
import { planBuffer } from "./logit-transform.ts";
import type { ComputeDType } from "./numbers.ts";
import { planCast } from "./numbers.ts";
import type { Output, Plan, RowWindow, Run, Slot } from "./plan.ts";
import { Layout, planWindow, SCRATCH_BYTES } from "./plan.ts";

/** Options of `log_softmax` as {@link LinesPlan} takes them. */
export interface ResolvedOptions {
  readonly dim: number;
  readonly dtype: DType;
  readonly transform: LogitTransform | undefined;
  readonly returnGrad: boolean;
  readonly warnings: readonly string[];
}

/**
 * Plans `log_softmax` with {@link LineOptions}. Chosen log-probabilities have the bits of the whole output, which is not
 * stored. The `topK` largest are in descending order, equal ones in the order of their classes. The input is kept until
 * its gradient overwrites it. `output`, without a choice, overwrites the input or its cast, and then the gradient
 * overwrites `gradOutput` unless that has another dtype.
 */
export class LinesPlan implements Plan<LogSoftmaxResult> {
  readonly input: Tensor;
  /** Dimension from 0 on. */
  readonly dim: number;
  readonly axis: Axis;
  readonly dtype: FloatDType;
  readonly compute: ComputeDType;
  readonly shapes: LineShapes;
  readonly options: LineOptions & GradOptions;
  readonly returnGrad: boolean;
  readonly outputs: readonly Output<keyof LogSoftmaxResult>[];
  readonly rowsOutput: "output" | undefined;
  readonly bytes: number;
  readonly window: RowWindow | undefined;
  readonly warnings: readonly string[];
  /** Rows that are computed together. */
  readonly slabRows: number;
  readonly scratch: Slot;
  readonly records: Slot;
  readonly sums: Slot;
  readonly sumsPitch: number;
  readonly transform: LogitTransform | undefined;
  /** Cast or transformed rows: a slab, or all rows in memory if they become the output. */
  readonly castRows: Slot<FloatDType> | undefined;
  readonly values: Slot<FloatDType> | undefined;
  readonly indices: Slot<"int64"> | undefined;
  /** Entries of the top k. */
  readonly entries: Slot | undefined;
  /** Maxima of a chunk's blocks, which exclude most classes from the top k. */
  readonly maxima: Slot | undefined;
  readonly lse: Slot<FloatDType> | undefined;
  readonly entropy: Slot<FloatDType> | undefined;
  /** Upstream gradient of 1 for a single value. */
  readonly one: Slot<FloatDType> | undefined;
  /** Gradient of a slab's log-probabilities, scattered from the gradient of the values. */
  readonly base: Slot<ComputeDType> | undefined;
  /** Gradient of the whole output, unless it overwrites `gradOutput`. */
  readonly grad: Slot<FloatDType> | undefined;

  constructor(
    input: Tensor,
    { dim, dtype, transform, returnGrad, warnings }: ResolvedOptions,
    options: LineOptions & GradOptions,
    windowBytes: number | undefined,
  ) {
    requireFloat(fieldOf(dtype, input), dtype, "log_softmax_lastdim_kernel_impl");
    this.dtype = dtype as FloatDType;
    this.shapes = checkOutputs(input.shape, dim, options);
    checkUpstreams(input.shape, options, this.shapes);
    this.input = input;
    this.dim = dim;
    this.axis = axisOf(input.shape, dim);
    this.compute = dtype === "float64" ? "float64" : "float32";
    this.options = options;
    this.transform = transform;
    this.returnGrad = returnGrad;
    this.warnings = warnings;
    const { selection, line } = this.shapes;
    const { outer, length, inner } = this.axis;
    const wide = this.compute === "float64";

    const layout = new Layout();
    this.scratch = layout.add("uint8", [SCRATCH_BYTES]);
    this.records = layout.add("uint8", [LINE_RECORDS_BYTES + PICKS_RECORD_BYTES]);
    this.window = windowBytes === undefined ? undefined : planWindow(layout, input, this.axis, windowBytes);
    const rows = this.window?.rows ?? outer;
    const fitting = slabRowsOf(rows, length * inner);
    // Without casts, transforms and gradients, nothing is stored for a slab.
    const isChanged = dtype !== input.dtype || transform !== undefined;
    const isWhole = selection !== undefined && !isChanged && !returnGrad;
    this.slabRows = isWhole ? rows : fitting;
    const slab = [this.slabRows * length * inner];
    const castShape = selection === undefined ? [rows * length * inner] : slab;
    this.castRows = planBuffer(layout, { dtype: input.dtype, shape: castShape }, this.dtype, transform);
    const positions = length === 0 ? 0 : this.slabRows * inner;
    this.sums = layout.add("uint8", [sumsBytes(positions, wide)]);
    this.sumsPitch = sumsPitch(positions, wide);
    this.values = selection && layout.add(this.dtype, selection.shape);
    if (selection !== undefined && selection.index === undefined) {
      this.indices = layout.add("int64", selection.shape);
      this.entries = layout.add("uint8", [topKBytes(selection.count, this.axis, wide)]);
      const bytes = maximaBytes(this.axis, fitting);
      this.maxima = bytes === 0 ? undefined : layout.add("uint8", [bytes]);
    }
    this.lse = options.returnLse ? layout.add(this.dtype, line) : undefined;
    this.entropy = options.returnEntropy ? layout.add(this.dtype, line) : undefined;
    if (returnGrad && selection === undefined) this.grad = this.#planGrad(layout);
    if (returnGrad && selection !== undefined) {
      this.one = this.#hasUpstream() ? undefined : layout.add(this.dtype, []);
      const isPicked = options.gradOutput !== undefined || this.one !== undefined;
      if (isPicked) this.base = layout.add(this.compute, slab);
    }
    this.bytes = layout.bytes;
    this.rowsOutput = selection === undefined ? "output" : undefined;
    this.outputs = this.#outputs();
  }

  #planGrad(layout: Layout): Slot<FloatDType> | undefined {
    const { gradOutput } = this.options;
    if (gradOutput === undefined) return layout.add(this.dtype, this.input.shape);
    return planCast(layout, gradOutput, this.dtype);
  }

  #hasUpstream(): boolean {
    const { gradOutput, gradLse, gradEntropy } = this.options;
    return gradOutput !== undefined || gradLse !== undefined || gradEntropy !== undefined;
  }

  #outputs(): Output<keyof LogSoftmaxResult>[] {
    const { dtype, input } = this;
    const outputs: Output<keyof LogSoftmaxResult>[] = [];
    if (this.values === undefined) outputs.push({ name: "output", dtype, shape: input.shape });
    else outputs.push({ name: "values", ...this.values });
    if (this.indices !== undefined) outputs.push({ name: "indices", ...this.indices });
    if (this.lse !== undefined) outputs.push({ name: "lse", ...this.lse });
    if (this.entropy !== undefined) outputs.push({ name: "entropy", ...this.entropy });
    if (this.returnGrad) outputs.push({ name: "gradInput", dtype: input.dtype, shape: input.shape });
    return outputs;
  }

  start(kernel: LossKernel, block: number): Run<LogSoftmaxResult> {
    return new LinesRun(this, kernel, block);
  }
}

function slabRowsOf(rows: number, rowElements: number): number {
  if (rowElements === 0) return rows;
  return Math.min(rows, Math.max(1, Math.floor(SLAB_ELEMENTS / rowElements)));
}
