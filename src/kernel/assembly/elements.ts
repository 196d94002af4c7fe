// Single elements of the operands of a fold.
import { loadNumber, roundNumber, log2SizeOf } from "./formats";
import { Fold } from "./struct";
import { codeOf, isRows } from "./types";

/** Returns the weight of class `y`, 1 without weights. */
// @ts-ignore: decorator
@inline
export function weightOf<K>(fold: Fold, y: usize): f64 {
  return fold.weight == 0 ? 1 : f64(load<K>(<usize>fold.weight + y * sizeof<K>()));
}

/** Reads the element of x for class `y` at a position, in K. */
export function elementOf<K, L>(fold: Fold, position: usize, y: usize): K {
  const inner: usize = isRows<L>() ? 1 : <usize>fold.inner;
  const at = ((position / inner) * fold.classes + y) * inner + (position % inner);
  if (fold.xDtype == codeOf<K>()) return load<K>(<usize>fold.x + at * sizeof<K>());
  return <K>loadNumber(<usize>fold.x + (at << log2SizeOf(fold.xDtype)), fold.xDtype);
}

/** Rounds to a float type as if stored. A number of K is already rounded to K. */
// @ts-ignore: decorator
@inline
export function rounded<K>(value: K, dtype: i32): K {
  return dtype == codeOf<K>() ? value : <K>roundNumber(f64(value), dtype);
}
