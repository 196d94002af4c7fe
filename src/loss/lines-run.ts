/** Computes `log_softmax` with results of each line slab by slab, see {@link LinesPlan}. */

import { convertStep } from "../kernel/convert.ts";
import { foldStep } from "../kernel/fold.ts";
import type { LossKernel } from "../kernel/kernel.ts";
import type { Chunk, LineGradients } from "../kernel/line-sums.ts";
import { LINE_RECORDS_BYTES, LineFolds } from "../kernel/line-sums.ts";
import { transformGradStep } from "../kernel/logits.ts";
import type { Picks } from "../kernel/picks.ts";
import { picksStep } from "../kernel/picks.ts";
import type { SizedStep, Step } from "../kernel/step.ts";
import { chain } from "../kernel/step.ts";
import { checkTargetsStep } from "../kernel/targets.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import { partOf } from "../tensor/tensor.ts";
import { indexError } from "./line-checks.ts";
import type { LogSoftmaxResult } from "./log-softmax.ts";
import type { LinesPlan } from "./log-softmax-lines.ts";
import { fillSteps } from "./logit-transform.ts";
import { castStep, clearStep, writeOneStep } from "./numbers.ts";
import type { RowsRun, Run } from "./plan.ts";
import { atSlot } from "./plan.ts";

/** Elements of the rows that are computed together, which fit the second-level cache. */
export const SLAB_ELEMENTS = 65_536;
/** Class that every index check skips because it always exists. */
const FIRST_CLASS = 0n;

/** Rows of a slab, with the part of each tensor that belongs to them. */
interface Slab {
  readonly axis: Axis;
  /** Logits in the output's dtype. */
  readonly x: Tensor;
  /** Part of a tensor with this many elements per row. */
  part(tensor: Tensor, rowElements: number): Tensor;
}

export class LinesRun implements Run<LogSoftmaxResult> {
  readonly begin: readonly Step[];
  readonly end: readonly Step[];
  readonly warnings: readonly string[];
  readonly #plan: LinesPlan;
  readonly #kernel: LossKernel;
  readonly #block: number;
  readonly #result: LogSoftmaxResult;
  /** Upstream gradient of the values. */
  readonly #gradValues: Tensor | undefined;
  /** Upstream gradient of the whole output, later its gradient. */
  readonly #grad: Tensor | undefined;

