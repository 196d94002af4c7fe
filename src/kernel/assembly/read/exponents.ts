// Reads two numbers as {@link readShort} does, with an exponent as programs write it: e-7, e-07, e+16, in lower or
// upper case.
//
// The letter stands three or four characters before the end. Anywhere else it stays in the token, whose reader then
// stops. The sign becomes a factor without a branch, because "-" is 45 and "+" is 43, so the character minus 44 is 1 or -1. The
// digits are divided by ten to the sum of the decimals and the exponent, which must be a power that a double represents
// exactly.
import { areDigits, digitsAt, dropPoint, pointIn } from "./digits";
import { badForm, divideShort, MAX_POWER, powerAt, signAt } from "./short";

/** Bits of {@link exponentAt} for the length. */
const LENGTH_BITS: i32 = 4;
/** Malformed exponent, beyond every table. */
const MALFORMED: i32 = 1 << 20;

/**
 * Reads the exponent of a token that ends 16 bytes after `at`. Returns the power of ten by which to divide the digits,
 * with the exponent's character count in the lowest bits, 0 if there is none.
 */
// @ts-ignore: decorator
@inline
export function exponentAt(at: usize): i32 {
  const letters = i8x16.eq(v128.or(v128.load(at), i8x16.splat(32)), i8x16.splat(101));
  const length = clz(i8x16.bitmask(letters)) - 15;
  if (u32(length - 3) > 1) return 0;
  const sign = i32(load<u8>(at + 17 - length)) - 44;
  const tens: u32 = length == 4 ? u32(load<u8>(at, 14)) - 48 : 0;
  const ones = u32(load<u8>(at, 15)) - 48;
  if (sign * sign != 1 || tens > 9 || ones > 9) return MALFORMED;
  return ((sign * i32(tens * 10 + ones)) << LENGTH_BITS) | length;
}

// @ts-ignore: decorator
@inline
export function lengthOf(exponent: i32): usize {
  return usize(exponent & ((1 << LENGTH_BITS) - 1));
}

// @ts-ignore: decorator
@inline
export function valueOf(exponent: i32): i32 {
  return exponent >> LENGTH_BITS;
}

/** Reads numbers with or without an exponent, otherwise as {@link readShort}. */
// @ts-ignore: decorator
@inline
export function readShortExponent(start0: usize, at0: usize, start1: usize, at1: usize, to: usize): bool {
  const exponent0 = exponentAt(at0);
  const exponent1 = exponentAt(at1);
  at0 -= lengthOf(exponent0);
  at1 -= lengthOf(exponent1);
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
  const bad0 = badForm(start0 + sign0, excess0, i32(point0) + excess0 - 1);
  const bad1 = badForm(start1 + sign1, excess1, i32(point1) + excess1 - 1);
  if ((bad0 | bad1) < 0 || !areDigits(a, b)) return false;
  // Without a point, lane 16 means no decimals, as lane 15 would.
  const m0 = 15 - min(i32(point0), 15) + valueOf(exponent0);
  const m1 = 15 - min(i32(point1), 15) + valueOf(exponent1);
  if (u32(m0) > MAX_POWER || u32(m1) > MAX_POWER) return false;
  v128.store(to, divideShort(a, b, v128.load64_lane(powerAt(m1, sign1), v128.load64_zero(powerAt(m0, sign0)), 1)));
  return true;
}
