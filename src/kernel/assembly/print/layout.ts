// Lays out the nine digits of a float32 as text. A table row describes all numbers with one decimal exponent.
//
// JavaScript writes d1 d2 .. dn, with the point after p digits, in one of three notations (ECMA-262, Number::toString):
// 0.000ddd for p from -5 to 0, ddd.ddd or ddd000 for p from 1 to 21, otherwise d.ddde-7. All three select bytes of the
// spelling (spell.ts), so one shuffle writes the characters up to the last digit. The eight digits begin with up to
// `LEADING_MAX` zeros, and each count of them has its own row. The count of characters depends on the trailing zeros,
// so a row has a count for each place of the last digit that is not 0. The tail follows with the exponent, the zeros
// that exceed the shuffle's 16 characters (p from 17 to 21), and the comma.
import { exponentTail, tailLength, zerosTail } from "./tails";

/** Decimal exponents of normal float32, as p digits before the point. */
const POINT_MIN: i32 = -37;
const POINT_MAX: i32 = 39;

/** Leading zeros of a number of 6 to 8 digits in a field of 8. */
const LEADING_MAX: i32 = 2;

const LAST_LANE: i32 = 8;
const POINT_LANE: u8 = 9;
const ZERO_LANE: u8 = 10;

const ZEROS: u64 = 0x3030303030303030;

/** Row: 16 bytes of shuffle, 8 of tail, and 9 character counts by trailing zeros. */
const ROW: usize = 64;
const TAIL: usize = 16;
const CHARACTERS: usize = 24;

const ROWS = memory.data(77 * 3 * 64, 16); // (POINT_MAX - POINT_MIN + 1) * (LEADING_MAX + 1) * ROW

/**
 * log2 of the distance to the row of a number ten times as large in the same field, with one more digit before the
 * point and one less leading zero.
 */
export const NEXT_POWER_BITS: i32 = 8; // 4 * ROW

/** Returns the row for numbers with `point` digits before the point and `leading` zeros before the digits. */
export function layoutRow(point: i32, leading: i32): usize {
  return ROWS + usize((point - POINT_MIN) * (LEADING_MAX + 1) + (LEADING_MAX - leading)) * ROW;
}

/**
 * Writes a number from its spelling and its bits, followed by a comma. Writes up to 25 bytes and returns the address
 * after the comma.
 */
// @ts-ignore: decorator
@inline
export function place(spelling: usize, row: usize, bits: u32, to: usize): usize {
  store<u8>(to, 45);
  to += usize(bits >> 31);
  v128.store(to, swizzle(v128.load(spelling), v128.load(row)));
  // Counts trailing zeros in lanes 1 to 8 as a word.
  const trailing = clz(load<u64>(spelling, 1) ^ ZEROS) >> 3;
  to += load<u8>(row + usize(trailing), CHARACTERS);
  const tail = load<u64>(row, TAIL);
  store<u64>(to, tail);
  return to + tailLength(tail);
}

/** Picks bytes by index. Both instructions agree because an index is 0 to 15, or 128 for a zero. */
// @ts-ignore: decorator
@inline
export function swizzle(bytes: v128, indices: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i8x16.relaxed_swizzle(bytes, indices);
  return i8x16.swizzle(bytes, indices);
}

/** Fills the rows. Called once. */
export function fillLayout(): void {
  for (let point = POINT_MIN; point <= POINT_MAX; point++) {
    for (let leading = 0; leading <= LEADING_MAX; leading++) fillRow(layoutRow(point, leading), point, leading);
  }
}

function fillRow(row: usize, point: i32, leading: i32): void {
  const isFixed = point > -6 && point <= 21;
  fillShuffle(row, isFixed ? point : 1, leading);
  for (let last = leading; last <= LAST_LANE; last++) {
    const digits = last - leading + 1;
    store<u8>(row + CHARACTERS + usize(LAST_LANE - last), characters(isFixed ? point : 1, digits));
  }
  store<u64>(row, isFixed ? zerosTail(max(point - 16, 0)) : exponentTail(point - 1), TAIL);
}

/** Fills a shuffle: leading zeros and the point before the digits, or digits around the point with trailing zeros. */
function fillShuffle(row: usize, point: i32, leading: i32): void {
  for (let at = 0; at < 16; at++) store<u8>(row + usize(at), laneAt(at, point, leading));
}

function laneAt(at: i32, point: i32, leading: i32): u8 {
  if (at == max(point, 1)) return point <= LAST_LANE - leading ? POINT_LANE : ZERO_LANE;
  const digit = point > 0 ? at - i32(at > point) : at - (2 - point);
  return digit < 0 || leading + digit > LAST_LANE ? ZERO_LANE : u8(leading + digit);
}

/** Returns the characters up to the last of `digits` digits, among the 16 that the shuffle writes. */
function characters(point: i32, digits: i32): u8 {
  if (point <= 0) return u8(2 - point + digits);
  if (digits > point) return u8(digits + 1);
  return u8(min(point, 16));
}
