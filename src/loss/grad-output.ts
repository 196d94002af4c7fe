/** The upstream gradient: what autograd asks of `grad_output` before a backward pass. */
import type { Kernel } from "../kernel/kernel.ts";
import type { Step } from "../kernel/step.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import { DTYPES, isFloat } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount, sameShape } from "../tensor/tensor.ts";
import { LossError, show } from "./errors.ts";
import type { ComputeDType } from "./numbers.ts";
import { castStep, firstElement, planCast } from "./numbers.ts";
import type { Layout, Slot } from "./plan.ts";
import { atSlot } from "./plan.ts";
import type { Reduction } from "./reduction.ts";

/** The upstream gradient as the caller gave it, with the name of the output that it belongs to. */
export interface GradOptions {
  /** Also return the gradient with respect to the input. */
  readonly returnGrad?: boolean | undefined;
  /** The upstream gradient: exactly the output's shape, any float dtype. Default 1 where the output has one element. */
  readonly gradOutput?: Tensor | undefined;
}

/** Before the forward pass: integers have no gradient, and a `grad_output` that nothing would use is refused. */
export function checkGradRequest(input: Tensor, wanted: boolean, gradOutput: Tensor | undefined): void {
  if (wanted && !isFloat(input.dtype)) {
    throw new LossError(
      "dtype_not_supported",
      "input",
      `only Tensors of floating point dtype can require gradients; input is ${input.dtype}`,
    );
  }
  if (!wanted && gradOutput !== undefined) {
    throw new LossError(
      "option_without_effect",
      "grad_output",
      "grad_output has no effect without return_grad",
    );
  }
}

/** Refuses a `grad_output` that does not fit the output exactly; there is no broadcasting. */
export function checkGradOutput(gradOutput: Tensor | undefined, shape: readonly number[]): void {
  const fault = gradOutputFault(gradOutput, shape);
  if (fault !== undefined) throw fault;
}

/** The refusal of a `grad_output` that does not fit an output of this shape; undefined: it fits. */
export function gradOutputFault(
  gradOutput: Tensor | undefined,
  shape: readonly number[],
): LossError | undefined {
  if (gradOutput === undefined) {
    if (elementCount(shape) === 1) return undefined;
    return new LossError(
      "grad_output_required",
      "grad_output",
      `grad can be implicitly created only for scalar outputs: send grad_output with shape ${show(shape)}`,
    );
  }
  if (!sameShape(gradOutput.shape, shape)) {
    return new LossError(
      "shape_mismatch",
      "grad_output",
      `Mismatch in shape: grad_output[0] has a shape of torch.Size(${show(gradOutput.shape)}) and output[0] has a shape of torch.Size(${show(shape)}).`,
    );
  }
  if (isFloat(gradOutput.dtype)) return undefined;
  return new LossError(
    "dtype_not_supported",
    "grad_output",
    `grad_output must have a floating point dtype, got ${DTYPES[gradOutput.dtype].torch}`,
  );
}

/** The dtype in which an operation over several float dtypes gives its result, as `torch.promote_types`. */
export function promote(a: FloatDType, b: FloatDType): FloatDType {
  if (a === b) return a;
  if (a === "float64" || b === "float64") return "float64";
  return "float32";
}

/** The upstream gradient of a loss, planned: one number for all positions, or one for each (reduction none). */
export interface UpstreamPlan {
  /** As the caller gave it; undefined: 1. */
  readonly given: Tensor | undefined;
  readonly reduction: Reduction;
  /** Rounded to the output's dtype; undefined where it has it already. */
  readonly stored: Slot<FloatDType> | undefined;
  /** In the compute type; undefined where it has it already, and for one number. */
  readonly each: Slot<ComputeDType> | undefined;
}

export function planUpstream(
  layout: Layout,
  given: Tensor | undefined,
  dtype: FloatDType,
  reduction: Reduction,
): UpstreamPlan {
  const stored = planCast(layout, given, dtype);
  const rounded = given && { dtype, shape: given.shape };
  const each =
    reduction === "none" ? planCast(layout, rounded, dtype === "float64" ? dtype : "float32") : undefined;
  return { given, reduction, stored, each };
}

/** The upstream gradient of each position, or of the sum, for the mean already divided by its divisor. */
export class Upstream {
  /** One number for each position, in the compute type; undefined: `scalar` for all. */
  readonly each: Tensor | undefined;
  /** Known after `begin`. */
  scalar = 0;
  readonly #plan: UpstreamPlan;
  readonly #kernel: Kernel;
  readonly #scratch: number;
  readonly #stored: Tensor | undefined;

  constructor(plan: UpstreamPlan, kernel: Kernel, block: number, scratch: number) {
    this.#plan = plan;
    this.#kernel = kernel;
    this.#scratch = scratch;
    this.#stored = plan.stored === undefined ? plan.given : atSlot(block, plan.stored);
    const isEach = plan.reduction === "none" && plan.given !== undefined;
    if (isEach) this.each = plan.each === undefined ? this.#stored : atSlot(block, plan.each);
  }

  /** The casts, then for one number its division by `divisor()`. */
  begin(divisor: () => number): Step[] {
    const { given, reduction, stored, each } = this.#plan;
    const steps: Step[] = [];
    if (stored !== undefined) steps.push(castStep(this.#kernel, given!, this.#stored!));
    if (each !== undefined) steps.push(castStep(this.#kernel, this.#stored!, this.each!));
    steps.push(() => {
      const one =
        this.#stored === undefined || this.each !== undefined
          ? 1
          : firstElement(this.#kernel, this.#scratch, this.#stored);
      this.scalar = reduction === "mean" ? one / divisor() : one;
      return true;
    });
    return steps;
  }
}