  constructor(plan: LinesPlan, kernel: LossKernel, block: number) {
    const { values, indices, lse, entropy, one, grad, input, returnGrad } = plan;
    const { gradOutput } = plan.options;
    this.#plan = plan;
    this.#kernel = kernel;
    this.#block = block;
    this.warnings = plan.warnings;
    if (values !== undefined) this.#gradValues = one === undefined ? gradOutput : atSlot(block, one);
    else if (returnGrad) this.#grad = grad === undefined ? gradOutput : atSlot(block, grad);
    const isCast = plan.dtype !== input.dtype;
    const gradInput = this.#grad === undefined || isCast ? input : this.#grad;
    this.#result = {
      ...(values && { values: atSlot(block, values) }),
      ...(indices && { indices: atSlot(block, indices) }),
      ...(lse && { lse: atSlot(block, lse) }),
      ...(entropy && { entropy: atSlot(block, entropy) }),
      ...(returnGrad && { gradInput }),
      warnings: plan.warnings,
    };
    this.begin = this.#beginSteps();
    this.end = this.#grad !== undefined && isCast ? [castStep(kernel, this.#grad, input)] : [];
  }

  #beginSteps(): Step[] {
    const { shapes, axis, dim, one, grad, options } = this.#plan;
    const steps: Step[] = [];
    const index = shapes.selection?.index;
    // An index without classes has been rejected unless it is empty.
    if (index !== undefined && axis.length > 0) {
      const classes = axis.length;
      const reject = (element: number, value: bigint): never => {
        throw indexError(element, value, dim, classes);
      };
      const check = { classes, target: index, weight: undefined, ignoreIndex: FIRST_CLASS, reject };
      steps.push(checkTargetsStep(this.#kernel, this.#scratch, check));
    }
    if (one !== undefined) steps.push(writeOneStep(this.#kernel, this.#scratch, atSlot(this.#block, one)));
    if (grad !== undefined && options.gradOutput !== undefined)
      steps.push(castStep(this.#kernel, options.gradOutput, this.#grad!));
    return steps;
  }

  rows(address: number, first: number, count: number): RowsRun {
    const { axis, dtype, castRows, values } = this.#plan;
    const elements = count * axis.length * axis.inner;
    const steps = [chain(() => this.#slabs(address, first, count))];
    if (values !== undefined) return { steps, output: undefined };
    const at = castRows === undefined ? address : this.#block + castRows.offset;
    return { steps, output: { dtype, shape: [elements], address: at } };
  }

  result(): LogSoftmaxResult {
    return this.#result;
  }

  get #scratch(): number {
    return this.#block + this.#plan.scratch.offset;
  }

  /** Computes rows slab by slab, so that everything about a row is done while it is in the cache. */
  *#slabs(address: number, first: number, count: number): Generator<SizedStep, void> {
    const { axis, slabRows, input, castRows, dtype, transform, values, lse, entropy } = this.#plan;
    const row = axis.length * axis.inner;
    // Skips lines without elements unless they have a result, because there may be billions.
    if (row === 0 && lse === undefined && entropy === undefined) return;
    for (let done = 0; done < count; done += slabRows) {
      const rows = Math.min(slabRows, count - done);
      const elements = rows * row;
      const source = partOf({ dtype: input.dtype, shape: [], address }, done * row, elements);
      let x: Tensor = source;
      if (castRows !== undefined) {
        const cast = { dtype, shape: [], address: this.#block + castRows.offset };
        x = partOf(cast, values === undefined ? done * row : 0, elements);
        for (const step of fillSteps(this.#kernel, source, x, elements, transform)) yield { step, elements };
      }
      const begin = first + done;
      const part = (tensor: Tensor, size: number): Tensor => partOf(tensor, begin * size, rows * size);
      yield* this.#slab({ axis: { ...axis, outer: rows }, x, part });
      if (transform !== undefined && this.#plan.returnGrad) {
        const grad = values === undefined ? part(this.#grad!, row) : x;
        yield { step: transformGradStep(this.#kernel, source, grad, transform), elements };
      }
      if (castRows !== undefined && values !== undefined && this.#plan.returnGrad)
        yield { step: convertStep(this.#kernel, x, source, elements), elements };
    }
  }

  *#slab(slab: Slab): Generator<SizedStep, void> {
    const { axis, x, part } = slab;
    const { length, inner } = axis;
    const { values, base, records } = this.#plan;
    const elements = axis.outer * length * inner;
    const gradients = this.#lineGradients(slab);
    // The gradient needs the logits, so the output overwrites them later.
    const writesOutput = values === undefined && gradients === undefined;
    if (base !== undefined)
      yield { step: clearStep(this.#kernel, atSlot(this.#block, base), elements), elements };
    const lines = this.#lines(slab);
    const out = writesOutput ? x : undefined;
    const folds = new LineFolds(this.#kernel, this.#block + records.offset, { ...lines, out });
    const picks = values === undefined ? undefined : { ...lines, ...this.#picks(slab) };
    while (!folds.isDone) {
      const { step, chunk } = folds.sum(SLAB_ELEMENTS);
      yield { step, elements: Math.min(SLAB_ELEMENTS, elements) };
      const { first, end } = chunk();
      if (picks !== undefined) yield* this.#pick(picks, { first, end });
      if (gradients !== undefined)
        yield { step: folds.gradient({ first, end }, gradients), elements: (end - first) * length };
    }
    if (gradients !== undefined && values === undefined) yield this.#fold("logSoftmax", slab, x);
    if (writesOutput && this.#grad !== undefined)
      yield this.#fold("logSoftmaxGrad", slab, part(this.#grad, length * inner));
  }

  #lines({ axis, x, part }: Slab) {
    const { sums, sumsPitch, compute, maxima } = this.#plan;
    const { lse, entropy } = this.#result;
    return {
      maxima: maxima && this.#block + maxima.offset,
      axis,
      wide: compute === "float64",
      x,
      sums: { address: this.#block + sums.offset, pitch: sumsPitch },
      lse: lse && part(lse, axis.inner),
      entropy: entropy && part(entropy, axis.inner),
    };
  }

  #picks({ axis, part }: Slab) {
    const { shapes, base, entries } = this.#plan;
    const { index, count } = shapes.selection!;
    const size = count * axis.inner;
    return {
      count,
      index: part(index ?? this.#result.indices!, size),
      values: part(this.#result.values!, size),
      grad: this.#gradValues && part(this.#gradValues, size),
      base: base && atSlot(this.#block, base),
      entries: entries && this.#block + entries.offset,
    };
  }

  /** Computes the values of a chunk of lines, and scatters their upstream gradient. */
  *#pick(picks: Picks, chunk: Chunk): Generator<SizedStep, void> {
    const { shapes, base, records } = this.#plan;
    const { axis, count } = picks;
    const { index } = shapes.selection!;
    const at = this.#block + records.offset + LINE_RECORDS_BYTES;
    const lines = chunk.end - chunk.first;
    const name = index === undefined ? "topK" : "gather";
    const elements = lines * (index === undefined ? axis.length : count);
    yield { step: picksStep(this.#kernel, at, name, picks, chunk), elements };
    if (base !== undefined)
      yield { step: picksStep(this.#kernel, at, "scatter", picks, chunk), elements: lines * count };
  }

  /** Returns the gradients that {@link LineFolds} computes. The gradient of the output alone has a fold of its own. */
  #lineGradients({ axis, x, part }: Slab): LineGradients | undefined {
    const { values, base, options, returnGrad } = this.#plan;
    const { gradOutput, gradLse, gradEntropy } = options;
    const upstreams = {
      gradLse: gradLse && part(gradLse, axis.inner),
      gradEntropy: gradEntropy && part(gradEntropy, axis.inner),
    };
    if (!returnGrad) return undefined;
    if (values !== undefined) return { ...upstreams, out: x, gradOutput: base && atSlot(this.#block, base) };
    if (gradLse === undefined && gradEntropy === undefined) return undefined;
    const out = part(this.#grad!, axis.length * axis.inner);
    return { ...upstreams, out, gradOutput: gradOutput && out };
  }

  /** Writes the output over the logits, or the gradient over its upstream gradient. */
  #fold(name: "logSoftmax" | "logSoftmaxGrad", { axis, x }: Slab, out: Tensor): SizedStep {
    const wide = this.#plan.compute === "float64";
    const step = foldStep(this.#kernel, this.#scratch, name, { axis, wide, x, out, target: out });
    return { step, elements: axis.outer * axis.length * axis.inner };
  }
}
