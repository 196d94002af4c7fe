// Characters to digits, and digits to integers, 16 lanes at a time.
//
// The 16 bytes before a token's end hold its last digit in the last lane whatever its length is, so equal lanes have equal weights. Less
// '0', digits are 0 to 9, '.' is 254 and everything else is above 9. A sliding mask clears the lanes before the token.
// The point is taken out by a shuffle, which moves the lanes before it up by one. A point that is the token's last character, or
// a second one, stays where it is. So one comparison with 9 at the end checks every character of the token.
// Three steps of multiplying neighbours and adding them (by 10, 100 and 10,000) then make two integers of 8 digits.
// Source: W. Mula, "SIMD-ized parsing of unsigned decimal numbers" (2014); the shuffle by the point's lane is ours.

/** '.' less '0', as a byte. */
const POINT: i8 = -2;
/** A shuffle's index of no lane: the result is 0. */
const NO_LANE: u8 = 0x80;

/** 32 bytes of 0, then 32 of 255. From n bytes in, the last n of 32 lanes are kept; n from 1 to 16 stay within a cache line. */
const KEEP = memory.data(64, 64);

/** For a point in lane 0 to 15, or 16 for none: the shuffle that takes it out. */
const DROP = memory.data(17 * 16, 16);

/** The same for 32 lanes: shuffles of the lower 16, of the upper 16, and of the lower ones that move to the upper. */
const DROP_LONG = memory.data(33 * 48, 16);

/** Makes the tables, in microseconds. */
export function fillDigitTables(): void {
  for (let k: usize = 0; k < 64; k++) store<u8>(KEEP + k, k < 32 ? 0 : 255);
  for (let point = 0; point <= 16; point++) {
    for (let lane = 0; lane < 16; lane++) store<u8>(DROP + (point << 4) + lane, shuffled(lane, point, 16));
  }
  for (let point = 0; point <= 32; point++) {
    const row = DROP_LONG + point * 48;
    for (let lane = 0; lane < 16; lane++) {
      store<u8>(row + lane, shuffled(lane, point, 32));
      const from = shuffled(16 + lane, point, 32);
      store<u8>(row + lane, from >= 16 ? from - 16 : NO_LANE, 16);
      store<u8>(row + lane, from < 16 ? from : NO_LANE, 32);
    }
  }
}

/** From which lane a lane comes where the point is taken out; a point in the first or last lane is in the wrong place and stays. */
function shuffled(lane: i32, point: i32, lanes: i32): u8 {
  if (point == 0 || point >= lanes - 1 || lane > point) return u8(lane);
  return lane == 0 ? NO_LANE : u8(lane - 1);
}

/** The digits of the `n` characters that end 16 bytes after `at`, in the last lanes. */
// @ts-ignore: decorator
@inline
export function digitsAt(at: usize, n: usize): v128 {
  return v128.and(i8x16.sub(v128.load(at), i8x16.splat(48)), v128.load(KEEP + n, 16));
}

/** The first 16 lanes of {@link digitsAt} of 32, where the last 16 end 32 bytes after `at`. */
// @ts-ignore: decorator
@inline
export function upperDigitsAt(at: usize, n: usize): v128 {
  return v128.and(i8x16.sub(v128.load(at), i8x16.splat(48)), v128.load(KEEP + n));
}

/** The lanes that hold a point. */
// @ts-ignore: decorator
@inline
export function points(digits: v128): i32 {
  return i8x16.bitmask(i8x16.eq(digits, i8x16.splat(POINT)));
}

// @ts-ignore: decorator
@inline
export function dropPoint(digits: v128, point: usize): v128 {
  return swizzle(digits, v128.load(DROP + (point << 4)));
}

// @ts-ignore: decorator
@inline
export function dropPointUpper(upper: v128, point: usize): v128 {
  return swizzle(upper, v128.load(DROP_LONG + point * 48));
}

// @ts-ignore: decorator
@inline
export function dropPointLower(upper: v128, lower: v128, point: usize): v128 {
  const row = DROP_LONG + point * 48;
  return v128.or(swizzle(lower, v128.load(row, 16)), swizzle(upper, v128.load(row, 32)));
}

/** Whether every lane holds a digit. */
// @ts-ignore: decorator
@inline
export function areDigits(highest: v128): bool {
  return !v128.any_true(i8x16.sub_sat_u(highest, i8x16.splat(9)));
}

/**
 * 32 digits as four integers of 8 digits, the digits of `a` first.
 */
// @ts-ignore: decorator
@inline
export function eights(a: v128, b: v128): v128 {
  const hundred = i16x8(100, 1, 100, 1, 100, 1, 100, 1);
  const fours = i16x8.narrow_i32x4_u(i32x4.dot_i16x8_s(twos(a), hundred), i32x4.dot_i16x8_s(twos(b), hundred));
  return i32x4.dot_i16x8_s(fours, i16x8(10000, 1, 10000, 1, 10000, 1, 10000, 1));
}

/** Pairs of digits as integers. */
// @ts-ignore: decorator
@inline
function twos(digits: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    return i16x8.relaxed_dot_i8x16_i7x16_s(digits, i8x16(10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1));
  }
  const tens = v128.and(digits, i16x8.splat(255));
  return i16x8.add(i16x8.mul(tens, i16x8.splat(10)), i16x8.shr_u(digits, 8));
}

/** A shuffle by indices that are lanes or have their highest bit set, for which both instructions do the same. */
// @ts-ignore: decorator
@inline
function swizzle(v: v128, lanes: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i8x16.relaxed_swizzle(v, lanes) : i8x16.swizzle(v, lanes);
}
