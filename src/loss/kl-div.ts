/** `torch.nn.functional.kl_div`: checks in PyTorch's order, then the plan. */
import { foldStep, NO_SUM, totalOf } from "../kernel/fold.ts";
import type { LossKernel } from "../kernel/kernel.ts";
import type { KlDivState } from "../kernel/kl-div.ts";
import { klDivStep } from "../kernel/kl-div.ts";
import { transformStep } from "../kernel/logits.ts";
import type { Step } from "../kernel/step.ts";
import { once } from "../kernel/step.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import type { Axis, Tensor } from "../tensor/tensor.ts";
import { axisOf, elementCount, partOf } from "../tensor/tensor.ts";
import type { GradOutputPlan } from "./grad-output.ts";
import { checkGradOutput, GradOutputReader, planGradOutput, promote } from "./grad-output.ts";
import type { KlDivLoss, KlDivOptions, Logits } from "./kl-div-checks.ts";
import { checkKlDiv } from "./kl-div-checks.ts";
import type { LossResult } from "./loss-result.ts";
import { roundTo } from "./numbers.ts";
import type { Output, Plan, RowsRun, RowWindow, Run, Slot } from "./plan.ts";
import { atSlot, Layout, planWindow, SCRATCH_BYTES } from "./plan.ts";

/**
 * `torch.nn.functional.kl_div`: loss `xlogy(target, target) - target * input` of each element, or `exp(target) * (target
 * - input)` with `logTarget`. The mean divides the sum by the number of elements, "batchmean" by the input's first size,
 * 1 for a 0-dim input. Input and target have the same shape and any float dtypes, which the losses promote. The
 * gradients overwrite input and target.
 *
 * `fromLogits` is `kl_div(log_softmax(input / temperature, dim), log_softmax(target / temperature, dim),
 * log_target=True)`, and both gradients go through it. Nothing is multiplied by the square of the temperature.
 *
 * Rejects in PyTorch's order: unknown reduction, gradient of integers, integer dtype, different shapes, which PyTorch
 * would broadcast, `gradOutput` with another shape than the output. Also `logTarget` with `fromLogits`, `dim` or
 * `temperature` without it, `temperature` that is not positive and finite, `dim` out of range. With `windowBytes`, the
 * input is streamed and only its shape and dtype are used.
 */
export function planKlDiv(
  input: Tensor,
  target: Tensor,
  options: KlDivOptions,
  windowBytes?: number,
): Plan<LossResult> {
  const warnings: string[] = [];
  return new KlDivPlan(checkKlDiv(input, target, options, warnings), warnings, windowBytes);
}

class KlDivPlan implements Plan<LossResult> {
  readonly loss: KlDivLoss;
  readonly input: Tensor & { dtype: FloatDType };
  /** Lines of the logits, or rows of one element because the losses need no others. */
  readonly axis: Axis;
  /** Dtype of the losses. */
  readonly dtype: FloatDType;
  readonly outputs: readonly Output<keyof LossResult>[];
  readonly rowsOutput: "gradInput" | undefined;
  readonly bytes: number;
  readonly window: RowWindow | undefined;
  readonly scratch: Slot;
  readonly losses: Slot | undefined;
  readonly gradOutput: GradOutputPlan | undefined;
  /** Gradients with respect to the log-probabilities of the rows in memory. */
  readonly logGradInput: Slot | undefined;
  readonly logGradTarget: Slot | undefined;
  readonly warnings: readonly string[];

