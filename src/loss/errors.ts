/** What the losses refuse, in PyTorch's words. Knows neither HTTP nor how a tensor was written. */

/** The kinds of refusal, named for what the caller has to change. */
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

/** The operand or option that is refused, by PyTorch's name. */
export type FieldName =
  | "input"
  | "target"
  | "dim"
  | "dtype"
  | "weight"
  | "ignore_index"
  | "reduction"
  | "label_smoothing"
  | "return_grad_target"
  | "grad_output";

/** Thrown by the losses where PyTorch raises a ValueError, IndexError or RuntimeError. */
export class LossError extends Error {
  override readonly name = "LossError";
  readonly code: LossErrorCode;
  readonly field: FieldName;
  /** Where one element is at fault: its row-major number in `field`. */
  readonly element: number | undefined;
  constructor(code: LossErrorCode, field: FieldName, message: string, element?: number) {
    super(message);
    this.code = code;
    this.field = field;
    this.element = element;
  }
}

/** A shape as PyTorch's messages print it: `[2, 3]`. */
export function show(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
