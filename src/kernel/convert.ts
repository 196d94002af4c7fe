/** Converts whole tensors between element types, in slices. */
import { DTYPES } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Step } from "./step.ts";
import { sliced } from "./step.ts";

/** Exports of `assembly/convert.ts`. Addresses are in bytes, dtypes are the codes of `tensor/dtype.ts`. */
export interface ConvertExports {
  /**
   * Converts `n` elements of any dtype to a float dtype, each rounded once to nearest even. Works in place if elements
   * do not grow.
   */
  convert(from: number, fromDtype: number, to: number, toDtype: number, n: number): void;
  /**
   * Converts `n` doubles to an integer dtype, also in place. Returns the index of the first that is not an integer in
   * range (±2^53 for int64), or -1.
   */
  toIntegers(from: number, to: number, dtype: number, n: number): number;
}

/** Dtype and address of elements. */
type Elements = Pick<Tensor, "dtype" | "address">;

/**
 * Converts the first `count` elements of `from` to the float dtype of `to`, each rounded once to nearest even. Works in
 * place if elements do not grow.
 */
export function convertStep(
  { exports }: { readonly exports: Pick<ConvertExports, "convert"> },
  from: Elements,
  to: Elements,
  count: number,
): Step {
  const source = DTYPES[from.dtype];
  const result = DTYPES[to.dtype];
  return sliced(count, (at, n) =>
    exports.convert(
      from.address + at * source.bytes,
      source.code,
      to.address + at * result.bytes,
      result.code,
      n,
    ),
  );
}

/**
 * Converts the first `count` doubles at `from` to the integer dtype of `to`, also in place. Calls `reject` with the
 * index of the first that is not an integer in range (±2^53 for int64).
 */
export function convertToIntegersStep(
  { exports }: { readonly exports: ConvertExports },
  from: number,
  to: Elements,
  count: number,
  reject: (element: number) => never,
): Step {
  const { code, bytes } = DTYPES[to.dtype];
  return sliced(count, (at, n) => {
    const bad = exports.toIntegers(from + at * 8, to.address + at * bytes, code, n);
    if (bad >= 0) reject(at + bad);
  });
}
