// Converts characters to digits, and digits to integers, in 16 lanes at a time.
//
// The 16 bytes before a token's end hold its last digit in the last lane, so equal lanes have equal weights in tokens
// of any length. After subtracting '0', digits are 0 to 9, '.' is 254 and every other character is above 9. A sliding
// mask clears the lanes before the token. A shuffle removes the point by moving the lanes before it up by one. A point
// in the first or last lane, or a second one, stays, so one comparison with 9 checks every character of the token.
// Three steps then multiply and add neighbors, by 10, 100 and 10,000, to form two integers of 8 digits from 16 lanes. A token of 17 to 32 characters takes two vectors, `lower` for its last 16 characters and `upper` for the others. Source of
// the steps: W. Mula, "SIMD-ized parsing of unsigned decimal numbers" (2014).

/** '.' minus '0', as a byte. */
const POINT: u8 = 254;
/** Shuffle index for a 0. */
const NO_LANE: u8 = 0x80;

// Vector constants in memory, because V8 loads them in one instruction but builds literals in three.
const ZEROS = memory.data(16, 16);
const POINTS = memory.data(16, 16);
/** Sets the highest bit of a byte above 9 by a saturating addition. */
const ABOVE_NINE = memory.data(16, 16);
const BY_TEN = memory.data(16, 16);
const BY_HUNDRED = memory.data(16, 16);
const BY_TEN_THOUSAND = memory.data(16, 16);

/**
 * 32 bytes of 0, then 32 of 255. A load at byte n keeps the last n of 32 lanes. For n from 1 to 16, a token's 16 lanes
 * are in one cache line.
 */
const KEEP = memory.data(64, 64);
/** Shuffles that remove a point in lane 0 to 15, and for 16 none. */
const DROP = memory.data(17 * 16, 16);
/** Shuffles for 32 lanes: the upper 16, the lower 16, and the upper lane that becomes a lower one. */
const DROP_LONG = memory.data(33 * 48, 16);

/** Fills the tables, 2 KB. */
export function fillDigitTables(): void {
  v128.store(ZEROS, i8x16.splat(48));
  v128.store(POINTS, i8x16.splat(POINT));
  v128.store(ABOVE_NINE, i8x16.splat(127 - 9));
  v128.store(BY_TEN, i8x16(10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1));
  v128.store(BY_HUNDRED, i16x8(100, 1, 100, 1, 100, 1, 100, 1));
  v128.store(BY_TEN_THOUSAND, i16x8(10000, 1, 10000, 1, 10000, 1, 10000, 1));
  memory.fill(KEEP + 32, 255, 32);
  for (let point: usize = 0; point <= 16; point++) {
    for (let lane: usize = 0; lane < 16; lane++) store<u8>(DROP + (point << 4) + lane, sourceOf(lane, point, 16));
  }
  for (let point: usize = 0; point <= 32; point++) {
    for (let lane: usize = 0; lane < 16; lane++) {
      const row = DROP_LONG + point * 48 + lane;
      const source = sourceOf(lane + 16, point, 32);
      store<u8>(row, sourceOf(lane, point, 32));
      store<u8>(row, source >= 16 ? source - 16 : NO_LANE, 16);
      store<u8>(row, source < 16 ? source : NO_LANE, 32);
    }
  }
}

/** Returns the lane that moves to `lane` when the point is removed from `lanes`. */
function sourceOf(lane: usize, point: usize, lanes: usize): u8 {
  if (point == 0 || point >= lanes - 1 || lane > point) return u8(lane);
  return lane == 0 ? NO_LANE : u8(lane - 1);
}

/** Returns the digits of the last `excess` + 16 of the 16 characters at `at`. */
// @ts-ignore: decorator
@inline
export function digitsAt(at: usize, excess: i32): v128 {
  return v128.and(i8x16.sub(v128.load(at), v128.load(ZEROS)), v128.load(KEEP + 32 + excess));
}

/** Returns the digits of the last `excess` of the 16 characters before `at`. */
// @ts-ignore: decorator
@inline
export function upperDigitsAt(at: usize, excess: i32): v128 {
  return v128.and(i8x16.sub(v128.load(at - 16), v128.load(ZEROS)), v128.load(KEEP + 16 + excess));
}

/** Returns the lanes that hold a point, as bits. */
// @ts-ignore: decorator
@inline
function pointsIn(digits: v128): i32 {
  return i8x16.bitmask(i8x16.eq(digits, v128.load(POINTS)));
}

/** Returns the lane of the first point, 16 if there is none. */
// @ts-ignore: decorator
@inline
export function pointIn(digits: v128): usize {
  return usize(ctz(pointsIn(digits) | 0x10000));
}

/** Returns the lane of the first point in 32, 32 if there is none. */
// @ts-ignore: decorator
@inline
export function pointInLong(upper: v128, lower: v128): usize {
  return usize(ctz(pointsIn(upper) | (pointsIn(lower) << 16)));
}

// @ts-ignore: decorator
@inline
export function dropPoint(digits: v128, point: usize): v128 {
  return shuffle(digits, v128.load(point << 4, DROP));
}

// @ts-ignore: decorator
@inline
export function dropPointUpper(upper: v128, point: usize): v128 {
  return shuffle(upper, v128.load(DROP_LONG + point * 48));
}

// @ts-ignore: decorator
@inline
export function dropPointLower(upper: v128, lower: v128, point: usize): v128 {
  const row = DROP_LONG + point * 48;
  return v128.or(shuffle(lower, v128.load(row, 16)), shuffle(upper, v128.load(row, 32)));
}

/** Returns whether every lane of both holds a digit. */
// @ts-ignore: decorator
@inline
export function areDigits(a: v128, b: v128): bool {
  return i8x16.bitmask(i8x16.add_sat_u(i8x16.max_u(a, b), v128.load(ABOVE_NINE))) == 0;
}

/** Converts the digits of `a`, then those of `b`, to four integers of 8 digits. */
// @ts-ignore: decorator
@inline
export function integers(a: v128, b: v128): v128 {
  const byHundred = v128.load(BY_HUNDRED);
  const fours = i16x8.narrow_i32x4_u(i32x4.dot_i16x8_s(twos(a), byHundred), i32x4.dot_i16x8_s(twos(b), byHundred));
  return i32x4.dot_i16x8_s(fours, v128.load(BY_TEN_THOUSAND));
}

/** Joins pairs of digits to integers. */
// @ts-ignore: decorator
@inline
function twos(digits: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(BY_TEN), digits);
  const tens = v128.and(digits, i16x8.splat(255));
  return i16x8.add(i16x8.mul(tens, i16x8.splat(10)), i16x8.shr_u(digits, 8));
}

/** Both instructions agree on indices that are lanes or have the highest bit set. */
// @ts-ignore: decorator
@inline
function shuffle(v: v128, lanes: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i8x16.relaxed_swizzle(v, lanes) : i8x16.swizzle(v, lanes);
}
