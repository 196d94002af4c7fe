/** The upstream gradient: what autograd asks of `grad_output` before a backward pass. */
import type { FloatDType } from "../tensor/dtype.ts";
import { DTYPES, isFloat } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { elementCount, sameShape } from "../tensor/tensor.ts";
import { LossRefusal, show } from "./refusal.ts";

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
    throw new LossRefusal(
      "dtype_not_supported",
      "input",
      `only Tensors of floating point dtype can require gradients; input is ${input.dtype}`,
    );
  }
  if (!wanted && gradOutput !== undefined) {
    throw new LossRefusal(
      "option_without_effect",
      "grad_output",
      "grad_output has no effect without return_grad",
    );
  }
}

/** After the forward pass's checks: `grad_output` must fit the output exactly, without broadcasting. */
export function checkGradOutput(gradOutput: Tensor | undefined, shape: readonly number[]): void {
  if (gradOutput === undefined) {
    if (elementCount(shape) === 1) return;
    throw new LossRefusal(
      "grad_output_required",
      "grad_output",
      `grad can be implicitly created only for scalar outputs: send grad_output with shape ${show(shape)}`,
    );
  }
  if (!sameShape(gradOutput.shape, shape)) {
    throw new LossRefusal(
      "shape_mismatch",
      "grad_output",
      `Mismatch in shape: grad_output[0] has a shape of torch.Size(${show(gradOutput.shape)}) and output[0] has a shape of torch.Size(${show(shape)}).`,
    );
  }
  if (!isFloat(gradOutput.dtype)) {
    throw new LossRefusal(
      "dtype_not_supported",
      "grad_output",
      `grad_output must have a floating point dtype, got ${DTYPES[gradOutput.dtype].torch}`,
    );
  }
}

/** The dtype in which an operation over several float dtypes gives its result, as `torch.promote_types`. */
export function promote(a: FloatDType, b: FloatDType): FloatDType {
  if (a === b) return a;
  if (a === "float64" || b === "float64") return "float64";
  return "float32";
}
