// Record of the picked elements of some lines, with the progress of their computation. `src/kernel/picks.ts` writes it.
import { loadNumber, log2SizeOf } from "./formats";
import { codeOf } from "./types";

/** Size that the loader reserves. */
export const picksBytes: usize = 144;

/** Addresses are 0 for none. Element (o, k, i) of index, values and grad lies at (o * picks + k) * inner + i. */
@unmanaged
export class Picks {
  /** Raw value up to which an element is no pick. */
  limit: f64;
  /** Highest digits of the key of the k-th best entry, see `top-k-sort.ts`. */
  threshold: u64;
  /** Logits of all lines, whose dtype values have, too. */
  x: u32;
  dtype: u32;
  /** Whether the compute type K is float64. */
  wide: u32;
  classes: u32;
  inner: u32;
  /** Picks per line. */
  picks: u32;
  /** Position of the first sums, see {@link LineSums}. */
  first: u32;
  /** Position after the last. */
  end: u32;
  sums: u32;
  pitch: u32;
  index: u32;
  indexDtype: u32;
  values: u32;
  /** Upstream gradient of the values in any float dtype, and the gradient of the log-probabilities in K. */
  grad: u32;
  gradDtype: u32;
  base: u32;
  /** Counts of digits and entries of the top k, and the largest number of entries, 0 if they are kept in order. */
  entries: u32;
  capacity: u32;
  /** Maxima of blocks, see {@link LineSums}. */
  maxima: u32;
  // Fields from here on belong to the kernels. The loader writes zeros, and the first position.
  position: u32;
  /** Next pick of the position, or next class. */
  at: u32;
  /** Whether `limit` excludes classes. */
  bounded: u32;
  phase: u32;
  /** Entries, and whether they have been moved. */
  held: u32;
  moved: u32;
  /** Entries that a sweep has passed and kept. */
  swept: u32;
  kept: u32;
  /** Shift of the current digit. */
  shift: u32;
  /** Entries that a selection must find among those with the digits of `threshold`, otherwise 0. */
  missing: u32;
  /** Class index of the last entry at the threshold. */
  worst: u32;
}

/** Returns the element number of class or pick `k` of the current position, if a line has `n`. */
// @ts-ignore: decorator
@inline
export function elementAt(picks: Picks, k: usize, n: usize): usize {
  const inner = <usize>picks.inner;
  const position = <usize>picks.position;
  return inner == 1 ? position * n + k : ((position / inner) * n + k) * inner + (position % inner);
}

/** Returns the address of the current position's sums. */
// @ts-ignore: decorator
@inline
export function sumsAt<K>(picks: Picks): usize {
  return <usize>picks.sums + <usize>(picks.position - picks.first) * sizeof<K>();
}

/** Reads the logit of class `c` of the current position. */
// @ts-ignore: decorator
@inline
export function logitAt<K>(picks: Picks, c: usize): K {
  const element = elementAt(picks, c, picks.classes);
  if (picks.dtype == codeOf<K>()) return load<K>(<usize>picks.x + element * sizeof<K>());
  return <K>loadNumber(<usize>picks.x + (element << log2SizeOf(picks.dtype)), picks.dtype);
}
