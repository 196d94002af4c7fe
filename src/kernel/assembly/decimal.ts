// Converts decimal text to the nearest double, exactly as JSON.parse does (RFC 8259, section 6, ties to even).
import { powerHigh, powerLow, POWER_MAX, POWER_MIN } from "./powers";

/** Parses a number that the fast paths cannot decide. The host's parser is correct for any length. */
@external("host", "parseNumber")
declare function parseNumber(at: usize, length: usize): f64;

/** Longest number token in characters, which bounds the bytes kept between chunks. */
export const NUMBER_LIMIT: usize = 1000;

export const NUMBER_OK: i32 = 0;
/** The token may continue after the available bytes. */
export const NUMBER_PART: i32 = 1;
export const NUMBER_BAD: i32 = 2;
export const NUMBER_LONG: i32 = 3;

/** State of the last call, and the byte at which it stopped if it failed. */
export let numberState: i32 = NUMBER_OK;
export let numberStop: usize = 0;

/** Address of the first number that was rounded to 2^53 since {@link forgetRounded}, 0 for none. */
export let numberRounded: usize = 0;

export function forgetRounded(): void {
  numberRounded = 0;
}

/** 2^53, to which its odd neighbor is rounded, too. */
const EXACT: f64 = 9007199254740992;

/** Powers of ten that doubles represent exactly, 10^0 to 10^22. */
const TENS = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]);

/** 10^0 to 10^8, factors that shift the previous digits. */
const STEPS = memory.data<u64>([1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000]);

// @ts-ignore: decorator
@inline
function isDigit(c: u32): bool {
  return c - 48 < 10;
}

const ZEROS: u64 = 0x3030303030303030;

/** Counts the leading digits among 8 characters, given as their exclusive or with ZEROS. */
// @ts-ignore: decorator
@inline
function digitRun(x: u64): usize {
  return usize(ctz(((x + 0x0606060606060606) | x) & 0xf0f0f0f0f0f0f0f0) >> 3);
}

/** Parses 8 digits, the first in the lowest byte (Lemire, "Number parsing at a gigabyte per second", 2021). */
// @ts-ignore: decorator
@inline
function eightDigits(x: u64): u64 {
  x = x * 10 + (x >> 8);
  return (((x & 0x000000ff000000ff) * 0x000f424000000064 + ((x >> 16) & 0x000000ff000000ff) * 0x0000271000000001) >> 32) & 0xffffffff;
}

/**
 * Reads the number token at `p`, which begins with a digit, "-", "." or "/", and writes its value to `to`. Returns the
 * address after the token, or 0 with the reason in numberState. The 8 bytes at `end` hold zeros, which end every token.
 */
export function readNumber(p: usize, end: usize, to: usize): usize {
  const start = p;
  const negative = load<u8>(p) == 45;
  p += usize(negative);
  const first = p;
  let c: u32 = load<u8>(p);
  let digits: u64 = 0;
  while (isDigit(c)) {
    digits = digits * 10 + (c - 48);
    c = load<u8>(++p);
  }
  let count = p - first;
  if (count == 0) return failed(start, p, end);
  if (count > 1 && load<u8>(first) == 48) return failed(start, first + 1, end);
  let exponent: i32 = 0;
  if (c == 46) {
    const point = ++p;
    let x = load<u64>(p) ^ ZEROS;
    let run = digitRun(x);
    while (run == 8) {
      digits = digits * 100000000 + eightDigits(x);
      p += 8;
      x = load<u64>(p) ^ ZEROS;
      run = digitRun(x);
    }
    if (run != 0) {
      digits = digits * load<u64>(STEPS + (run << 3)) + eightDigits(x << ((8 - run) << 3));
      p += run;
    }
    if (p == point) return failed(start, p, end);
    exponent = -i32(p - point);
    count += p - point;
    c = load<u8>(p);
  }
  if ((c | 32) == 101) {
    c = load<u8>(++p);
    const down = c == 45;
    if (down || c == 43) c = load<u8>(++p);
    const from = p;
    let written: i32 = 0;
    while (isDigit(c)) {
      if (written < 100000) written = written * 10 + (c - 48);
      c = load<u8>(++p);
    }
    if (p == from) return failed(start, p, end);
    exponent += down ? -written : written;
  }
  if (p == end || p - start > NUMBER_LIMIT) return failed(start, p, end);
  if (count > 19) count -= leadingZeros(first);
  // 19 digits fit in 64 bits.
  const magnitude = count <= 19 ? toDouble(digits, exponent, start, p) : abs(parseNumber(start, p - start));
  // A different spelling of 2^53 may be its neighbor, rounded.
  if (magnitude == EXACT && (digits != u64(EXACT) || exponent != 0) && numberRounded == 0) numberRounded = to;
  // Avoids a branch because signs are random, and a misprediction costs more than reading the digits.
  store<u64>(to, reinterpret<u64>(magnitude) | (u64(negative) << 63));
  return p;
}