  constructor(loss: KlDivLoss, warnings: readonly string[], windowBytes: number | undefined) {
    const { input, target, reduction, logits, gradOutput, returnGrad, returnGradTarget } = loss;
    const { shape } = input;
    this.loss = loss;
    this.input = input;
    this.dtype = promote(input.dtype, target.dtype);
    this.axis =
      logits === undefined ? { outer: elementCount(shape), length: 1, inner: 1 } : axisOf(shape, logits.dim);
    const outputShape = reduction === "none" ? shape : [];
    const wantsGrad = returnGrad || returnGradTarget;
    if (wantsGrad) checkGradOutput(gradOutput, outputShape);

    const layout = new Layout();
    this.scratch = layout.add("uint8", [SCRATCH_BYTES]);
    this.window = windowBytes === undefined ? undefined : planWindow(layout, input, this.axis, windowBytes);
    this.losses = reduction === "none" ? layout.add(this.dtype, shape) : undefined;
    // The mean's own division also rounds, so the reader must not divide.
    const each = reduction === "none" ? reduction : "sum";
    this.gradOutput = wantsGrad ? planGradOutput(layout, gradOutput, this.dtype, each) : undefined;
    const rows = this.window?.slot.shape ?? shape;
    this.logGradInput = logits && returnGrad ? layout.add(input.dtype, rows) : undefined;
    this.logGradTarget = logits && returnGradTarget ? layout.add(target.dtype, rows) : undefined;
    this.bytes = layout.bytes;

    this.warnings = dividesByZero(loss)
      ? [...warnings, "the mean over no elements is 0/0 = NaN, as in PyTorch"]
      : warnings;
    this.rowsOutput = returnGrad ? "gradInput" : undefined;
    this.outputs = [
      { name: reduction === "none" ? "losses" : "loss", dtype: this.dtype, shape: outputShape },
      ...(returnGrad ? [{ name: "gradInput" as const, dtype: input.dtype, shape }] : []),
      ...(returnGradTarget ? [{ name: "gradTarget" as const, dtype: target.dtype, shape }] : []),
    ];
  }

  start(kernel: LossKernel, block: number): Run<LossResult> {
    return new KlDivRun(this, kernel, block);
  }
}

function dividesByZero({ input, reduction, batchSize }: KlDivLoss): boolean {
  if (reduction === "none") return false;
  return batchSize === 0 || (reduction === "mean" && elementCount(input.shape) === 0);
}

class KlDivRun implements Run<LossResult> {
  readonly begin: readonly Step[];
  readonly end: readonly Step[] = [];
  readonly warnings: readonly string[];
  readonly #plan: KlDivPlan;
  readonly #kernel: LossKernel;
  readonly #block: number;
  readonly #scratch: number;
  readonly #losses: Tensor | undefined;
  readonly #gradOutput: GradOutputReader | undefined;
  readonly #state: KlDivState = { gradOutputScalar: 0, sum: NO_SUM };

