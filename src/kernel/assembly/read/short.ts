// Reads two numbers of at most 15 characters without sign, such as -0.123456, the most common form.
//
// Their digits form an integer below 10^15, which a double represents exactly, like the power of ten by which it is
// divided. There is one rounding, so the quotient is the nearest double (W. Clinger, "How to read floating point
// numbers accurately", 1990). The sign comes from the divisor, which gives -0 correctly. `excess` is the character
// count minus 16, and `more` the digits before the point minus 1. If `more` is 0 for both, the form is valid, because
// the comparison with 9 has checked a digit, a point and at most 14 digits, or one digit alone. Otherwise several
// differences must not be negative. A second number costs little because the processor works on both at once.
import { areDigits, digitsAt, dropPoint, integers, pointIn } from "./digits";
import { madd } from "../exp";

/** 10^15 to 10^0 by the lane of the point, each with its negative. Row 15 is unused, row 16 is 10^0 for no point. */
const BY_POINT = memory.data(17 * 16, 16);
/** 10^0 to 10^22, the powers that doubles represent exactly, each with its negative. */
const POWERS = memory.data(23 * 16, 16);
/** Highest power in {@link POWERS}. */
export const MAX_POWER: u32 = 22;

/** 10^8, twice. */
const HUNDRED_MILLION = memory.data<f64>([1e8, 1e8], 16);

/** Fills the tables, 640 bytes. Each product is exact because it is below 10^23. */
export function fillPowers(): void {
  let power: f64 = 1;
  for (let m: usize = 0; m <= 22; m++, power *= 10) {
    putPower(POWERS + (m << 4), power);
    if (m <= 15) putPower(BY_POINT + ((15 - m) << 4), power);
  }
  putPower(BY_POINT + (16 << 4), 1);
}

function putPower(row: usize, power: f64): void {
  store<f64>(row, power);
  store<f64>(row, -power, 8);
}

/** Returns the address of 10^`m` or its negative. */
// @ts-ignore: decorator
@inline
export function powerAt(m: i32, sign: usize): usize {
  return POWERS + (usize(m) << 4) + (sign << 3);
}

/** Returns 1 if the token at `start` begins with "-", otherwise 0. */
// @ts-ignore: decorator
@inline
export function signAt(start: usize): usize {
  return usize(load<u8>(start) == 45);
}

/**
 * Returns a negative number if `first`, the first character after the sign, is a 0 before another digit, if no digit
 * precedes the point, or if there are more than 15 characters.
 */
// @ts-ignore: decorator
@inline
export function badForm(first: usize, excess: i32, more: i32): i32 {
  return ((i32(load<u8>(first)) - 49) & (0 - more)) | more | ~excess;
}

/** Divides the integers in the lanes of `a` and `b`, at most 15 digits each, by `powers`. */
// @ts-ignore: decorator
@inline
export function divideShort(a: v128, b: v128, powers: v128): v128 {
  const parts = integers(a, b);
  const high = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(parts, parts, 0, 2, 0, 2));
  const low = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(parts, parts, 1, 3, 1, 3));
  return f64x2.div(madd<f64>(high, v128.load(HUNDRED_MILLION), low), powers);
}

/** Reads two tokens, which begin at `start` and end 16 bytes after `at`, and writes them to `to`. Returns false if it cannot. */
// @ts-ignore: decorator
@inline
export function readShort(start0: usize, at0: usize, start1: usize, at1: usize, to: usize): bool {
  const sign0 = signAt(start0);
  const sign1 = signAt(start1);
  const excess0 = i32(at0 - start0 - sign0);
  const excess1 = i32(at1 - start1 - sign1);
  const digits0 = digitsAt(at0, excess0);
  const digits1 = digitsAt(at1, excess1);
  const point0 = pointIn(digits0);
  const point1 = pointIn(digits1);
  const a = dropPoint(digits0, point0);
  const b = dropPoint(digits1, point1);
  const power0 = v128.load64_zero((point0 << 4) + (sign0 << 3), BY_POINT);
  v128.store(to, divideShort(a, b, v128.load64_lane((point1 << 4) + (sign1 << 3), power0, 1, BY_POINT)));
  if (!areDigits(a, b)) return false;
  const more0 = i32(point0) + excess0 - 1;
  const more1 = i32(point1) + excess1 - 1;
  if ((more0 | more1) == 0) return true;
  return (badForm(start0 + sign0, excess0, more0) | badForm(start1 + sign1, excess1, more1)) >= 0;
}