/** Reports the first error that a byte-wise reader would find: incomplete, too long, or malformed. */
function failed(start: usize, p: usize, end: usize): usize {
  numberState = p - start > NUMBER_LIMIT ? NUMBER_LONG : p == end ? NUMBER_PART : NUMBER_BAD;
  numberStop = numberState == NUMBER_BAD ? p : start;
  return 0;
}

/** Counts the zeros before the first significant digit. */
function leadingZeros(p: usize): usize {
  let zeros: usize = 0;
  for (; load<u8>(p) == 48 || load<u8>(p) == 46; p++) zeros += usize(load<u8>(p) == 48);
  return zeros;
}

// @ts-ignore: decorator
@inline
function toDouble(digits: u64, exponent: i32, start: usize, end: usize): f64 {
  // Both operands are exact, so there is one rounding (Clinger, "How to read floating point numbers accurately", 1990).
  if (digits <= 0x20000000000000) {
    // Processors convert only signed integers in one instruction.
    const exact = f64(i64(digits));
    if (exponent == 0) return exact;
    if (exponent < 0 && exponent >= -22) return exact / load<f64>(TENS + (usize(-exponent) << 3));
    if (exponent > 0 && exponent <= 22) return exact * load<f64>(TENS + (usize(exponent) << 3));
  }
  return eiselLemire(digits, exponent, start, end);
}

/**
 * Lemire, "Number parsing at a gigabyte per second" (2021), section 5, with 128-bit powers of ten. Leaves undecided
 * products, subnormals and overflow to the host.
 */
function eiselLemire(digits: u64, exponent: i32, start: usize, end: usize): f64 {
  if (digits == 0) return 0;
  if (exponent < POWER_MIN || exponent > POWER_MAX) return abs(parseNumber(start, end - start));
  const shift = clz(digits);
  const w = digits << shift;
  const high = powerHigh(exponent);
  let upper = multiplyHigh(w, high);
  let lower = w * high;
  if ((upper & 0x1ff) == 0x1ff) {
    const second = multiplyHigh(w, powerLow(exponent));
    lower += second;
    if (lower < second) upper++;
    // The power is truncated, so a product this close to a carry is undecided.
    if (lower >= 0xfffffffffffffffe) return abs(parseNumber(start, end - start));
  }
  const top = upper >> 63;
  const mantissa = upper >> (top + 9);
  const binary = ((217706 * exponent) >> 16) + 1023 + 63 - i32(shift) + i32(top);
  if (binary <= 1 || binary >= 2046) return abs(parseNumber(start, end - start));
  // The bits below the rounding bit are all 0, so the value is halfway or too close to decide.
  if ((upper & ((u64(1) << (top + 9)) - 1)) == 0 && lower <= 1 && (mantissa & 1) == 1) {
    return abs(parseNumber(start, end - start));
  }
  const rounded = (mantissa + (mantissa & 1)) >> 1;
  const carried = rounded >> 53;
  return reinterpret<f64>(((rounded >> carried) & 0xfffffffffffff) | ((u64(binary) + carried) << 52));
}

/** Returns the upper 64 bits of a product of two 64-bit numbers. */
export function multiplyHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const mid = ah * bl + ((al * bl) >> 32);
  const cross = al * bh + (mid & 0xffffffff);
  return ah * bh + (mid >> 32) + (cross >> 32);
}
