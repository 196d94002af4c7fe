/** Table of element types. */

/** Properties of an element type. */
export interface DTypeRow {
  /** Code of the type in the kernels. */
  readonly code: number;
  /** Bytes per element. */
  readonly bytes: number;
  readonly float: boolean;
  /** PyTorch's name of the scalar type in error messages. */
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

/** Name of an element type, as in `torch.float32`. */
export type DType = keyof typeof DTYPES;

/** Element types of logits, losses and gradients. */
export type FloatDType = "float64" | "float32" | "float16" | "bfloat16";

export function isFloat(dtype: DType): dtype is FloatDType {
  return DTYPES[dtype].float;
}
