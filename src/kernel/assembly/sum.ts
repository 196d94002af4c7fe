// Sums over positions: a float64 and the accumulated rounding errors of its additions (Knuth's TwoSum, as in Ogita,
// Rump and Oishi's Sum2). The relative error is 2^-53 for up to 2^50 terms of one sign, and a sum passed on keeps all
// bits.

/** Returns the rounding error of adding `x` to `sum`. `total` is the rounded sum. A loop keeps both in registers. */
// @ts-ignore: decorator
@inline
export function lostBy(sum: f64, x: f64, total: f64): f64 {
  const added = total - sum;
  return (sum - (total - added)) + (x - added);
}

/** Does {@link lostBy} for two sums side by side. */
// @ts-ignore: decorator
@inline
export function lostByPair(sum: v128, x: v128, total: v128): v128 {
  const added = v128.sub<f64>(total, sum);
  return v128.add<f64>(v128.sub<f64>(sum, v128.sub<f64>(total, added)), v128.sub<f64>(x, added));
}

/** Rounding errors that {@link addWithRest} has collected, of two sums side by side. */
let rest: v128 = f64x2(0, 0);

/** Returns sum + x, rounded, for two sums side by side. The rounding errors wait for {@link takeRest}. */
// @ts-ignore: decorator
@inline
export function addWithRest(sum: v128, x: v128): v128 {
  const total = v128.add<f64>(sum, x);
  rest = v128.add<f64>(rest, lostByPair(sum, x, total));
  return total;
}

/** Sets the rounding errors that {@link addWithRest} adds to, which are 0 after {@link takeRest}. */
// @ts-ignore: decorator
@inline
export function startRest(errors: v128): void {
  rest = errors;
}

/** Returns the rounding errors since the last call with those of {@link startRest}, and 0 for K = float32, whose sums in float64 need none. */
// @ts-ignore: decorator
@inline
export function takeRest<K>(): v128 {
  const zero = f64x2.splat(0);
  if (sizeof<K>() == 4) return zero;
  const errors = rest;
  rest = zero;
  return errors;
}

/** Adds `x` to the 16-byte sum at `at`. */
// @ts-ignore: decorator
@inline
export function accumulate(at: usize, x: f64): void {
  const sum = load<f64>(at);
  const total = sum + x;
  store<f64>(at, total);
  store<f64>(at, load<f64>(at, 8) + lostBy(sum, x, total), 8);
}

/** Returns the sum at `at`. */
export function totalOf(at: usize): f64 {
  return withLost(load<f64>(at), load<f64>(at, 8));
}

/** Returns a sum with its rounding errors. Ignores those of an infinite sum because they are Infinity - Infinity = NaN. */
// @ts-ignore: decorator
@inline
export function withLost(sum: f64, lost: f64): f64 {
  return isFinite(sum) ? sum + lost : sum;
}
