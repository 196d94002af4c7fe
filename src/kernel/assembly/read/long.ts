// Two numbers at a time of at most 32 characters and 19 digits, such as 0.12345678901234567, with an exponent or without.
//
// Such digits do not fit a double, so all is done in pairs of doubles, a number and what its rounding left (T. J. Dekker, "A floating-point technique
// for extending the available precision", 1971), where a fused multiply-add gives the rest of a product and of a quotient
// exactly: S + rest = the digits, T + t = the power of ten, q = S / T, and the correction c = (S - qT + rest - qt) / T.
// The value is q + c, and the error of c is below 2^-101 q: c is below 2^-51 q, each of the few roundings on its way costs
// 2^-53 of it or 2^-105 of q, and t is known to 2^-106 T. If q + (c + d) and q + (c - d), d = 2^-98 q, round to the same double, so does
// the value between them: that is proof. Otherwise (ties, about one text in 2^44) the scanner reads the number.
// 2^53 is also left to the scanner, which remembers whether it was rounded.
import { areDigits, digitsAt, EIGHT_DIGITS, HUNDRED_ONE, MYRIAD_ONE, NINES, POINTS, TEN_ONE, ZEROS, dropPointLower, dropPointUpper, eights, points, upperDigitsAt } from "./digits";
import { exponentAt, lengthOf, valueOf } from "./exponents";
import { scaleAt, signAt } from "./short";

/** Numbers without an exponent: a type for the reader of pairs. */
export type Plain = u8;
/** Numbers that may have one. */
export type Scientific = u16;

/** Bytes of a row of the stage: the digits of two numbers and where their powers of ten stand; and how many rows there are. */
export const STAGE_ROW: usize = 48;
export const STAGE_PAIRS: usize = 64;
export const STAGE = memory.data(48 * 64, 16);

/** 2^-98. */
const DOUBT: f64 = 3.1554436208840472e-30;

/** 10^0 to 10^63, each and its negative as four doubles: T, 1 / T, t and the doubt, which is 0 for 10^0: nothing is divided. */
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
      store<f64>(row, m == 0 ? 0 : DOUBT, 24);
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
  return usize(ctz(points(upper, v128.load(POINTS)) | (points(lower, v128.load(POINTS)) << 16)));
}

/** Negative unless no digit before the point is missing, no 0 leads and there are at most 32 characters. */
// @ts-ignore: decorator
@inline
function badLongForm(first: usize, excess: i32, point: usize): i32 {
  const more = i32(point) + excess - 17;
  return ((i32(load<u8>(first)) - 49) & (0 - more)) | (16 - excess) | more;
}

// @ts-ignore: decorator
@inline
function loadPair(a: usize, b: usize): v128 {
  return v128.load64_lane(b, v128.load64_zero(a), 1);
}

