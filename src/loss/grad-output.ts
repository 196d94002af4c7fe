/** Upstream gradient (`grad_output`) with autograd's checks. */
import type { LossKernel } from "../kernel/kernel.ts";
import type { Step } from "../kernel/step.ts";
import { once } from "../kernel/step.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import { isFloat } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount, sameShape } from "../tensor/tensor.ts";
import { floatFault, formatShape, LossError } from "./loss-error.ts";
import type { ComputeDType } from "./numbers.ts";
import { castStep, firstElement, planCast } from "./numbers.ts";
import type { Layout, Slot } from "./plan.ts";
import { atSlot } from "./plan.ts";
import type { Reduction } from "./reduction.ts";

/** Gradient options, named as in PyTorch. */
export interface GradOptions {
  /** Also returns the gradient with respect to the input. */
  readonly returnGrad?: boolean | undefined;
  /** Upstream gradient with exactly the output's shape and any float dtype. Default 1 for an output of one element. */
  readonly gradOutput?: Tensor | undefined;
}

/**
 * Checks the request before the forward pass. Rejects the gradient of integers, and a `grad_output` without `returnGrad` and without `others`,
 * gradients of other operands.
 */
export function checkGradRequest(
  input: Tensor,
  { returnGrad = false, gradOutput }: GradOptions,
  others = false,
): void {
  if (returnGrad && !isFloat(input.dtype)) {
    throw new LossError(
      "dtype_not_supported",
      "input",
      `only Tensors of floating point dtype can require gradients; input is ${input.dtype}`,
    );
  }
  if (!returnGrad && !others && gradOutput !== undefined) {
    throw new LossError(
      "option_without_effect",
      "grad_output",
      "grad_output has no effect without return_grad",
    );
  }
}

/** Rejects a `grad_output` whose shape differs from the output's, because autograd does not broadcast it. */
export function checkGradOutput(gradOutput: Tensor | undefined, shape: readonly number[]): void {
  const fault = gradOutputFault(gradOutput, shape);
  if (fault !== undefined) throw fault;
}

/** Returns the error of a `grad_output` that does not fit an output of this shape, or undefined. */
export function gradOutputFault(
  gradOutput: Tensor | undefined,
  shape: readonly number[],
): LossError | undefined {
  if (gradOutput === undefined) {
    if (elementCount(shape) === 1) return undefined;
    return new LossError(
      "grad_output_required",
      "grad_output",
      `grad can be implicitly created only for scalar outputs: send grad_output with shape ${formatShape(shape)}`,
    );
  }
  if (!sameShape(gradOutput.shape, shape)) {
    return new LossError(
      "shape_mismatch",
      "grad_output",
      `Mismatch in shape: grad_output[0] has a shape of torch.Size(${formatShape(gradOutput.shape)}) and output[0] has a shape of torch.Size(${formatShape(shape)}).`,
    );
  }
  return floatFault("grad_output", gradOutput);
}

/** Returns the result dtype of an operation on two float dtypes, as `torch.promote_types` does. */
export function promote(a: FloatDType, b: FloatDType): FloatDType {
  if (a === b) return a;
  if (a === "float64" || b === "float64") return "float64";
  return "float32";
}

/** Plan for the upstream gradient of a loss: one scalar for all positions, or one value each for reduction none. */
export interface GradOutputPlan {
  /** Caller's tensor. Undefined means 1. */
  readonly given: Tensor | undefined;
  readonly reduction: Reduction;
  /** Cast to the output's dtype, if necessary. */
  readonly stored: Slot<FloatDType> | undefined;
  /** Cast to the compute dtype, if necessary. Only for reduction none. */
  readonly each: Slot<ComputeDType> | undefined;
}

export function planGradOutput(
  layout: Layout,
  given: Tensor | undefined,
  dtype: FloatDType,
  reduction: Reduction,
): GradOutputPlan {
  const stored = planCast(layout, given, dtype);
  const rounded = given && { dtype, shape: given.shape };
  const each =
    reduction === "none" ? planCast(layout, rounded, dtype === "float64" ? dtype : "float32") : undefined;
  return { given, reduction, stored, each };
}

/** Upstream gradient of each position or of the sum. For the mean, it is already divided by the divisor. */
export class GradOutputReader {
  /** One value per position in the compute dtype. Undefined means one scalar for all. */
  readonly each: Tensor | undefined;
  readonly #plan: GradOutputPlan;
  readonly #kernel: LossKernel;
  readonly #scratch: number;
  readonly #stored: Tensor | undefined;

  constructor(plan: GradOutputPlan, kernel: LossKernel, block: number, scratch: number) {
    this.#plan = plan;
    this.#kernel = kernel;
    this.#scratch = scratch;
    this.#stored = plan.stored === undefined ? plan.given : atSlot(block, plan.stored);
    const isEach = plan.reduction === "none" && plan.given !== undefined;
    if (isEach) this.each = plan.each === undefined ? this.#stored : atSlot(block, plan.each);
  }

  /** Returns the casts, and the step that writes the scalar to `state`, for the mean divided by `divisor()`. */
  begin(state: { gradOutputScalar: number }, divisor: () => number): Step[] {
    const { given, reduction, stored, each } = this.#plan;
    const steps: Step[] = [];
    if (stored !== undefined) steps.push(castStep(this.#kernel, given!, this.#stored!));
    if (each !== undefined) steps.push(castStep(this.#kernel, this.#stored!, this.each!));
    const setScalar = (): void => {
      const one =
        this.#stored === undefined || this.each !== undefined
          ? 1
          : firstElement(this.#kernel, this.#scratch, this.#stored);
      state.gradOutputScalar = reduction === "mean" ? one / divisor() : one;
    };
    return [...steps, once(setScalar)];
  }
}
