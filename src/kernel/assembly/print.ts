// Numbers -> the shortest decimal that reads back as the same number of their dtype, in JavaScript's notation.
// R. Giulietti, "The Schubfach way to render doubles" (2022); the letters are the paper's.
import { multiplyHigh } from "./decimal";
import { BFLOAT16, FLOAT16, FLOAT32, FLOAT64, INT32, INT64 } from "./formats";
import { scaleHigh, scaleLow } from "./powers";

const MASK_63: u64 = 0x7fffffffffffffff;

/** Where the loader has answers written before it copies them out. */
export const paperAt: usize = memory.data(66560, 16);
export const paperBytes: usize = 65536;

/** Where the loader puts how many elements the lists of each level hold together, the innermost first: 8 times u32. */
export const spansAt: usize = memory.data(32, 16);

/** An element type of the printer alone: every element is an empty list. */
const EMPTY_LIST: i32 = 7;

/** Added to the element type: prints non-finite numbers as null. */
const NULLS: i32 = 8;

/**
 * Prints `n` elements that begin at `from` and are number `index` and so on of a tensor, with the commas and brackets between
 * them that `levels` levels of lists have. Returns the address after the last character. An element takes at most 49 bytes:
 * 24 characters, and with 7 levels 15 of punctuation; 10 more are scratch.
 */
export function printElements(from: usize, type: i32, index: u32, n: u32, levels: i32, to: usize): usize {
  const dtype = type & (NULLS - 1);
  const nulls = (type & NULLS) != 0;
  const width: usize = dtype == FLOAT64 || dtype == INT64 ? 3 : dtype == FLOAT32 || dtype == INT32 ? 2 : dtype >= 6 ? 0 : 1;
  const row = levels == 0 ? 0 : load<u32>(spansAt);
  let left = levels == 0 ? u32.MAX_VALUE : row - (index % row);
  if (index > 0 && left == row) to = printBreak(index, levels, to);
  else if (index > 0) to = printComma(to);
  for (let i: u32 = 0; i < n; i++) {
    if (left == 0) {
      to = printBreak(index + i, levels, to);
      left = row;
    } else if (i > 0) to = printComma(to);
    left--;
    const at = from + (usize(i) << width);
    to = nulls && isNonFinite(at, dtype) ? printNull(to) : printElement(at, dtype, to);
  }
  return to;
}

// @ts-ignore: decorator
@inline
function printComma(to: usize): usize {
  store<u8>(to, 44);
  return to + 1;
}

/** Closes the lists that end before element `index`, and opens as many. */
function printBreak(index: u32, levels: i32, to: usize): usize {
  let lists: usize = 0;
  while (lists < usize(levels) && index % load<u32>(spansAt + (lists << 2)) == 0) lists++;
  store<u64>(to, 0x5d5d5d5d5d5d5d5d);
  store<u8>(to + lists, 44);
  store<u64>(to + lists + 1, 0x5b5b5b5b5b5b5b5b);
  return to + 2 * lists + 1;
}

/** Whether the exponent of a float has all its bits. */
function isNonFinite(at: usize, dtype: i32): bool {
  switch (dtype) {
    case FLOAT64: return (load<u64>(at) & 0x7ff0000000000000) == 0x7ff0000000000000;
    case FLOAT32: return (load<u32>(at) & 0x7f800000) == 0x7f800000;
    case FLOAT16: return (load<u16>(at) & 0x7c00) == 0x7c00;
    case BFLOAT16: return (load<u16>(at) & 0x7f80) == 0x7f80;
    default: return false;
  }
}

