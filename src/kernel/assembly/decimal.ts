// Decimal text -> the nearest double, exactly as JSON.parse reads it (RFC 8259, section 6; ties to even).
import { powerHigh, powerLow, POWER_MAX, POWER_MIN } from "./powers";

/** Reads a number token that the fast paths cannot decide; the host's own parser is correct for any length. */
@external("host", "parseNumber")
declare function parseNumber(at: usize, length: usize): f64;

/** The longest number token, in characters: what is kept when a chunk ends inside one. */
export const NUMBER_LIMIT: usize = 1000;

export const NUMBER_OK: i32 = 0;
/** The token may go on after the bytes at hand. */
export const NUMBER_PART: i32 = 1;
export const NUMBER_BAD: i32 = 2;
export const NUMBER_LONG: i32 = 3;

/** The value of the token last read. */
export let numberValue: f64 = 0;
/** The byte after the token last read, or the byte at which it stopped being a number. */
export let numberEnd: usize = 0;
/** Whether it was written as an integer; its digits when there are at most 19. */
export let numberIsInteger: bool = false;
export let numberDigits: u64 = 0;

/** 10^0 to 10^22: the powers of ten that are doubles. */
const TENS = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]);

// @ts-ignore: decorator
@inline
function isDigit(c: u32): bool {
  return c - 48 < 10;
}

/** Whether the 8 bytes are all digits (Lemire, "Number parsing at a gigabyte per second", 2021, section 3). */
// @ts-ignore: decorator
@inline
function areDigits(v: u64): bool {
  return ((v & 0xf0f0f0f0f0f0f0f0) | (((v + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4)) == 0x3333333333333333;
}

/** The number that 8 digits spell, first digit in the lowest byte. */
// @ts-ignore: decorator
@inline
function eightDigits(v: u64): u64 {
  v -= 0x3030303030303030;
  v = v * 10 + (v >> 8);
  return (((v & 0x000000ff000000ff) * 0x000f424000000064 + ((v >> 16) & 0x000000ff000000ff) * 0x0000271000000001) >> 32) & 0xffffffff;
}

/** Reads the number token at `p`, which holds a digit or a minus sign. */
export function readNumber(p: usize, end: usize): i32 {
  const start = p;
  let c: u32 = load<u8>(p);
  const negative = c == 45;
  if (negative) {
    if (++p == end) return part(start, end);
    c = load<u8>(p);
  }
  numberEnd = p;
  if (!isDigit(c)) return NUMBER_BAD;
  let digits: u64 = 0;
  let first = p;
  if (c == 48) {
    p++;
    if (p < end && isDigit(load<u8>(p))) {
      numberEnd = p;
      return NUMBER_BAD;
    }
  } else {
    while (p < end && isDigit((c = load<u8>(p)))) {
      digits = digits * 10 + (c - 48);
      p++;
    }
  }
  let count = p - first;
  let exponent: i32 = 0;
  let integer = true;
  if (p < end && load<u8>(p) == 46) {
    integer = false;
    const point = ++p;
    while (p + 8 <= end) {
      const v = load<u64>(p);
      if (!areDigits(v)) break;
      digits = digits * 100000000 + eightDigits(v);
      p += 8;
    }
    while (p < end && isDigit((c = load<u8>(p)))) {
      digits = digits * 10 + (c - 48);
      p++;
    }
    if (p == end) return part(start, end);
    numberEnd = p;
    if (p == point) return NUMBER_BAD;
    exponent = -i32(p - point);
    count += p - point;
  }
  if (p < end && (load<u8>(p) | 32) == 101) {
    integer = false;
    if (++p == end) return part(start, end);
    c = load<u8>(p);
    const down = c == 45;
    if (down || c == 43) {
      if (++p == end) return part(start, end);
    }
    const from = p;
    let written: i32 = 0;
    while (p < end && isDigit((c = load<u8>(p)))) {
      if (written < 100000) written = written * 10 + (c - 48);
      p++;
    }
    if (p == end) return part(start, end);
    numberEnd = p;
    if (p == from) return NUMBER_BAD;
    exponent += down ? -written : written;
  }
  if (p == end) return part(start, end);
  if (p - start > NUMBER_LIMIT) return NUMBER_LONG;
  numberEnd = p;
  numberIsInteger = integer && count <= 19;
  numberDigits = digits;
  // Leading zeros make the count too high at worst, which costs time but never a bit.
  const magnitude = count <= 19 ? toDouble(digits, exponent, start, p) : abs(parseNumber(start, p - start));
  numberValue = negative ? -magnitude : magnitude;
  return NUMBER_OK;
}

function part(start: usize, end: usize): i32 {
  return end - start > NUMBER_LIMIT ? NUMBER_LONG : NUMBER_PART;
}

// @ts-ignore: decorator
@inline
function toDouble(digits: u64, exponent: i32, start: usize, end: usize): f64 {
  // Clinger, "How to read floating point numbers accurately" (1990): both operands exact, so one rounding.
  if (digits <= 0x20000000000000) {
    if (exponent == 0) return f64(digits);
    if (exponent < 0 && exponent >= -22) return f64(digits) / load<f64>(TENS + (usize(-exponent) << 3));
    if (exponent > 0 && exponent <= 22) return f64(digits) * load<f64>(TENS + (usize(exponent) << 3));
  }
  return eiselLemire(digits, exponent, start, end);
}

/**
 * Lemire, "Number parsing at a gigabyte per second" (2021), section 5, with the 128-bit powers of ten; leaves to the host
 * what the product cannot decide, subnormals and overflow.
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
    // The power is cut off below: a product this close to a carry cannot be decided here.
    if (lower >= 0xfffffffffffffffe) return abs(parseNumber(start, end - start));
  }
  const top = upper >> 63;
  const mantissa = upper >> (top + 9);
  const binary = ((217706 * exponent) >> 16) + 1023 + 63 - i32(shift) + i32(top);
  if (binary <= 1 || binary >= 2046) return abs(parseNumber(start, end - start));
  // Halfway, or too close to say: the bits below the rounding bit are all 0.
  if ((upper & ((u64(1) << (top + 9)) - 1)) == 0 && lower <= 1 && (mantissa & 1) == 1) {
    return abs(parseNumber(start, end - start));
  }
  const rounded = (mantissa + (mantissa & 1)) >> 1;
  const carried = rounded >> 53;
  return reinterpret<f64>(((rounded >> carried) & 0xfffffffffffff) | ((u64(binary) + carried) << 52));
}

/** The upper 64 bits of a product of two 64-bit numbers. */
export function multiplyHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const mid = ah * bl + ((al * bl) >> 32);
  const cross = al * bh + (mid & 0xffffffff);
  return ah * bh + (mid >> 32) + (cross >> 32);
}
