// Two numbers at a time of at most 32 characters and 19 digits, such as 0.12345678901234567, with an exponent or without.
//
// Such digits do not fit a double, so all is done in pairs of doubles, a number and what its rounding left (T. J. Dekker, "A floating-point technique
// for extending the available precision", 1971), where a fused multiply-add gives the rest of a product and of a quotient
// exactly: S + rest = the digits, T + t = the power of ten, q = S / T, and the correction c = (S - qT + rest - qt) / T.
// The value is q + c, and the error of c is below 2^-101 q: c is below 2^-51 q, each of the few roundings on its way costs
// 2^-53 of it or 2^-105 of q, and t is known to 2^-106 T. If q + (c + d) and q + (c - d), d = 2^-98 q, round to the same double, so does
// the value between them: that is proof. Otherwise (ties, about one text in 2^44) the scanner reads the number.
// 2^53 is also left to the scanner, which remembers whether it was rounded.
import { areDigits, digitsAt, dropPointLower, dropPointUpper, eights, points, upperDigitsAt } from "./digits";
import { exponentAt, lengthOf, valueOf } from "./exponents";
import { scaleAt, signAt } from "./short";

/** Numbers without an exponent: a type for the reader of pairs. */
export type Plain = u8;
/** Numbers that may have one. */
export type Scientific = u16;

/** 10^0 to 10^63, each and its negative as four doubles: T, 1 / T, t and nothing. */
const SCALES = memory.data(64 * 2 * 32, 64);
const MAX_SCALE: i32 = 63;
/** Powers up to this one are doubles; those up to twice as much are a pair exactly. */
const EXACT_SCALE: i32 = 22;

/** The largest of four groups of 8 digits each: 19 digits, as the sum of the first two products must be a double. */
const LIMITS = memory.data<i32>([0, 999, 99999999, 99999999], 16);

/** Whether `relaxed_madd` rounds once, as on every processor of the last ten years: otherwise there is no rest. */
export function isFused(): bool {
  if (!ASC_FEATURE_RELAXED_SIMD) return false;
  // (1 + 2^-30)^2 = 1 + 2^-29 + 2^-60
  const a = f64x2.splat(1.0000000009313226);
  return f64x2.extract_lane(f64x2.relaxed_madd(a, a, f64x2.neg(f64x2.mul(a, a))), 0) != 0;
}

/** Makes the table of powers; useless where {@link isFused} is false. */
export function fillLongScales(): void {
  if (!ASC_FEATURE_RELAXED_SIMD) return;
  for (let m = 0; m <= MAX_SCALE; m++) {
    let high: f64 = 1;
    let low: f64 = 0;
    // By 10^22 at most at a time: only the third product, from 10^45 on, is not exact as a pair.
    for (let left = m; left > 0; left -= EXACT_SCALE) {
      const power = load<f64>(scaleAt(min(left, EXACT_SCALE), 0));
      const product = high * power;
      const rest = extract(f64x2.relaxed_madd(f64x2.splat(high), f64x2.splat(power), f64x2.splat(-product))) + low * power;
      high = product + rest;
      low = rest - (high - product);
    }
    for (let sign: usize = 0; sign < 2; sign++) {
      const row = longScaleAt(m, sign);
      const factor: f64 = sign == 0 ? 1 : -1;
      store<f64>(row, factor * high);
      store<f64>(row, factor / high, 8);
      store<f64>(row, factor * low, 16);
    }
  }
}

// @ts-ignore: decorator
@inline
function extract(v: v128): f64 {
  return f64x2.extract_lane(v, 0);
}

// @ts-ignore: decorator
@inline
function longScaleAt(decimals: i32, negative: usize): usize {
  return SCALES + (usize(decimals) << 6) + (negative << 5);
}

/** Where a point is, as a lane of 32; 32 if there is none. */
// @ts-ignore: decorator
@inline
function pointInLong(upper: v128, lower: v128): usize {
  return usize(ctz(u64(points(upper)) | (u64(points(lower)) << 16) | (u64(1) << 32)));
}

/** Negative unless no digit before the point is missing, no 0 leads and there are at most 32 characters. */
// @ts-ignore: decorator
@inline
function badLongForm(first: usize, n: usize, point: usize): i32 {
  const more = i32(point + n) - 33;
  return ((i32(load<u8>(first)) << 6) - 3072 - more) | (32 - i32(n)) | more;
}

