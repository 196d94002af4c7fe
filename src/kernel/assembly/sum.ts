// Sums over positions: a float64 and the rounding errors of its additions, added up beside it (Knuth's TwoSum, as in Ogita, Rump and
// Oishi's Sum2). The relative error is 2^-53 for any number of terms of one sign up to 2^50, and a sum that is handed on keeps all bits.

/** What adding `x` to `sum` gave less than it should: `total` is sum + x, rounded. A loop keeps both in registers. */
// @ts-ignore: decorator
@inline
export function lostBy(sum: f64, x: f64, total: f64): f64 {
  const added = total - sum;
  return (sum - (total - added)) + (x - added);
}

/** Adds `x` to the sum at `at`: 16 bytes. */
// @ts-ignore: decorator
@inline
export function accumulate(at: usize, x: f64): void {
  const sum = load<f64>(at);
  const total = sum + x;
  store<f64>(at, total);
  store<f64>(at, load<f64>(at, 8) + lostBy(sum, x, total), 8);
}

/** The sum at `at`. The errors of an infinite one are Infinity - Infinity = NaN, and do not count. */
export function totalOf(at: usize): f64 {
  const sum = load<f64>(at);
  return isFinite(sum) ? sum + load<f64>(at, 8) : sum;
}
