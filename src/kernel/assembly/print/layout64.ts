// Lays out the 17 digits of a float64 as text. A table row describes all numbers with one decimal exponent.
//
// JavaScript writes d1 d2 .. dn, with the point after p digits, as 0.000ddd for p from -5 to 0, as ddd.ddd or ddd000
// for p from 1 to 21, and otherwise as d.ddde-7 (ECMA-262, Number::toString). All are digits with a point among them,
// if the zeros of the first count as digits. Zeros stand before and behind the digits of every row (block64.ts). So
// two copies of the digits, the second one character further, and the point between them write each text without a
// branch. It ends after the last digit other than 0, or before the point. The tail follows with the exponent and the
// comma (tails.ts).
import { COUNT, DIGITS, LAYOUT } from "./block64";
import { exponentTail, tailLength, zerosTail } from "./tails";

/** Exponents k of normal float64, see scale64.ts. */
const K_MIN: i32 = -324;
const K_MAX: i32 = 292;

/** Layout: 8 bytes of tail, the digits before the point, and the zeros before the 16 digits, -1 to drop the first. */
const POINT: usize = 8;
const LEADING: usize = 9;

const LAYOUTS = memory.data(617 * 2 * 16, 16); // K_MAX - K_MIN + 1 of each

/** Returns the layout for exponent k and an integer of 15 digits, spelled with a leading 0. Next is that for 16. */
export function layout64(k: i32): usize {
  return LAYOUTS + (usize(k - K_MIN) << 5);
}

/** Returns the layout for a number without digits, which is written as one 0. */
export function layoutOfZero(): usize {
  return layout64(-16) + 16;
}

/**
 * Writes a number from its row and its bits, followed by a comma and up to 25 bytes of scratch. Returns the address
 * after the comma.
 */
// @ts-ignore: decorator
@inline
export function place64(row: usize, bits: u64, to: usize): usize {
  const layout = load<u32>(row, LAYOUT);
  const point = usize(load<u8>(layout, POINT));
  const leading = usize(load<i8>(layout, LEADING));
  const first = row + DIGITS - leading;
  store<u8>(to, 45);
  to += usize(bits >> 63);
  v128.store(to, v128.load(first));
  store<u64>(to, load<u64>(first, 16), 16);
  v128.store(to + point, v128.load(first + point), 1);
  store<u64>(to + point, load<u64>(first + point, 16), 17);
  store<u8>(to + point, 46);
  const digits = leading + usize(load<u8>(row, COUNT));
  to += digits > point ? digits + 1 : point;
  const tail = load<u64>(layout);
  store<u64>(to, tail);
  return to + tailLength(tail);
}

/** Fills the table. Called once. */
export function fillLayout64(): void {
  for (let k = K_MIN; k <= K_MAX; k++) {
    fillLayout(layout64(k), k + 16, -1);
    fillLayout(layout64(k) + 16, k + 17, 0);
  }
}

function fillLayout(layout: usize, point: i32, leading: i32): void {
  const isFixed = point > -6 && point <= 21;
  store<u64>(layout, isFixed ? zerosTail(0) : exponentTail(point - 1));
  store<u8>(layout, isFixed ? u8(max(point, 1)) : 1, POINT);
  store<i8>(layout, i8(isFixed ? leading + max(1 - point, 0) : leading), LEADING);
}
