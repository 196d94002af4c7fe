/** Element types: whole tensors from one to another, in slices. */
import type { DType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Step } from "./step.ts";

/** What `assembly/convert.ts` exports. Addresses are bytes; dtypes are the codes of `tensor/dtype.ts`. */
export interface ConvertExports {
  /**
   * Writes `n` elements of any dtype in a float dtype, each rounded once, to nearest even. In place where elements do not
   * grow.
   */
  convert(from: number, fromDtype: number, to: number, toDtype: number, n: number): void;
  /**
   * Writes `n` doubles in an integer dtype, in place if wanted. Returns the index of the first that is no integer of its
   * range (int64: of ±2^53), or -1.
   */
  toIntegers(from: number, to: number, dtype: number, n: number): number;
}

/** Where elements lie and what they are. */
export interface Elements {
  readonly dtype: DType;
  readonly address: number;
}

/**
 * Writes the first `count` elements of `from` to `to`, each rounded once, to nearest even. `to` has a float dtype and may
 * lie where `from` lies if its elements are not larger.
 */
export function convertStep(
  { run }: { readonly run: ConvertExports },
  from: Elements,
  to: Elements,
  count: number,
): Step {
  const source = DTYPES[from.dtype];
  const result = DTYPES[to.dtype];
  let at = 0;
  return (budget) => {
    const n = Math.min(budget, count - at);
    run.convert(
      from.address + at * source.bytes,
      source.code,
      to.address + at * result.bytes,
      result.code,
      n,
    );
    at += n;
    return at >= count;
  };
}

/**
 * Writes the first `count` doubles at `from` to `to`, which has an integer dtype and may lie at the same address. Calls `refuse` with the
 * index of the first that is no integer of the dtype's range (int64: of ±2^53).
 */
export function convertToIntegersStep(
  { run }: { readonly run: ConvertExports },
  from: number,
  to: Elements,
  count: number,
  refuse: (element: number) => never,
): Step {
  const { code, bytes } = DTYPES[to.dtype];
  let at = 0;
  return (budget) => {
    const n = Math.min(budget, count - at);
    const bad = run.toIntegers(from + at * 8, to.address + at * bytes, code, n);
    if (bad >= 0) refuse(at + bad);
    at += n;
    return at >= count;
  };
}
