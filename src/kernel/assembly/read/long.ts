// Reads two numbers of at most 32 characters and 19 digits, such as 0.12345678901234567, with or without an exponent.
//
// A double cannot hold such digits, so every quantity is a pair of doubles, a number and its rounding error (T. J.
// Dekker, "A floating-point technique for extending the available precision", 1971). A fused multiply-add computes the
// error of a product or quotient. With S + s the digits, T + t the power of ten and q = S / T, rounded, the value is q
// + c with c = (S - qT + s - qt) / T. c is below 2^-51 q and known to 2^-101 q, because each rounding of it costs 2^-53
// of c or 2^-105 q, and t is known to 2^-104 T. If q + (c + d) and q + (c - d) with d = 2^-98 q round to the same
// double, so does the value between them, which proves the result. Otherwise, at ties and once in 2^44 texts, the
// scanner reads the number. It also reads 2^53 because it records whether that was rounded.
//
// Digits and divisions are two steps with a stage between them. In one step, the dependency chain would be too long for
// the processor to begin the next pair meanwhile (a fifth slower).
import { areDigits, digitsAt, dropPointLower, dropPointUpper, integers, pointInLong, upperDigitsAt } from "./digits";
import { exponentAt, lengthOf, valueOf } from "./exponents";
import { powerAt, signAt } from "./short";

/**
 * 10^0 to 10^63, each and its negative as four doubles: T, 1 / T, t, and the doubt d / q, which is 0 for 10^0 because
 * nothing is divided.
 */
const LONG_POWERS = memory.data(64 * 64, 64);
const MAX_LONG_POWER: i32 = 63;
/** Highest power with t = 0. */
const MAX_EXACT_POWER: i32 = 22;
/** 2^-98. */
const DOUBT: f64 = 3.1554436208840472e-30;

/** Largest groups of 8 digits, 19 digits in all, so that the first three groups' product with 10^8 and its error are exact. */
const MAX_GROUPS = memory.data<i32>([0, 999, 99999999, 99999999], 16);
const HUNDRED_MILLION = memory.data<f64>([1e8, 1e8], 16);
const TWO_TO_53 = memory.data<f64>([9007199254740992, 9007199254740992], 16);

/** Stage between the steps: pairs of numbers as eight groups of digits, and the addresses of the powers of ten. */
export const STAGE = memory.data(64 * 48, 16);
export const STAGE_ROW: usize = 48;
export const STAGE_ROWS: usize = 64;

/** Returns whether `relaxed_madd` rounds once, as on every processor since 2013. Rounding errors are unknown otherwise. */
export function isFused(): bool {
  if (!ASC_FEATURE_RELAXED_SIMD) return false;
  // (1 + 2^-30)^2 = 1 + 2^-29 + 2^-60
  const a: f64 = 1.0000000009313226;
  return lostBy(a, a) != 0;
}

/** Returns the rounding error of a * b. */
function lostBy(a: f64, b: f64): f64 {
  if (!ASC_FEATURE_RELAXED_SIMD) return 0;
  return f64x2.extract_lane(f64x2.relaxed_madd(f64x2.splat(a), f64x2.splat(b), f64x2.splat(-(a * b))), 0);
}

