// Blocks of elements as vectors, for rows and columns. K is the compute type, L the layout.
//
// A block is `groups` vectors of positions wide (1 for rows) and `steps` vectors of classes deep.
import { padded } from "./state";
import { Fold } from "./struct";
import { lostBy, lostByPair } from "./sum";
import { isRows, lanes } from "./types";

/** Returns the vectors of positions in a block. */
// @ts-ignore: decorator
@inline
export function groupsOf<K, L>(fold: Fold): usize {
  return isRows<L>() ? 1 : padded(fold) / lanes<K>();
}

/** Returns the consecutive vectors that hold `n` classes. */
// @ts-ignore: decorator
@inline
export function stepsOf<K, L>(n: usize): usize {
  return isRows<L>() ? (n + (lanes<K>() - 1)) / lanes<K>() : n;
}

/** Returns the bytes from one step to the next. */
// @ts-ignore: decorator
@inline
export function strideOf<K, L>(fold: Fold): usize {
  return isRows<L>() ? 16 : padded(fold) * sizeof<K>();
}

/** Loads per-position numbers of K for vector `g`: one for all lanes of a row, one per lane of columns. */
// @ts-ignore: decorator
@inline
export function positionVector<K, L>(array: usize, g: usize): v128 {
  return isRows<L>() ? v128.load_splat<K>(array) : v128.load(array + (g << 4));
}

// Columns are processed class by class, so that each run of memory is written at once. The classes of one position would
// compete for the same few cache sets.

/** Returns the bytes of the contiguous steps of a block: all of a row, one of columns. */
// @ts-ignore: decorator
@inline
export function runOf<K, L>(fold: Fold, n: usize): usize {
  return isRows<L>() ? stepsOf<K, L>(n) << 4 : strideOf<K, L>(fold);
}

/** Returns the number of `array` for the positions at `at`, or `fixed` for a row. */
// @ts-ignore: decorator
@inline
export function own<L>(fixed: v128, array: usize, at: usize): v128 {
  return isRows<L>() ? fixed : v128.load(array + at);
}

/** Does {@link own} for the next vector. */
// @ts-ignore: decorator
@inline
export function nextOwn<L>(fixed: v128, array: usize, at: usize): v128 {
  return isRows<L>() ? fixed : v128.load(array + at, 16);
}

/** Converts the first two lanes of K to float64. */
// @ts-ignore: decorator
@inline
export function lower<K>(v: v128): v128 {
  return sizeof<K>() == 4 ? f64x2.promote_low_f32x4(v) : v;
}

/** Converts the other two lanes of float32 to float64. Returns 0 for K = float64. */
// @ts-ignore: decorator
@inline
export function upper<K>(v: v128): v128 {
  return sizeof<K>() == 4 ? f64x2.promote_low_f32x4(i32x4.shuffle(v, v, 2, 3, 0, 1)) : f64x2.splat(0);
}

/**
 * Adds two vectors of float64 sums to the sums of vector `g`. For K = float64, adds `rest` and all rounding errors to
 * `rests`, because those of 4 * 10^6 classes were up to 500 ulp.
 */
// @ts-ignore: decorator
@inline
export function addTo<K, L>(array: usize, rests: usize, g: usize, low: v128, high: v128, rest: v128): void {
  if (sizeof<K>() == 8) return addToExactly<L>(array, rests, g, low, high, rest);
  if (isRows<L>()) {
    const both = v128.add<f64>(low, high);
    const sum = v128.extract_lane<f64>(both, 0) + v128.extract_lane<f64>(both, 1);
    store<f64>(array, load<f64>(array) + sum);
  } else {
    const at = array + (g << 5);
    v128.store(at, v128.add<f64>(v128.load(at), low));
    v128.store(at, v128.add<f64>(v128.load(at, 16), high), 16);
  }
}

function addToExactly<L>(array: usize, rests: usize, g: usize, low: v128, high: v128, rest: v128): void {
  const x = v128.add<f64>(high, low);
  const lost = v128.add<f64>(rest, lostByPair(high, low, x));
  if (isRows<L>()) {
    addLane(array, rests, v128.extract_lane<f64>(x, 0), v128.extract_lane<f64>(lost, 0));
    addLane(array, rests, v128.extract_lane<f64>(x, 1), v128.extract_lane<f64>(lost, 1));
  } else {
    const at = array + (g << 4), restAt = rests + (g << 4);
    const sum = v128.load(at);
    const total = v128.add<f64>(sum, x);
    v128.store(at, total);
    v128.store(restAt, v128.add<f64>(v128.load(restAt), v128.add<f64>(lost, lostByPair(sum, x, total))));
  }
}

function addLane(at: usize, restAt: usize, x: f64, lost: f64): void {
  const sum = load<f64>(at);
  const total = sum + x;
  store<f64>(at, total);
  store<f64>(restAt, load<f64>(restAt) + (lost + lostBy(sum, x, total)));
}

/** Broadcasts the largest lane. No lane is NaN. */
// @ts-ignore: decorator
@inline
export function largestLane<K>(v: v128): v128 {
  const halves = v128.pmax<K>(v, i64x2.shuffle(v, v, 1, 0));
  return sizeof<K>() == 4 ? v128.pmax<K>(halves, i32x4.shuffle(halves, halves, 1, 0, 3, 2)) : halves;
}
