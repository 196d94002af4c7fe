// The exponent at the end of a token, as programs write it: e-7, e-07, e+16, with a small or capital letter.
//
// The letter stands three or four characters before the end; anything else is left in the token, whose reader then refuses it. The
// sign becomes a factor without a branch: "-" is 45 and "+" is 43, so the character less 44 is 1 or -1.
// Numbers with an exponent are read two at a time: the same steps as for short ones then divide by ten to the sum of the decimals and the exponent.
import { areDigits, digitsAt, dropPoint, EIGHT_DIGITS, HUNDRED_ONE, MYRIAD_ONE, NINES, POINTS, TEN_ONE, ZEROS } from "./digits";
import { badForm, MAX_SCALE, moreDigits, pointIn, quotients, scaleAt, signAt } from "./short";

/** Bits of {@link exponentAt} that hold the length. */
const LENGTH_BITS: i32 = 4;
/** Beyond every table: the exponent is malformed. */
const MALFORMED: i32 = 1 << 20;

/**
 * The exponent of a token that ends 16 bytes after `at`: how many powers of ten the digits are to be divided by, and below it the
 * characters that it takes, 0 if there is none.
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

/**
 * Reads two tokens of at most 16 characters without sign and exponent, which begin at `start` and end 16 bytes after `at`. Returns
 * whether it could.
 */
// @ts-ignore: decorator
@inline
export function readShortExponents(start0: usize, at0: usize, start1: usize, at1: usize, to: usize): bool {
  const exponent0 = exponentAt(at0);
  const exponent1 = exponentAt(at1);
  at0 -= lengthOf(exponent0);
  at1 -= lengthOf(exponent1);
  const sign0 = signAt(start0);
  const sign1 = signAt(start1);
  const excess0 = i32(at0 - start0 - sign0);
  const excess1 = i32(at1 - start1 - sign1);
  const digits0 = digitsAt(at0, excess0, v128.load(ZEROS));
  const digits1 = digitsAt(at1, excess1, v128.load(ZEROS));
  const point0 = pointIn(digits0, v128.load(POINTS));
  const point1 = pointIn(digits1, v128.load(POINTS));
  const a = dropPoint(digits0, point0);
  const b = dropPoint(digits1, point1);
  const bad = badForm(start0 + sign0, excess0, moreDigits(point0, excess0)) | badForm(start1 + sign1, excess1, moreDigits(point1, excess1));
  // No point is in lane 16, but leaves as many decimals as in lane 15.
  const decimals0 = 15 - i32(point0 - (point0 >> 4)) + valueOf(exponent0);
  const decimals1 = 15 - i32(point1 - (point1 >> 4)) + valueOf(exponent1);
  if (bad < 0 || !areDigits(i8x16.max_u(a, b), v128.load(NINES)) || u32(decimals0) > MAX_SCALE || u32(decimals1) > MAX_SCALE) return false;
  v128.store(to, quotients(a, b, v128.load(TEN_ONE), v128.load(HUNDRED_ONE), v128.load(MYRIAD_ONE), v128.load(EIGHT_DIGITS), v128.load64_lane(scaleAt(decimals1, sign1), v128.load64_zero(scaleAt(decimals0, sign0)), 1)));
  return true;
}
