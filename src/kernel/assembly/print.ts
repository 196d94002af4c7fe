// Numbers -> the shortest decimal that reads back as the same number of their dtype, in JavaScript's notation.
// R. Giulietti, "The Schubfach way to render doubles" (2022); the letters are the paper's.
import { multiplyHigh } from "./decimal";
import { FLOAT16, FLOAT32, FLOAT64, INT32, INT64 } from "./formats";
import { scaleHigh, scaleLow } from "./powers";

/** No number takes more characters: -2.2250738585072014e-308, -123456789012345680000, -9223372036854775808. */
export const NUMBER_CHARS: usize = 32;

const MASK_63: u64 = 0x7fffffffffffffff;

/** "00" to "99", to write two digits at a time. */
const PAIRS = memory.data<u8>([
  48,48,48,49,48,50,48,51,48,52,48,53,48,54,48,55,48,56,48,57,49,48,49,49,49,50,49,51,49,52,49,53,49,54,49,55,49,56,49,57,
  50,48,50,49,50,50,50,51,50,52,50,53,50,54,50,55,50,56,50,57,51,48,51,49,51,50,51,51,51,52,51,53,51,54,51,55,51,56,51,57,
  52,48,52,49,52,50,52,51,52,52,52,53,52,54,52,55,52,56,52,57,53,48,53,49,53,50,53,51,53,52,53,53,53,54,53,55,53,56,53,57,
  54,48,54,49,54,50,54,51,54,52,54,53,54,54,54,55,54,56,54,57,55,48,55,49,55,50,55,51,55,52,55,53,55,54,55,55,55,56,55,57,
  56,48,56,49,56,50,56,51,56,52,56,53,56,54,56,55,56,56,56,57,57,48,57,49,57,50,57,51,57,52,57,53,57,54,57,55,57,56,57,57,
]);

/** Where the loader has answers written before it copies them out. */
export const paperAt: usize = memory.data(66560, 16);
export const paperBytes: usize = 65536;

/** Where digits are spelled before they are placed. */
const DIGITS = memory.data(32, 16);

/**
 * Prints `n` elements from `from`, separated by commas, to `to`. Returns the address after the last character; at most
 * `n` * (NUMBER_CHARS + 1) bytes.
 */
export function printNumbers(from: usize, dtype: i32, n: usize, to: usize): usize {
  const width: usize = dtype == FLOAT64 || dtype == INT64 ? 3 : dtype == FLOAT32 || dtype == INT32 ? 2 : dtype == 6 ? 0 : 1;
  for (let i: usize = 0; i < n; i++) {
    if (i > 0) {
      store<u8>(to, 44);
      to++;
    }
    to = printNumber(from + (i << width), dtype, to);
  }
  return to;
}

function printNumber(at: usize, dtype: i32, to: usize): usize {
  switch (dtype) {
    case FLOAT64: return printFloat64(load<u64>(at), to);
    case FLOAT32: return printFloat32(load<u32>(at), to);
    case FLOAT16: return printFloat16(load<u16>(at), to);
    case INT64: return printInteger(load<i64>(at), to);
    case INT32: return printInteger(i64(load<i32>(at)), to);
    case 6: return printInteger(i64(load<u8>(at)), to);
    default: return printBFloat16(load<u16>(at), to);
  }
}

function printFloat64(bits: u64, to: usize): usize {
  const biased = i32((bits >> 52) & 0x7ff);
  const t = bits & 0xfffffffffffff;
  if (biased == 0x7ff) return printSpecial(bits >> 63 != 0, t != 0, to);
  to = printSign(bits >> 63 != 0, to);
  if (biased == 0) return t == 0 ? printZero(to) : shortest64(-1074, t, false, to);
  const c = t | 0x10000000000000;
  const q = biased - 1075;
  if (q < 0 && q > -53 && (c & ((u64(1) << -q) - 1)) == 0) return printDecimal(c >> -q, 0, to);
  return shortest64(q, c, t == 0 && biased > 1, to);
}

