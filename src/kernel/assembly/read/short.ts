// Four numbers at a time of at most 16 characters without sign and at most 15 digits, such as -0.123456: most numbers that there are.
//
// Its digits are an integer below 10^15, which a double holds exactly, and so is the power of ten by which it is divided: one
// rounding, so the quotient is the nearest double (Clinger, "How to read floating point numbers accurately", 1990). The sign is
// that of the divisor, which makes -0 as it should be.
// No branch depends on the numbers but for one: if all four have one digit before the point, their form is right. Otherwise each is
// checked for a leading 0, for a missing digit before the point and for too many characters or digits, as signs of differences.
import { areDigits, digitsAt, dropPoint, EIGHT_DIGITS, eights, HUNDRED_ONE, MYRIAD_ONE, NINES, POINTS, points, TEN_ONE, ZEROS } from "./digits";
import { badSeparator, closes, isNested, leftAfter, periodOf, rowEnds, startAfter } from "./rows";
import { madd } from "../exp";

/** Powers of ten that are doubles, 10^0 to 10^22, each with its negative; before them 10^0 once more, for no point. */
const SCALES = memory.data(24 * 16, 16);
const BY_POINT = memory.data(17 * 16, 16);
/** The highest power in {@link SCALES}. */
export const MAX_SCALE: u32 = 22;

/** Makes the table: each product is below 10^23, so it is exact. */
export function fillScales(): void {
  let power: f64 = 1;
  for (let m: usize = 0; m <= 23; m++) {
    if (m > 1) power *= 10;
    store<f64>(SCALES + (m << 4), power);
    store<f64>(SCALES + (m << 4), -power, 8);
    if (m <= 16) {
      store<f64>(BY_POINT + ((16 - m) << 4), power);
      store<f64>(BY_POINT + ((16 - m) << 4), -power, 8);
    }
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
export function pointIn(digits: v128, point: v128): usize {
  return usize(ctz(points(digits, point) | 0x10000));
}

/** The digits before the point, less 1, of `n` characters with the point in a lane of 16. */
// @ts-ignore: decorator
@inline
export function moreDigits(point: usize, excess: i32): i32 {
  return i32(point) + excess - 1;
}

/** Negative unless the form is right: no digit before the point is missing, no 0 leads, and there are no more than 15 digits. */
// @ts-ignore: decorator
@inline
export function badForm(first: usize, excess: i32, more: i32): i32 {
  return ((i32(load<u8>(first)) - 49) & (0 - more)) | ~excess | more;
}

/** Two numbers: integers of 15 digits in the lanes of `a` and `b`, divided by the powers at `scaleA` and `scaleB`. */
// @ts-ignore: decorator
@inline
export function quotients(a: v128, b: v128, ten: v128, hundred: v128, myriad: v128, million: v128, scale: v128): v128 {
  const parts = eights(a, b, ten, hundred, myriad);
  const high = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(parts, parts, 0, 2, 0, 2));
  const low = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(parts, parts, 1, 3, 1, 3));
  // Exact, rounded once or twice.
  return f64x2.div(madd<f64>(high, million, low), scale);
}

/** Where the divisor stands for `decimals` digits after the point, from -1, which is as 0, to {@link MAX_SCALE}. */
// @ts-ignore: decorator
@inline
export function scaleAt(decimals: i32, negative: usize): usize {
  return SCALES + (usize(decimals + 1) << 4) + (negative << 3);
}

// @ts-ignore: decorator
@inline
function scalesByPoint(pointA: usize, signA: usize, pointB: usize, signB: usize): v128 {
  return v128.load64_lane((pointB << 4) + (signB << 3), v128.load64_zero((pointA << 4) + (signA << 3), BY_POINT), 1, BY_POINT);
}

/**
 * Reads up to `groups` groups of four tokens, the first at `start`, whose commas the index holds from `commas`, and writes them to
 * `to`. Returns how many groups it read: the next one has another form.
 */