/** Takes the digits of two tokens that begin at `start` and end 16 bytes after `at` apart, into the row of the stage at `to`. Returns whether it could. */
// @ts-ignore: decorator
@inline
export function stageLong<M>(start0: usize, at0: usize, start1: usize, at1: usize, to: usize): bool {
  const isScientific = sizeof<M>() == sizeof<Scientific>();
  const exponent0 = isScientific ? exponentAt(at0) : 0;
  const exponent1 = isScientific ? exponentAt(at1) : 0;
  at0 -= lengthOf(exponent0);
  at1 -= lengthOf(exponent1);
  const sign0 = signAt(start0);
  const sign1 = signAt(start1);
  const excess0 = i32(at0 - start0 - sign0);
  const excess1 = i32(at1 - start1 - sign1);
  const upper0 = upperDigitsAt(at0 - 16, excess0, v128.load(ZEROS));
  const lower0 = digitsAt(at0, excess0, v128.load(ZEROS));
  const upper1 = upperDigitsAt(at1 - 16, excess1, v128.load(ZEROS));
  const lower1 = digitsAt(at1, excess1, v128.load(ZEROS));
  const point0 = pointInLong(upper0, lower0);
  const point1 = pointInLong(upper1, lower1);
  const a = dropPointUpper(upper0, point0);
  const b = dropPointLower(upper0, lower0, point0);
  const c = dropPointUpper(upper1, point1);
  const d = dropPointLower(upper1, lower1, point1);
  if ((badLongForm(start0 + sign0, excess0, point0) | badLongForm(start1 + sign1, excess1, point1)) < 0) return false;
  if (!areDigits(i8x16.max_u(i8x16.max_u(a, b), i8x16.max_u(c, d)), v128.load(NINES))) return false;
  // No point is in lane 32, but leaves as many decimals as in lane 31.
  const decimals0 = 31 - i32(point0 - (point0 >> 5)) + valueOf(exponent0);
  const decimals1 = 31 - i32(point1 - (point1 >> 5)) + valueOf(exponent1);
  const limit: u32 = isScientific ? MAX_SCALE : EXACT_SCALE;
  if (u32(decimals0) > limit || u32(decimals1) > limit) return false;
  const parts0 = eights(a, b, v128.load(TEN_ONE), v128.load(HUNDRED_ONE), v128.load(MYRIAD_ONE));
  const parts1 = eights(c, d, v128.load(TEN_ONE), v128.load(HUNDRED_ONE), v128.load(MYRIAD_ONE));
  if (v128.any_true(i32x4.gt_s(i32x4.max_s(parts0, parts1), v128.load(LIMITS)))) return false;
  v128.store(to, parts0);
  v128.store(to, parts1, 16);
  store<usize>(to, longScaleAt(decimals0, sign0), 32);
  store<usize>(to, longScaleAt(decimals1, sign1), 36);
  return true;
}

/** Divides the numbers of `pairs` rows of the stage, and writes them to `to`. Returns how many rows it did: of the next, the rounding is not proved. */
export function divideStage<M>(pairs: usize, to: usize): usize {
  const million = v128.load(EIGHT_DIGITS);
  const exact = f64x2.splat(9007199254740992);
  for (let done: usize = 0; done < pairs; done++, to += 16) {
    const row = STAGE + done * STAGE_ROW;
    const parts0 = v128.load(row);
    const parts1 = v128.load(row, 16);
    const scale0 = load<usize>(row, 32);
    const scale1 = load<usize>(row, 36);
    const high = v128.shuffle<i32>(parts0, parts1, 0, 4, 1, 5);
    const low = v128.shuffle<i32>(parts0, parts1, 2, 6, 3, 7);
    const first = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(high, high, 2, 3, 2, 3));
    const second = f64x2.convert_low_i32x4_s(low);
    const third = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(low, low, 2, 3, 2, 3));
    const head = f64x2.relaxed_madd(first, million, second);
    const product = f64x2.mul(head, million);
    const sum = f64x2.add(product, third);
    // third - (sum - product) + (head * million - product): what the sum and the product lost
    let rest = f64x2.add(f64x2.sub(third, f64x2.sub(sum, product)), f64x2.relaxed_madd(head, million, f64x2.neg(product)));
    const scale = loadPair(scale0, scale1);
    const quotient = f64x2.div(sum, scale);
    if (sizeof<M>() == sizeof<Scientific>()) rest = f64x2.relaxed_nmadd(quotient, loadPair(scale0 + 16, scale1 + 16), rest);
    const remainder = f64x2.relaxed_nmadd(quotient, scale, sum);
    const correction = f64x2.mul(f64x2.add(remainder, rest), loadPair(scale0 + 8, scale1 + 8));
    const doubt = f64x2.mul(quotient, loadPair(scale0 + 24, scale1 + 24));
    const value = f64x2.add(quotient, f64x2.add(correction, doubt));
    const other = f64x2.add(quotient, f64x2.sub(correction, doubt));
    v128.store(to, value);
    if (i64x2.bitmask(v128.andnot(f64x2.eq(value, other), f64x2.eq(f64x2.abs(value), exact))) != 3) return done;
  }
  return pairs;
}