function printFloat32(bits: u32, to: usize): usize {
  const biased = i32((bits >> 23) & 0xff);
  const t = bits & 0x7fffff;
  if (biased == 0xff) return printSpecial(bits >> 31 != 0, t != 0, to);
  to = printSign(bits >> 31 != 0, to);
  if (biased == 0) return t == 0 ? printZero(to) : shortest32(-149, t, false, to);
  return printNormal32(biased - 150, t | 0x800000, t == 0 && biased > 1, to);
}

function printFloat16(bits: u32, to: usize): usize {
  const biased = i32((bits >> 10) & 0x1f);
  const t = bits & 0x3ff;
  if (biased == 0x1f) return printSpecial(bits >> 15 != 0, t != 0, to);
  to = printSign(bits >> 15 != 0, to);
  if (biased == 0) return t == 0 ? printZero(to) : shortest32(-24, t, false, to);
  return printNormal32(biased - 25, t | 0x400, t == 0 && biased > 1, to);
}

function printBFloat16(bits: u32, to: usize): usize {
  const biased = i32((bits >> 7) & 0xff);
  const t = bits & 0x7f;
  if (biased == 0xff) return printSpecial(bits >> 15 != 0, t != 0, to);
  to = printSign(bits >> 15 != 0, to);
  if (biased == 0) return t == 0 ? printZero(to) : shortest32(-133, t, false, to);
  return printNormal32(biased - 134, t | 0x80, t == 0 && biased > 1, to);
}

function printNormal32(q: i32, c: u32, irregular: bool, to: usize): usize {
  if (q < 0 && q > -24 && (c & ((1 << -q) - 1)) == 0) return printDecimal(u64(c >> -q), 0, to);
  return shortest32(q, c, irregular, to);
}

// floor(log10(2^e)), floor(log10(3/4 2^e)), floor(log2(10^e)) for the exponents of float64 (section 9.9 of the paper).
// @ts-ignore: decorator
@inline
function flog10pow2(e: i32): i32 {
  return i32((i64(e) * 661971961083) >> 41);
}
// @ts-ignore: decorator
@inline
function flog10threeQuartersPow2(e: i32): i32 {
  return i32((i64(e) * 661971961083 - 274743187321) >> 41);
}
// @ts-ignore: decorator
@inline
function flog2pow10(e: i32): i32 {
  return i32((i64(e) * 913124641741) >> 38);
}

/** Prints c 2^q; `irregular` where the next smaller number is only half as far away as the next larger. */
function shortest64(q: i32, c: u64, irregular: bool, to: usize): usize {
  const out = c & 1;
  const cb = c << 2;
  const k = irregular ? flog10threeQuartersPow2(q) : flog10pow2(q);
  const h = u64(q + flog2pow10(-k) + 2);
  const g1 = scaleHigh(k);
  const g0 = scaleLow(k);
  const vb = rop64(g1, g0, cb << h);
  const vbl = rop64(g1, g0, (irregular ? cb - 1 : cb - 2) << h);
  const vbr = rop64(g1, g0, (cb + 2) << h);
  return choose(vb, vbl + out, vbr - out, k, to);
}

/** The same for numbers of at most 24 bits: one word of g is enough. */
function shortest32(q: i32, c: u32, irregular: bool, to: usize): usize {
  const out = u64(c & 1);
  const cb = u64(c) << 2;
  const k = irregular ? flog10threeQuartersPow2(q) : flog10pow2(q);
  const h = u64(q + flog2pow10(-k) + 33);
  const g = scaleHigh(k) + 1;
  const vb = rop32(g, cb << h);
  const vbl = rop32(g, (irregular ? cb - 1 : cb - 2) << h);
  const vbr = rop32(g, (cb + 2) << h);
  return choose(vb, vbl + out, vbr - out, k, to);
}

// @ts-ignore: decorator
@inline
function rop64(g1: u64, g0: u64, cp: u64): u64 {
  const x1 = multiplyHigh(g0, cp);
  const y0 = g1 * cp;
  const y1 = multiplyHigh(g1, cp);
  const z = (y0 >> 1) + x1;
  const w = y1 + (z >> 63);
  return w | (((z & MASK_63) + MASK_63) >> 63);
}

// @ts-ignore: decorator
@inline
function rop32(g: u64, cp: u64): u64 {
  const x1 = multiplyHigh(g, cp);
  return (x1 >> 31) | (((x1 & 0xffffffff) + 0xffffffff) >> 32);
}

