// Four numbers at a time of at most 16 characters without sign and at most 15 digits, such as -0.123456: most numbers that there are.
//
// Its digits are an integer below 10^15, which a double holds exactly, and so is the power of ten by which it is divided: one
// rounding, so the quotient is the nearest double (Clinger, "How to read floating point numbers accurately", 1990). The sign is
// that of the divisor, which makes -0 as it should be.
// No branch depends on the numbers but for one: if all four have one digit before the point, their form is right. Otherwise each is
// checked for a leading 0, for a missing digit before the point and for too many characters or digits, as signs of differences.
import { areDigits, digitsAt, dropPoint, eights, points } from "./digits";
import { badSeparator, closes, isNested, leftAfter, periodOf, rowEnds, startAfter } from "./rows";
import { madd } from "../exp";

/** Powers of ten that are doubles, 10^0 to 10^22, each with its negative; before them 10^0 once more, for no point. */
const SCALES = memory.data(24 * 16, 16);
/** The highest power in {@link SCALES}. */
export const MAX_SCALE: u32 = 22;

/** Makes the table: each product is below 10^23, so it is exact. */
export function fillScales(): void {
  let power: f64 = 1;
  for (let m: usize = 0; m <= 23; m++) {
    if (m > 1) power *= 10;
    store<f64>(SCALES + (m << 4), power);
    store<f64>(SCALES + (m << 4), -power, 8);
  }
}

/** 1 if a token begins with "-", else 0. */
// @ts-ignore: decorator
@inline
export function signAt(start: usize): usize {
  return usize(load<u8>(start) == 45);
}

/** Where a point is, as a lane; 16 if there is none. */
// @ts-ignore: decorator
@inline
export function pointIn(digits: v128): usize {
  return usize(ctz(points(digits) | 0x10000));
}

/** The digits before the point, less 1, of `n` characters with the point in a lane of 16. */
// @ts-ignore: decorator
@inline
export function moreDigits(point: usize, n: usize): i32 {
  return i32(point + n) - 17;
}

/** Negative unless the form is right: no digit before the point is missing, no 0 leads, and there are no more than 15 digits. */
// @ts-ignore: decorator
@inline
export function badForm(first: usize, n: usize, more: i32): i32 {
  // '0' << 6 is 3072, and more characters than 64 are refused on their own.
  return ((i32(load<u8>(first)) << 6) - 3072 - more) | (16 - i32(n)) | (14 - more) | more;
}

/** Two numbers: integers of 15 digits in the lanes of `a` and `b`, divided by the powers at `scaleA` and `scaleB`. */
// @ts-ignore: decorator
@inline
export function quotients(a: v128, b: v128, scaleA: usize, scaleB: usize): v128 {
  const parts = eights(a, b);
  const high = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(parts, parts, 0, 2, 0, 2));
  const low = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(parts, parts, 1, 3, 1, 3));
  // Exact, rounded once or twice.
  const digits = madd<f64>(high, f64x2.splat(1e8), low);
  return f64x2.div(digits, v128.load64_lane(scaleB, v128.load64_zero(scaleA), 1));
}

/** Where the divisor stands for `decimals` digits after the point, from -1, which is as 0, to {@link MAX_SCALE}. */
// @ts-ignore: decorator
@inline
export function scaleAt(decimals: i32, negative: usize): usize {
  return SCALES + (usize(decimals + 1) << 4) + (negative << 3);
}

/**
 * Reads up to `groups` groups of four tokens, the first at `start`, whose commas the index holds from `commas`, and writes them to
 * `to`. Returns how many groups it read: the next one has another form.
 */
export function readShort<L>(start: usize, commas: usize, groups: usize, space: usize, to: usize, left: u32, width: u32): usize {
  const period = periodOf(width);
  for (let done: usize = 0; done < groups; done++) {
    const ends = isNested<L>() ? rowEnds(left, period, 4) : 0;
    let at0 = usize(load<u32>(commas));
    let at1 = usize(load<u32>(commas, 4));
    let at2 = usize(load<u32>(commas, 8));
    let at3 = usize(load<u32>(commas, 12));
    const close0 = closes<L>(at0);
    const close1 = closes<L>(at1);
    const close2 = closes<L>(at2);
    const close3 = closes<L>(at3);
    let wrong = badSeparator<L>(at0, space, close0) | badSeparator<L>(at1, space, close1)
      | badSeparator<L>(at2, space, close2) | badSeparator<L>(at3, space, close3);
    const start1 = startAfter(at0, space, close0);
    const start2 = startAfter(at1, space, close1);
    const start3 = startAfter(at2, space, close2);
    const start4 = startAfter(at3, space, close3);
    if (isNested<L>()) {
      wrong |= usize(ends) ^ (close0 | (close1 << 1) | (close2 << 2) | (close3 << 3));
      at0 -= close0;
      at1 -= close1;
      at2 -= close2;
      at3 -= close3;
    }
    const sign0 = signAt(start);
    const sign1 = signAt(start1);
    const sign2 = signAt(start2);
    const sign3 = signAt(start3);
    const n0 = at0 + 16 - start - sign0;
    const n1 = at1 + 16 - start1 - sign1;
    const n2 = at2 + 16 - start2 - sign2;
    const n3 = at3 + 16 - start3 - sign3;
    const digits0 = digitsAt(at0, n0);
    const digits1 = digitsAt(at1, n1);
    const digits2 = digitsAt(at2, n2);
    const digits3 = digitsAt(at3, n3);
    const point0 = pointIn(digits0);
    const point1 = pointIn(digits1);
    const point2 = pointIn(digits2);
    const point3 = pointIn(digits3);
    const a = dropPoint(digits0, point0);
    const b = dropPoint(digits1, point1);
    const c = dropPoint(digits2, point2);
    const d = dropPoint(digits3, point3);
    if (wrong != 0 || !areDigits(i8x16.max_u(i8x16.max_u(a, b), i8x16.max_u(c, d)))) return done;
    const more0 = moreDigits(point0, n0);
    const more1 = moreDigits(point1, n1);
    const more2 = moreDigits(point2, n2);
    const more3 = moreDigits(point3, n3);
    if ((more0 | more1 | more2 | more3) != 0) {
      const bad = badForm(start + sign0, n0, more0) | badForm(start1 + sign1, n1, more1)
        | badForm(start2 + sign2, n2, more2) | badForm(start3 + sign3, n3, more3);
      if (bad < 0) return done;
    }
    v128.store(to, quotients(a, b, scaleAt(15 - i32(point0), sign0), scaleAt(15 - i32(point1), sign1)));
    v128.store(to, quotients(c, d, scaleAt(15 - i32(point2), sign2), scaleAt(15 - i32(point3), sign3)), 16);
    if (isNested<L>()) left = leftAfter(left, width, 4, ends);
    start = start4;
    commas += 16;
    to += 32;
  }
  return groups;
}