  constructor(plan: KlDivPlan, kernel: LossKernel, block: number) {
    this.#plan = plan;
    this.#kernel = kernel;
    this.#block = block;
    this.#scratch = block + plan.scratch.offset;
    this.#losses = plan.losses && atSlot(block, plan.losses);
    this.#gradOutput = plan.gradOutput && new GradOutputReader(plan.gradOutput, kernel, block, this.#scratch);
    this.warnings = plan.warnings;
    this.begin = [
      once(() => {
        this.#state.sum = NO_SUM;
      }),
      ...(this.#gradOutput?.begin(this.#state, () => 1) ?? []),
      ...(this.#gradOutput ? [once(() => this.#divideGradOutput())] : []),
    ];
  }

  rows(address: number, first: number, count: number): RowsRun {
    const { axis, loss, logGradInput, logGradTarget } = this.#plan;
    const { returnGrad, returnGradTarget, logits } = loss;
    const row = axis.length * axis.inner;
    const elements = count * row;
    const part = (tensor: Tensor): Tensor => partOf(tensor, first * row, elements);
    const input = { dtype: loss.input.dtype, shape: [elements], address };
    const target = part(loss.target);
    const output = returnGrad ? input : undefined;
    const gradTarget = returnGradTarget ? target : undefined;
    if (logits === undefined) {
      return { steps: [this.#klDiv(input, target, part, output, gradTarget)], output };
    }
    const lines = { ...axis, outer: count };
    const slotted = (slot: Slot | undefined) => slot && { ...atSlot(this.#block, slot), shape: [elements] };
    const [gradLogInput, gradLogTarget] = [slotted(logGradInput), slotted(logGradTarget)];
    const steps = [
      ...this.#logSoftmax(input, lines, logits),
      ...this.#logSoftmax(target, lines, logits),
      this.#klDiv(input, target, part, gradLogInput, gradLogTarget),
      ...this.#logSoftmaxGrad(input, gradLogInput, lines, logits),
      ...this.#logSoftmaxGrad(target, gradLogTarget, lines, logits),
    ];
    return { steps, output };
  }

  result(): LossResult {
    const { loss, dtype } = this.#plan;
    const { warnings } = this;
    const grad = loss.returnGradTarget ? { gradTarget: loss.target } : {};
    if (this.#losses !== undefined) return { losses: this.#losses, ...grad, warnings };
    const sum = this.#round(dtype === "float64" ? dtype : "float32", totalOf(this.#state.sum));
    const reduced = this.#round(dtype, loss.reduction === "mean" ? sum / this.#count : sum);
    const value = this.#round(dtype, reduced / loss.batchSize);
    return { loss: { dtype, value }, ...grad, warnings };
  }

  #klDiv(
    x: Tensor,
    target: Tensor,
    part: (tensor: Tensor) => Tensor,
    gradInput: Tensor | undefined,
    gradTarget: Tensor | undefined,
  ): Step {
    const { loss, dtype } = this.#plan;
    const each = this.#gradOutput?.each;
    const operands = {
      count: elementCount(x.shape),
      x,
      target,
      logTarget: loss.logTarget || loss.logits !== undefined,
      lossDType: dtype,
      losses: this.#losses && part(this.#losses),
      divisor: this.#losses === undefined ? 1 : loss.batchSize,
      gradInput,
      gradTarget,
      gradOutput: each && part(each),
    };
    return klDivStep(this.#kernel, this.#scratch, operands, this.#state);
  }

  /** Divides the upstream gradient as the reduction divides the loss. Each division rounds as PyTorch stores it. */
  #divideGradOutput(): void {
    const { loss, dtype } = this.#plan;
    if (loss.reduction === "none") return;
    const reduced = this.#round(dtype, this.#state.gradOutputScalar / loss.batchSize);
    this.#state.gradOutputScalar =
      loss.reduction === "mean" ? this.#round(dtype, reduced / this.#count) : reduced;
  }

  /** Replaces logits by the log-probabilities of `logits / temperature`. */
  #logSoftmax(x: Tensor, axis: Axis, { temperature }: Logits): Step[] {
    return [...this.#divide(x, temperature), this.#fold("logSoftmax", x, axis, undefined)];
  }

  /** Replaces log-probabilities by the gradient with respect to their logits. */
  #logSoftmaxGrad(x: Tensor, grad: Tensor | undefined, axis: Axis, { temperature }: Logits): Step[] {
    return grad === undefined
      ? []
      : [this.#fold("logSoftmaxGrad", x, axis, grad), ...this.#divide(x, temperature)];
  }

  #fold(name: "logSoftmax" | "logSoftmaxGrad", x: Tensor, axis: Axis, target: Tensor | undefined): Step {
    return foldStep(this.#kernel, this.#scratch, name, {
      axis,
      wide: x.dtype === "float64",
      x,
      out: x,
      target,
    });
  }

  #divide(tensor: Tensor, temperature: number): Step[] {
    return temperature === 1
      ? []
      : [transformStep(this.#kernel, tensor, { softcap: undefined, temperature })];
  }

  get #count(): number {
    return elementCount(this.#plan.input.shape);
  }

  #round(dtype: FloatDType, value: number): number {
    return roundTo(this.#kernel, this.#scratch, dtype, value).value;
  }
}
