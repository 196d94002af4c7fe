/** The element types of tensors: one row each, the only place where they are listed. */

/** What the rest of the house needs to know of an element type. */
export interface DTypeRow {
  /** The number by which the kernels know the type. */
  readonly code: number;
  /** Bytes an element. */
  readonly bytes: number;
  readonly float: boolean;
  /** PyTorch's name of the scalar type, as its error messages print it. */
  readonly torch: string;
}

export const DTYPES = {
  float64: { code: 0, bytes: 8, float: true, torch: "Double" },
  float32: { code: 1, bytes: 4, float: true, torch: "Float" },
  float16: { code: 2, bytes: 2, float: true, torch: "Half" },
  bfloat16: { code: 3, bytes: 2, float: true, torch: "BFloat16" },
  int64: { code: 4, bytes: 8, float: false, torch: "Long" },
  int32: { code: 5, bytes: 4, float: false, torch: "Int" },
  uint8: { code: 6, bytes: 1, float: false, torch: "Byte" },
} as const satisfies Record<string, DTypeRow>;

/** The name of an element type, as PyTorch spells it after `torch.`. */
export type DType = keyof typeof DTYPES;

/** The element types that logits, losses and gradients can have. */
export type FloatDType = "float64" | "float32" | "float16" | "bfloat16";

export function isFloat(dtype: DType): dtype is FloatDType {
  return DTYPES[dtype].float;
}
