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
  fillConstants();
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

/** The digits of the `excess` + 16 characters that end 16 bytes after `at`, in the last lanes. */
// @ts-ignore: decorator
@inline
export function digitsAt(at: usize, excess: i32, zeros: v128): v128 {
  return v128.and(i8x16.sub(v128.load(at), zeros), v128.load(KEEP + 32 + excess));
}

// V8 builds a vector constant anew wherever it is used, in three instructions; one that is loaded before a loop stays in a register.
export const CONSTANTS = memory.data(7 * 16, 16);
export const ZEROS: usize = CONSTANTS;
export const POINTS: usize = CONSTANTS + 16;
export const NINES: usize = CONSTANTS + 32;
export const TEN_ONE: usize = CONSTANTS + 48;
export const HUNDRED_ONE: usize = CONSTANTS + 64;
export const MYRIAD_ONE: usize = CONSTANTS + 80;
export const EIGHT_DIGITS: usize = CONSTANTS + 96;
function fillConstants(): void {
  v128.store(ZEROS, i8x16.splat(48));
  v128.store(POINTS, i8x16.splat(POINT));
  v128.store(NINES, i8x16.splat(118));
  v128.store(TEN_ONE, i16x8.splat(0x010a));
  v128.store(HUNDRED_ONE, i32x4.splat(0x10064));
  v128.store(MYRIAD_ONE, i32x4.splat(0x12710));
  v128.store(EIGHT_DIGITS, f64x2.splat(1e8));
}

/** The first 16 lanes of {@link digitsAt} of 32, where the last 16 end 32 bytes after `at`. */
// @ts-ignore: decorator
@inline
export function upperDigitsAt(at: usize, excess: i32, zeros: v128): v128 {
  return v128.and(i8x16.sub(v128.load(at), zeros), v128.load(KEEP + 16 + excess));
}

/** The lanes that hold a point. */
// @ts-ignore: decorator
@inline
export function points(digits: v128, point: v128): i32 {
  return i8x16.bitmask(i8x16.eq(digits, point));
}

// @ts-ignore: decorator
@inline
export function dropPoint(digits: v128, point: usize): v128 {
  return swizzle(digits, v128.load(point << 4, DROP));
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
export function areDigits(highest: v128, nines: v128): bool {
  return i8x16.bitmask(i8x16.add_sat_u(highest, nines)) == 0;
}

/**
 * 32 digits as four integers of 8 digits, the digits of `a` first.
 */
// @ts-ignore: decorator
@inline
export function eights(a: v128, b: v128, ten: v128, hundred: v128, myriad: v128): v128 {
  const fours = i16x8.narrow_i32x4_u(i32x4.dot_i16x8_s(twos(a, ten), hundred), i32x4.dot_i16x8_s(twos(b, ten), hundred));
  return i32x4.dot_i16x8_s(fours, myriad);
}

/** Pairs of digits as integers. */
// @ts-ignore: decorator
@inline
function twos(digits: v128, ten: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    return i16x8.relaxed_dot_i8x16_i7x16_s(digits, ten);
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