/** Fills the table of powers, 4 KB, which is used only if {@link isFused}. Needs the powers of short.ts. */
export function fillLongPowers(): void {
  for (let m = 0; m <= MAX_LONG_POWER; m++) {
    let high: f64 = 1;
    let low: f64 = 0;
    // Multiplies by 10^22 at most, so that only the third product, from 10^45 on, is inexact as a pair.
    for (let left = m; left > 0; left -= MAX_EXACT_POWER) {
      const power = load<f64>(powerAt(min(left, MAX_EXACT_POWER), 0));
      const product = high * power;
      const rest = lostBy(high, power) + low * power;
      high = product + rest;
      low = rest - (high - product);
    }
    for (let sign: usize = 0; sign < 2; sign++) {
      const row = longPowerAt(m, sign);
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
function longPowerAt(m: i32, sign: usize): usize {
  return LONG_POWERS + (usize(m) << 6) + (sign << 5);
}

/** Does badForm of short.ts for at most 32 characters. */
// @ts-ignore: decorator
@inline
function badLongForm(first: usize, excess: i32, point: usize): i32 {
  const more = i32(point) + excess - 17;
  return ((i32(load<u8>(first)) - 49) & (0 - more)) | more | (16 - excess);
}

/**
 * Splits two tokens in the first step, which begin at `start` and end 16 bytes after `at`, into the stage's row at `row`.
 * Returns false if it cannot.
 */
// @ts-ignore: decorator
@inline
export function stageLong(start0: usize, at0: usize, start1: usize, at1: usize, row: usize, withExponent: bool): bool {
  const exponent0 = withExponent ? exponentAt(at0) : 0;
  const exponent1 = withExponent ? exponentAt(at1) : 0;
  at0 -= lengthOf(exponent0);
  at1 -= lengthOf(exponent1);
  const sign0 = signAt(start0);
  const sign1 = signAt(start1);
  const excess0 = i32(at0 - start0 - sign0);
  const excess1 = i32(at1 - start1 - sign1);
  const upper0 = upperDigitsAt(at0, excess0);
  const lower0 = digitsAt(at0, excess0);
  const upper1 = upperDigitsAt(at1, excess1);
  const lower1 = digitsAt(at1, excess1);
  const point0 = pointInLong(upper0, lower0);
  const point1 = pointInLong(upper1, lower1);
  const a = dropPointUpper(upper0, point0);
  const b = dropPointLower(upper0, lower0, point0);
  const c = dropPointUpper(upper1, point1);
  const d = dropPointLower(upper1, lower1, point1);
  if ((badLongForm(start0 + sign0, excess0, point0) | badLongForm(start1 + sign1, excess1, point1)) < 0) return false;
  if (!areDigits(i8x16.max_u(a, b), i8x16.max_u(c, d))) return false;
  // Without a point, lane 32 means no decimals, as lane 31 would.
  const m0 = 31 - min(i32(point0), 31) + valueOf(exponent0);
  const m1 = 31 - min(i32(point1), 31) + valueOf(exponent1);
  const limit: u32 = withExponent ? MAX_LONG_POWER : MAX_EXACT_POWER;
  if (u32(m0) > limit || u32(m1) > limit) return false;
  const groups0 = integers(a, b);
  const groups1 = integers(c, d);
  if (i8x16.bitmask(i32x4.gt_s(i32x4.max_s(groups0, groups1), v128.load(MAX_GROUPS))) != 0) return false;
  v128.store(row, groups0);
  v128.store(row, groups1, 16);
  store<usize>(row, longPowerAt(m0, sign0), 32);
  store<usize>(row, longPowerAt(m1, sign1), 36);
  return true;
}

/** Divides the numbers in the second step of the first `rows` rows and writes them to `to`. Returns the count of proven rows. */
// @ts-ignore: decorator
@inline
export function divideStage(rows: usize, to: usize, withExponent: bool): usize {
  const hundredMillion = v128.load(HUNDRED_MILLION);
  for (let done: usize = 0; done < rows; done++, to += 16) {
    const row = STAGE + done * STAGE_ROW;
    const groups0 = v128.load(row);
    const groups1 = v128.load(row, 16);
    const power0 = load<usize>(row, 32);
    const power1 = load<usize>(row, 36);
    const upper = v128.shuffle<i32>(groups0, groups1, 0, 4, 1, 5);
    const lower = v128.shuffle<i32>(groups0, groups1, 2, 6, 3, 7);
    const second = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(upper, upper, 2, 3, 2, 3));
    const third = f64x2.convert_low_i32x4_s(lower);
    const fourth = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(lower, lower, 2, 3, 2, 3));
    // Digits: sum + rest.
    const head = f64x2.relaxed_madd(second, hundredMillion, third);
    const product = f64x2.mul(head, hundredMillion);
    const productRest = f64x2.relaxed_madd(head, hundredMillion, f64x2.neg(product));
    const sum = f64x2.add(product, fourth);
    let rest = f64x2.add(f64x2.sub(fourth, f64x2.sub(sum, product)), productRest);
    // Quotient: quotient + correction.
    const power = both(power0, power1, 0);
    const quotient = f64x2.div(sum, power);
    if (withExponent) rest = f64x2.relaxed_nmadd(quotient, both(power0, power1, 16), rest);
    const remainder = f64x2.relaxed_nmadd(quotient, power, sum);
    const correction = f64x2.mul(f64x2.add(remainder, rest), both(power0, power1, 8));
    // Proof.
    const doubt = f64x2.mul(quotient, both(power0, power1, 24));
    const value = f64x2.add(quotient, f64x2.add(correction, doubt));
    const other = f64x2.add(quotient, f64x2.sub(correction, doubt));
    const isRisky = f64x2.eq(f64x2.abs(value), v128.load(TWO_TO_53));
    v128.store(to, value);
    if (i64x2.bitmask(v128.andnot(f64x2.eq(value, other), isRisky)) != 3) return done;
  }
  return rows;
}

/** Loads the doubles of two rows of the table, `offset` bytes in. */
// @ts-ignore: decorator
@inline
function both(row0: usize, row1: usize, offset: usize): v128 {
  return v128.load64_lane(row1 + offset, v128.load64_zero(row0 + offset), 1);
}
