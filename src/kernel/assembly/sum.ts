// Sums over positions: a float64 and the rounding errors of its additions, added up beside it (Knuth's TwoSum, as in Ogita, Rump and
// Oishi's Sum2). The relative error is 2^-53 for any number of terms of one sign up to 2^50, and a sum that is handed on keeps all bits.

/** Adds `x` to the sum at `at`: 16 bytes. */
// @ts-ignore: decorator
@inline
export function accumulate(at: usize, x: f64): void {
  const sum = load<f64>(at);
  const total = sum + x;
  const added = total - sum;
  store<f64>(at, total);
  store<f64>(at, load<f64>(at, 8) + ((sum - (total - added)) + (x - added)), 8);
}

/** The sum at `at`. The errors of an infinite one are Infinity - Infinity = NaN, and do not count. */
export function totalOf(at: usize): f64 {
  const sum = load<f64>(at);
  return isFinite(sum) ? sum + load<f64>(at, 8) : sum;
}