/** Of the decimals within [vbl, vbr] / 4 the one with the fewest digits, and of those the closest to vb / 4. */
function choose(vb: u64, vbl: u64, vbr: u64, k: i32, to: usize): usize {
  const s = vb >> 2;
  if (s >= 10) {
    const sp = s / 10;
    const below = vbl <= 40 * sp;
    const above = 40 * sp + 40 <= vbr;
    if (below != above) return printDecimal(sp + u64(above), k + 1, to);
  }
  const below = vbl <= s << 2;
  const above = (s << 2) + 4 <= vbr;
  if (below != above) return printDecimal(s + u64(above), k, to);
  const middle = (s << 2) + 2;
  return printDecimal(s + u64(vb > middle || (vb == middle && (s & 1) != 0)), k, to);
}

/** Prints d 10^e as Number.prototype.toString does (ECMA-262, Number::toString). */
function printDecimal(d: u64, e: i32, to: usize): usize {
  while (d % 10 == 0 && d != 0) {
    d /= 10;
    e++;
  }
  const length = spell(d);
  const first = DIGITS + 24 - length;
  const point = i32(length) + e;
  if (point > 21 || point < -5) return printExponent(first, length, point - 1, to);
  if (point <= 0) {
    store<u16>(to, 0x2e30);
    to += 2;
    for (let i = point; i < 0; i++) {
      store<u8>(to, 48);
      to++;
    }
    return copyDigits(first, length, to);
  }
  if (usize(point) >= length) {
    to = copyDigits(first, length, to);
    for (let i = i32(length); i < point; i++) {
      store<u8>(to, 48);
      to++;
    }
    return to;
  }
  to = copyDigits(first, point, to);
  store<u8>(to, 46);
  return copyDigits(first + point, length - point, to + 1);
}

function printExponent(first: usize, length: usize, exponent: i32, to: usize): usize {
  store<u8>(to, load<u8>(first));
  to++;
  if (length > 1) {
    store<u8>(to, 46);
    to = copyDigits(first + 1, length - 1, to + 1);
  }
  store<u8>(to, 101);
  store<u8>(to, exponent < 0 ? 45 : 43, 1);
  const count = spell(u64(exponent < 0 ? -exponent : exponent));
  return copyDigits(DIGITS + 24 - count, count, to + 2);
}

/** Spells a number so that it ends at DIGITS + 24; returns its length. */
function spell(d: u64): usize {
  let at = DIGITS + 24;
  while (d >= 100) {
    const rest = d / 100;
    at -= 2;
    store<u16>(at, load<u16>(PAIRS + usize((d - rest * 100) << 1)));
    d = rest;
  }
  if (d >= 10) {
    at -= 2;
    store<u16>(at, load<u16>(PAIRS + usize(d << 1)));
  } else {
    at--;
    store<u8>(at, u8(48 + d));
  }
  return DIGITS + 24 - at;
}

/** Copies up to 20 digits; writes up to 24 bytes, of which the caller keeps `n`. */
// @ts-ignore: decorator
@inline
function copyDigits(from: usize, n: usize, to: usize): usize {
  store<u64>(to, load<u64>(from));
  store<u64>(to, load<u64>(from, 8), 8);
  store<u32>(to, load<u32>(from, 16), 16);
  return to + n;
}

function printInteger(value: i64, to: usize): usize {
  to = printSign(value < 0, to);
  const length = spell(value < 0 ? u64(-value) : u64(value));
  return copyDigits(DIGITS + 24 - length, length, to);
}

// @ts-ignore: decorator
@inline
function printSign(negative: bool, to: usize): usize {
  store<u8>(to, 45);
  return to + usize(negative);
}

function printZero(to: usize): usize {
  store<u8>(to, 48);
  return to + 1;
}

/** "NaN", "Infinity" and "-Infinity", with their quotation marks. */
function printSpecial(negative: bool, nan: bool, to: usize): usize {
  store<u8>(to, 34);
  to++;
  if (nan) {
    store<u32>(to, 0x224e614e);
    return to + 4;
  }
  to = printSign(negative, to);
  store<u64>(to, 0x7974696e69666e49);
  store<u8>(to, 34, 8);
  return to + 9;
}
