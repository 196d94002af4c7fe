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

/** Loads per-class numbers of K for step `k`: one per lane of a row, one for all lanes of columns. */
// @ts-ignore: decorator
@inline
export function classVector<K, L>(array: usize, k: usize): v128 {
  return isRows<L>() ? v128.load(array + (k << 4)) : v128.load_splat<K>(array + k * sizeof<K>());
}

/** Loads the weights of step `k`, or 1. */
// @ts-ignore: decorator
@inline
export function weightVector<K, L>(weight: usize, k: usize, one: v128): v128 {
  return weight == 0 ? one : classVector<K, L>(weight, k);
}

const LANE_MASKS = memory.data<i32>([-1, -1, -1, -1, 0, 0, 0, 0], 16);

/**
 * Returns a mask of the lanes of step `k` that hold one of the `n` classes, because the filler of a row's last vector
 * must not be added.
 */
// @ts-ignore: decorator
@inline
export function present<K, L>(k: usize, n: usize): v128 {
  if (!isRows<L>()) return v128.load(LANE_MASKS);
  const left = n - k * lanes<K>();
  return v128.load(LANE_MASKS + (lanes<K>() - min(left, lanes<K>())) * sizeof<K>());
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
 * Returns whether a run of 16 vectors of float64 ends at step `k`. The caller moves its sum from `low` to `high`, which has
 * nothing else, by {@link addWithRest}, so that errors grow within a run only.
 */
// @ts-ignore: decorator
@inline
export function isRunEnd<K>(k: usize): bool {
  return sizeof<K>() == 8 && (k & 15) == 15;
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