// @ts-ignore: decorator
@inline
function loadPair(a: usize, b: usize): v128 {
  return v128.load64_lane(b, v128.load64_zero(a), 1);
}

/** Reads two tokens that begin at `start` and end 16 bytes after `at`. Returns whether it could. */
// @ts-ignore: decorator
@inline
export function readLong<M>(start0: usize, at0: usize, start1: usize, at1: usize, to: usize): bool {
  const isScientific = sizeof<M>() == sizeof<Scientific>();
  const exponent0 = isScientific ? exponentAt(at0) : 0;
  const exponent1 = isScientific ? exponentAt(at1) : 0;
  at0 -= lengthOf(exponent0);
  at1 -= lengthOf(exponent1);
  const sign0 = signAt(start0);
  const sign1 = signAt(start1);
  const n0 = at0 + 16 - start0 - sign0;
  const n1 = at1 + 16 - start1 - sign1;
  const upper0 = upperDigitsAt(at0 - 16, n0);
  const lower0 = digitsAt(at0, n0);
  const upper1 = upperDigitsAt(at1 - 16, n1);
  const lower1 = digitsAt(at1, n1);
  const point0 = pointInLong(upper0, lower0);
  const point1 = pointInLong(upper1, lower1);
  const a = dropPointUpper(upper0, point0);
  const b = dropPointLower(upper0, lower0, point0);
  const c = dropPointUpper(upper1, point1);
  const d = dropPointLower(upper1, lower1, point1);
  if ((badLongForm(start0 + sign0, n0, point0) | badLongForm(start1 + sign1, n1, point1)) < 0) return false;
  if (!areDigits(i8x16.max_u(i8x16.max_u(a, b), i8x16.max_u(c, d)))) return false;
  // No point is in lane 32, but leaves as many decimals as in lane 31.
  const decimals0 = 31 - i32(point0 - (point0 >> 5)) + valueOf(exponent0);
  const decimals1 = 31 - i32(point1 - (point1 >> 5)) + valueOf(exponent1);
  const limit: u32 = isScientific ? MAX_SCALE : EXACT_SCALE;
  if (u32(decimals0) > limit || u32(decimals1) > limit) return false;
  const parts0 = eights(a, b);
  const parts1 = eights(c, d);
  if (v128.any_true(i32x4.gt_s(i32x4.max_s(parts0, parts1), v128.load(LIMITS)))) return false;
  return divide<M>(parts0, parts1, longScaleAt(decimals0, sign0), longScaleAt(decimals1, sign1), to);
}

/** Divides two numbers, each four groups of 8 digits, by the powers of ten at `scale0` and `scale1`. Returns whether the rounding is proved. */
// @ts-ignore: decorator
@inline
function divide<M>(parts0: v128, parts1: v128, scale0: usize, scale1: usize, to: usize): bool {
  const million = f64x2.splat(1e8);
  const third = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(parts0, parts1, 3, 7, 3, 7));
  const first = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(parts0, parts1, 1, 5, 1, 5));
  const second = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(parts0, parts1, 2, 6, 2, 6));
  const head = f64x2.relaxed_madd(first, million, second);
  const product = f64x2.mul(head, million);
  const productRest = f64x2.relaxed_madd(head, million, f64x2.neg(product));
  const sum = f64x2.add(product, third);
  let rest = f64x2.add(f64x2.sub(third, f64x2.sub(sum, product)), productRest);
  const scale = loadPair(scale0, scale1);
  const quotient = f64x2.div(sum, scale);
  if (sizeof<M>() == sizeof<Scientific>()) rest = f64x2.relaxed_nmadd(quotient, loadPair(scale0 + 16, scale1 + 16), rest);
  const remainder = f64x2.relaxed_nmadd(quotient, scale, sum);
  const correction = f64x2.mul(f64x2.add(remainder, rest), loadPair(scale0 + 8, scale1 + 8));
  const doubt = f64x2.mul(quotient, f64x2.splat(3.1554436208840472e-30)); // 2^-98
  const value = f64x2.add(quotient, f64x2.add(correction, doubt));
  const other = f64x2.add(quotient, f64x2.sub(correction, doubt));
  const sure = v128.andnot(f64x2.eq(value, other), f64x2.eq(f64x2.abs(value), f64x2.splat(9007199254740992)));
  v128.store(to, value);
  return i64x2.all_true(sure);
}
