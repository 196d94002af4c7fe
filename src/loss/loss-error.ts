/** Errors of the losses, in PyTorch's words. Knows neither HTTP nor the format of a tensor. */
import type { DType } from "../tensor/dtype.ts";
import { DTYPES, isFloat } from "../tensor/dtype.ts";

/** Error codes, named for the argument to change. */
export type LossErrorCode =
  | "invalid_reduction"
  | "dim_out_of_range"
  | "option_out_of_range"
  | "option_without_effect"
  | "option_not_applicable"
  | "dtype_not_supported"
  | "dtype_mismatch"
  | "shape_mismatch"
  | "target_out_of_bounds"
  | "grad_output_required";

/** Rejected operand or option, by PyTorch's name. */
export type FieldName =
  | "input"
  | "target"
  | "dim"
  | "log_target"
  | "dtype"
  | "shift"
  | "temperature"
  | "softcap"
  | "sample_weight"
  | "lse_square_scale"
  | "return_z_loss"
  | "return_correct"
  | "target_weight"
  | "return_grad_target_weight"
  | "weight"
  | "ignore_index"
  | "reduction"
  | "label_smoothing"
  | "return_grad_target"
  | "grad_output"
  | "index"
  | "top_k"
  | "grad_lse"
  | "grad_entropy";

/** Thrown when PyTorch raises a ValueError, IndexError or RuntimeError. */
export class LossError extends Error {
  override readonly name = "LossError";
  readonly code: LossErrorCode;
  readonly field: FieldName;
  /** Row-major index of the rejected element in `field`, if there is one. */
  readonly element: number | undefined;
  constructor(code: LossErrorCode, field: FieldName, message: string, element?: number) {
    super(message);
    this.code = code;
    this.field = field;
    this.element = element;
  }
}

/** Returns the error of an operand that must have a float dtype and has another one, or undefined. */
export function floatFault(field: FieldName, { dtype }: { readonly dtype: DType }): LossError | undefined {
  if (isFloat(dtype)) return undefined;
  return new LossError(
    "dtype_not_supported",
    field,
    `${field} must have a floating point dtype, got ${DTYPES[dtype].torch}`,
  );
}

/** Formats a shape as PyTorch does: `[2, 3]`. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