function printElement(at: usize, dtype: i32, to: usize): usize {
  switch (dtype) {
    case FLOAT64: return printFloat64(load<u64>(at), to);
    case FLOAT32: return printFloat32(load<u32>(at), to);
    case FLOAT16: return printFloat16(load<u16>(at), to);
    case BFLOAT16: return printBFloat16(load<u16>(at), to);
    case INT64: return printInteger(load<i64>(at), to);
    case INT32: return printInteger(i64(load<i32>(at)), to);
    case EMPTY_LIST: {
      store<u16>(to, 0x5d5b);
      return to + 2;
    }
    default: return printInteger(i64(load<u8>(at)), to);
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

/**
 * The one magnitude of float32 whose shortest text, 7.038531e-26, reads back as its neighbour by way of a double, as JSON numbers are
 * read: the double is the midpoint of both. It gets one digit more (`npm run test:exhaustive`).
 */
const TWICE_ROUNDED: u32 = 0x15ae43fd;

function printFloat32(bits: u32, to: usize): usize {
  const biased = i32((bits >> 23) & 0xff);
  const t = bits & 0x7fffff;
  if (biased == 0xff) return printSpecial(bits >> 31 != 0, t != 0, to);
  to = printSign(bits >> 31 != 0, to);
  if (biased == 0) return t == 0 ? printZero(to) : shortest32(-149, t, false, to);
  if ((bits & 0x7fffffff) == TWICE_ROUNDED) return printDecimal(70385307, -33, to);
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

// Tried for float32, beside each other in one process: nine digits kept in a register instead of stored and copied, and the choice
// without branches: 0.86 of this speed, for what waits is the arithmetic.

/** The same for numbers of at most 24 bits: one word of g is enough, and a factor of 32 bits. */
function shortest32(q: i32, c: u32, irregular: bool, to: usize): usize {
  const out = u64(c & 1);
  const cb = u64(c) << 2;
  const k = irregular ? flog10threeQuartersPow2(q) : flog10pow2(q);
  const h = u64(q + flog2pow10(-k) + 1);
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

/** The paper's cp is 2^32 times this one, so that two products of 32 bits are 0. */
// @ts-ignore: decorator
@inline
function rop32(g: u64, cp: u64): u64 {
  const x1 = (g >> 32) * cp + (((g & 0xffffffff) * cp) >> 32);
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
  const first = spell(d);
  const end = significantEnd();
  const length = end - first;
  const point = i32(DIGITS + 24 - first) + e;
  if (point > 21 || point < -5) return printExponent(first, length, point - 1, to);
  if (point <= 0) {
    store<u64>(to, 0x3030303030302e30);
    return copyDigits(first, length, to + 2 - point);
  }
  // The digits may end before the point: as many zeros as are needed stand behind them.
  const whole = usize(point);
  if (whole >= length) {
    copyDigits(first, length, to);
    for (let at = to + length; at < to + whole; at++) store<u8>(at, 48);
    return to + whole;
  }
  copyDigits(first, whole, to);
  store<u8>(to + whole, 46);
  return copyDigits(first + whole, length - whole, to + whole + 1);
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
  return printInteger(exponent < 0 ? -exponent : exponent, to + 2);
}

/** Where digits are spelled before they are placed: three groups of 8, and room to copy from. */
const DIGITS = memory.data(48, 16);
const ZEROS: u64 = 0x3030303030303030;
const GROUP: u64 = 100000000;

/** Spells a number that is not 0, with zeros in front, so that it ends at DIGITS + 24; returns where its first digit stands. */
function spell(d: u64): usize {
  if (d < GROUP) return spellGroup(u32(d), DIGITS + 16);
  const rest = d / GROUP;
  spellGroup(u32(d - rest * GROUP), DIGITS + 16);
  if (rest < GROUP) return spellGroup(u32(rest), DIGITS + 8);
  const top = rest / GROUP;
  spellGroup(u32(rest - top * GROUP), DIGITS + 8);
  return spellGroup(u32(top), DIGITS);
}

/** Spells 8 digits, in halves, quarters and eighths of a word at once; returns where the first that is not 0 stands. */
// @ts-ignore: decorator
@inline
function spellGroup(d: u32, at: usize): usize {
  const upper = d / 10000;
  const fours = u64(upper) | (u64(d - upper * 10000) << 32);
  const hundreds = ((fours * 10486) >> 20) & 0x7f0000007f;
  const pairs = hundreds | ((fours - hundreds * 100) << 16);
  const tens = ((pairs * 103) >> 10) & 0x000f000f000f000f;
  const digits = tens | ((pairs - tens * 10) << 8);
  store<u64>(at, digits | ZEROS);
  return at + (usize(ctz(digits)) >> 3);
}

/** The address after the last digit at DIGITS that is not 0. */
// @ts-ignore: decorator
@inline
function significantEnd(): usize {
  let at = DIGITS + 24;
  let digits: u64;
  do {
    at -= 8;
    digits = load<u64>(at) ^ ZEROS;
  } while (digits == 0);
  return at + 8 - (usize(clz(digits)) >> 3);
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
  if (value == 0) return printZero(to);
  const first = spell(value < 0 ? u64(-value) : u64(value));
  return copyDigits(first, DIGITS + 24 - first, to);
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

function printNull(to: usize): usize {
  store<u32>(to, 0x6c6c756e);
  return to + 4;
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
