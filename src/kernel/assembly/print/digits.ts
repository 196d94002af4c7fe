// Converts four groups of four digits to 16 decimal digits in one vector, dividing by 100 and by 10 in all lanes at
// once.
//
// Vectors cannot divide, but a product and a shift divide small dividends exactly (H. Warren, "Hacker's Delight",
// 10-9): floor(x / 100) = (10486 x) >> 20 for x < 43,699, floor(x / 10) = (103 x) >> 10 for x < 179. Each remainder
// moves beside its quotient, into the upper half of the lane, so every step doubles the lanes: 4 of four digits, 8 of
// two, 16 of one. The first digit lies in the lowest byte, in text order.

const CONSTANTS = memory.data<u32>([
  10486, 10486, 10486, 10486, // 2^20 / 100, rounded up
  100, 100, 100, 100,
  103 * 0x10001, 103 * 0x10001, 103 * 0x10001, 103 * 0x10001, // 2^10 / 10, rounded up
  2559 * 0x10001, 2559 * 0x10001, 2559 * 0x10001, 2559 * 0x10001,
], 16);

/** Returns the digits, 0 to 9 each, of four numbers below 10,000 in 32-bit lanes. */
// @ts-ignore: decorator
@inline
export function sixteenDigits(groups: v128): v128 {
  const hundreds = v128.shr<u32>(i32x4.dot_i16x8_s(groups, v128.load(CONSTANTS)), 20);
  const rest = v128.sub<i32>(groups, i32x4.dot_i16x8_s(hundreds, v128.load(CONSTANTS, 16)));
  const pairs = v128.or(v128.shl<i32>(rest, 16), hundreds);
  const tens = v128.shr<u16>(v128.mul<i16>(pairs, v128.load(CONSTANTS, 32)), 10);
  // tens + 256 (pairs - 10 tens)
  return v128.sub<i16>(v128.shl<i16>(pairs, 8), v128.mul<i16>(tens, v128.load(CONSTANTS, 48)));
}
