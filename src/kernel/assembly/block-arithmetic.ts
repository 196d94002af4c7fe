// Operations of PyTorch on blocks of at most 512 elements in K. With a dtype, they round to it, as PyTorch stores the result.
import { demotePair, roundBlock } from "./convert";
import { exp, expConstant, log, unscale } from "./exp";
import { lower, upper } from "./vectors";

/** Largest block in elements. All blocks of float32 of kl-div.ts fit the first-level cache together. */
export const BLOCK: usize = 512;
const ROUND = memory.data(4096, 16); // BLOCK * 8

/** Rounds a block in place as if stored. */
export function round<K>(at: usize, dtype: i32, n: usize): void {
  roundBlock<K>(at, dtype, n, ROUND);
}

/** Copies a block. */
export function copy<K>(from: usize, to: usize, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) v128.store(to + at, v128.load(from + at));
}

/** Computes to = a * b, rounded to the dtype. `to` may be either. */
export function multiply<K>(a: usize, b: usize, to: usize, dtype: i32, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    v128.store(to + at, v128.mul<K>(v128.load(a + at), v128.load(b + at)));
  }
  round<K>(to, dtype, n);
}

/** Computes to = a - b, rounded to the dtype. `to` may be either. */
export function subtract<K>(a: usize, b: usize, to: usize, dtype: i32, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    v128.store(to + at, v128.sub<K>(v128.load(a + at), v128.load(b + at)));
  }
  round<K>(to, dtype, n);
}

/** Computes to = a + b, rounded to the dtype. `to` may be either. */
export function add<K>(a: usize, b: usize, to: usize, dtype: i32, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    v128.store(to + at, v128.add<K>(v128.load(a + at), v128.load(b + at)));
  }
  round<K>(to, dtype, n);
}

/** Computes to = a / b, rounded to the dtype. `to` may be either. */
export function divide<K>(a: usize, b: usize, to: usize, dtype: i32, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    v128.store(to + at, v128.div<K>(v128.load(a + at), v128.load(b + at)));
  }
  round<K>(to, dtype, n);
}

/** Negates a block in place. */
export function negate<K>(block: usize, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) v128.store(block + at, v128.neg<K>(v128.load(block + at)));
}

/** Divides a block in place by one number, rounded to the dtype. */
export function divideBy<K>(block: usize, divisor: K, dtype: i32, n: usize): void {
  const by = v128.splat<K>(divisor);
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) v128.store(block + at, v128.div<K>(v128.load(block + at), by));
  round<K>(block, dtype, n);
}

/** Computes to = a * log(t) from log(t) in `logs`, and 0 where t or `a` is 0. NaN in t gives NaN. */
export function timesLog<K>(a: usize, t: usize, logs: usize, to: usize, n: usize): void {
  const zero = v128.splat<K>(0);
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    const x = v128.load(t + at);
    const factor = v128.load(a + at);
    const isZero = v128.or(v128.eq<K>(x, zero), v128.and(v128.eq<K>(factor, zero), v128.eq<K>(x, x)));
    v128.store(to + at, v128.andnot(v128.mul<K>(factor, v128.load(logs + at)), isZero));
  }
}

/** Computes to = log(from) in K. The result for 0 is NaN, which {@link timesLog} replaces. */
export function logBlock<K>(from: usize, to: usize, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    const t = v128.load(from + at);
    if (sizeof<K>() == 8) v128.store(to + at, logOf(t));
    else v128.store(to + at, demotePair(logOf(lower<K>(t)), logOf(upper<K>(t))));
  }
}

/** Computes to = exp(from) in K. */
export function expBlock<K>(from: usize, to: usize, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    const t = v128.load(from + at);
    if (sizeof<K>() == 8) v128.store(to + at, expOf(t));
    else v128.store(to + at, demotePair(expOf(lower<K>(t)), expOf(upper<K>(t))));
  }
}

/** Smallest normal float64. */
const MIN_NORMAL: f64 = 2.2250738585072014e-308;

// Rare numbers take a slower way lane by lane, so that the bits of a number do not depend on its neighbor.

/** Computes log(t) of two float64. 0 gives NaN. */
// @ts-ignore: decorator
@inline
function logOf(t: v128): v128 {
  const rare = v128.or(
    v128.gt<f64>(t, f64x2.splat(f64.MAX_VALUE)),
    v128.and(v128.gt<f64>(t, f64x2.splat(0)), v128.lt<f64>(t, f64x2.splat(MIN_NORMAL))),
  );
  const logs = log(t);
  return v128.any_true(rare) ? replaceLogs(t, logs, rare) : logs;
}

/** Replaces the logarithms of subnormal and infinite numbers. */
function replaceLogs(t: v128, logs: v128, rare: v128): v128 {
  if (v128.extract_lane<i64>(rare, 0)) {
    logs = v128.replace_lane<f64>(logs, 0, NativeMath.log(v128.extract_lane<f64>(t, 0)));
  }
  if (!v128.extract_lane<i64>(rare, 1)) return logs;
  return v128.replace_lane<f64>(logs, 1, NativeMath.log(v128.extract_lane<f64>(t, 1)));
}

/** Argument from which {@link exp} of float64 exceeds its scaled range, far beyond the range of float32. */
const MAX_SCALED: f64 = 600;

/** Computes exp(t) of two float64. */
// @ts-ignore: decorator
@inline
function expOf(t: v128): v128 {
  const rare = v128.gt<f64>(t, f64x2.splat(MAX_SCALED));
  const e = exp<f64>(
    t, expConstant<f64>(0), expConstant<f64>(1), expConstant<f64>(2), expConstant<f64>(3), expConstant<f64>(4),
    expConstant<f64>(5), expConstant<f64>(6), expConstant<f64>(7), expConstant<f64>(8), expConstant<f64>(9),
  );
  const powers = v128.mul<f64>(e, f64x2.splat(unscale<f64>()));
  return v128.any_true(rare) ? replacePowers(t, powers, rare) : powers;
}

/** Replaces the exponentials of large numbers. */
function replacePowers(t: v128, powers: v128, rare: v128): v128 {
  if (v128.extract_lane<i64>(rare, 0)) {
    powers = v128.replace_lane<f64>(powers, 0, NativeMath.exp(v128.extract_lane<f64>(t, 0)));
  }
  if (!v128.extract_lane<i64>(rare, 1)) return powers;
  return v128.replace_lane<f64>(powers, 1, NativeMath.exp(v128.extract_lane<f64>(t, 1)));
}
