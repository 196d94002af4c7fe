/** Element types: whole tensors from one to another, in slices that leave the event loop free. */
import type { DType } from "../tensor/dtype.ts";
import { DTYPES } from "../tensor/dtype.ts";

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

/** Elements between two yields: under five milliseconds on a slow core, also between the types that go element by element. */
const SLICE = 1 << 18;

/**
 * Writes the first `count` elements of `from` to `to`, each rounded once, to nearest even. `to` has a float dtype and may
 * lie where `from` lies if its elements are not larger.
 */
export function* convertTensor(
  { run }: { readonly run: ConvertExports },
  from: Elements,
  to: Elements,
  count: number,
): Generator<void, void> {
  const source = DTYPES[from.dtype];
  const result = DTYPES[to.dtype];
  for (let at = 0; at < count; at += SLICE) {
    if (at > 0) yield;
    const n = Math.min(SLICE, count - at);
    run.convert(
      from.address + at * source.bytes,
      source.code,
      to.address + at * result.bytes,
      result.code,
      n,
    );
  }
}

/**
 * Writes the first `count` doubles at `from` to `to`, which has an integer dtype and may lie at the same address.
 * Returns the index of the first that is no integer of the dtype's range (int64: of ±2^53), or `undefined`.
 */
export function* convertToIntegers(
  { run }: { readonly run: ConvertExports },
  from: number,
  to: Elements,
  count: number,
): Generator<void, number | undefined> {
  const { code, bytes } = DTYPES[to.dtype];
  for (let at = 0; at < count; at += SLICE) {
    if (at > 0) yield;
    const bad = run.toIntegers(from + at * 8, to.address + at * bytes, code, Math.min(SLICE, count - at));
    if (bad >= 0) return at + bad;
  }
  return undefined;
}