export function readShort<L>(start: usize, commas: usize, groups: usize, space: usize, to: usize, left: u32, width: u32): usize {
  const period = periodOf(width);
  const gap = <usize>17 + space;
  const first = commas;
  const last = commas + (groups << 4);
  const zeros = v128.load(ZEROS);
  const point = v128.load(POINTS);
  const nines = v128.load(NINES);
  const ten = v128.load(TEN_ONE);
  const hundred = v128.load(HUNDRED_ONE);
  const myriad = v128.load(MYRIAD_ONE);
  const million = v128.load(EIGHT_DIGITS);
  while (commas < last) {
    const ends = isNested<L>() ? rowEnds(left, period, 4) : 0;
    let wrong: usize = 0;

    let at0 = usize(load<u32>(commas));
    const close0 = closes<L>(at0);
    if (isNested<L>()) wrong |= badSeparator<L>(at0, space, close0);
    const start1 = startAfter(at0, gap, close0);
    if (isNested<L>()) at0 -= close0;
    const sign0 = signAt(start);
    const excess0 = i32(at0 - start - sign0);
    const digits0 = digitsAt(at0, excess0, zeros);
    const point0 = pointIn(digits0, point);
    const a = dropPoint(digits0, point0);
    const more0 = moreDigits(point0, excess0);

    let at1 = usize(load<u32>(commas, 4));
    const close1 = closes<L>(at1);
    if (isNested<L>()) wrong |= badSeparator<L>(at1, space, close1);
    const start2 = startAfter(at1, gap, close1);
    if (isNested<L>()) at1 -= close1;
    const sign1 = signAt(start1);
    const excess1 = i32(at1 - start1 - sign1);
    const digits1 = digitsAt(at1, excess1, zeros);
    const point1 = pointIn(digits1, point);
    const b = dropPoint(digits1, point1);
    const more1 = moreDigits(point1, excess1);
    v128.store(to, quotients(a, b, ten, hundred, myriad, million, scalesByPoint(point0, sign0, point1, sign1)));

    let at2 = usize(load<u32>(commas, 8));
    const close2 = closes<L>(at2);
    if (isNested<L>()) wrong |= badSeparator<L>(at2, space, close2);
    const start3 = startAfter(at2, gap, close2);
    if (isNested<L>()) at2 -= close2;
    const sign2 = signAt(start2);
    const excess2 = i32(at2 - start2 - sign2);
    const digits2 = digitsAt(at2, excess2, zeros);
    const point2 = pointIn(digits2, point);
    const c = dropPoint(digits2, point2);
    const more2 = moreDigits(point2, excess2);

    let at3 = usize(load<u32>(commas, 12));
    const close3 = closes<L>(at3);
    if (isNested<L>()) wrong |= badSeparator<L>(at3, space, close3);
    const start4 = startAfter(at3, gap, close3);
    if (isNested<L>()) at3 -= close3;
    const sign3 = signAt(start3);
    const excess3 = i32(at3 - start3 - sign3);
    const digits3 = digitsAt(at3, excess3, zeros);
    const point3 = pointIn(digits3, point);
    const d = dropPoint(digits3, point3);
    const more3 = moreDigits(point3, excess3);
    v128.store(to, quotients(c, d, ten, hundred, myriad, million, scalesByPoint(point2, sign2, point3, sign3)), 16);

    if (!isNested<L>() && space != 0) wrong = badSeparator<L>(at0, space, 0) | badSeparator<L>(at1, space, 0) | badSeparator<L>(at2, space, 0) | badSeparator<L>(at3, space, 0);
    if (isNested<L>()) wrong |= usize(ends) ^ (close0 | (close1 << 1) | (close2 << 2) | (close3 << 3));
    if (wrong != 0 || !areDigits(i8x16.max_u(i8x16.max_u(a, b), i8x16.max_u(c, d)), nines)) break;
    if ((more0 | more1 | more2 | more3) != 0) {
      const bad = badForm(start + sign0, excess0, more0) | badForm(start1 + sign1, excess1, more1)
        | badForm(start2 + sign2, excess2, more2) | badForm(start3 + sign3, excess3, more3);
      if (bad < 0) break;
    }
    if (isNested<L>()) left = leftAfter(left, width, 4, ends);
    start = start4;
    commas += 16;
    to += 32;
  }
  return (commas - first) >> 4;
}
