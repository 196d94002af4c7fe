// Decimal digits in JavaScript's notation (ECMA-262, Number::toString), and the strings for numbers that JSON lacks.

/** Prints d 10^e as Number.prototype.toString does (ECMA-262, Number::toString). */
export function printDecimal(d: u64, e: i32, to: usize): usize {
  const first = spell(d);
  const end = significantEnd();
  const length = end - first;
  const point = i32(DIGITS + 24 - first) + e;
  if (point > 21 || point < -5) return printExponent(first, length, point - 1, to);
  if (point <= 0) {
    store<u64>(to, 0x3030303030302e30);
    return copyDigits(first, length, to + 2 - point);
  }
  // Digits may end before the point, so zeros fill the gap.
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

/** Scratch for digits before they are placed: three groups of 8, and room to copy from. */
const DIGITS = memory.data(48, 16);
const ZEROS: u64 = 0x3030303030303030;
const GROUP: u64 = 100000000;

/** Spells a number other than 0 with leading zeros, so that it ends at DIGITS + 24. Returns the address of its first digit. */
function spell(d: u64): usize {
  if (d < GROUP) return spellGroup(u32(d), DIGITS + 16);
  const rest = d / GROUP;
  spellGroup(u32(d - rest * GROUP), DIGITS + 16);
  if (rest < GROUP) return spellGroup(u32(rest), DIGITS + 8);
  const top = rest / GROUP;
  spellGroup(u32(rest - top * GROUP), DIGITS + 8);
  return spellGroup(u32(top), DIGITS);
}

/** Spells 8 digits in halves, quarters and eighths of a word at once. Returns the address of the first that is not 0. */
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

/** Returns the address after the last digit at DIGITS that is not 0. */
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

/** Copies up to 20 digits. Writes up to 24 bytes, of which the caller keeps `n`. */
// @ts-ignore: decorator
@inline
function copyDigits(from: usize, n: usize, to: usize): usize {
  store<u64>(to, load<u64>(from));
  store<u64>(to, load<u64>(from, 8), 8);
  store<u32>(to, load<u32>(from, 16), 16);
  return to + n;
}

export function printInteger(value: i64, to: usize): usize {
  to = printSign(value < 0, to);
  if (value == 0) return printZero(to);
  const first = spell(value < 0 ? u64(-value) : u64(value));
  return copyDigits(first, DIGITS + 24 - first, to);
}

// @ts-ignore: decorator
@inline
export function printSign(negative: bool, to: usize): usize {
  store<u8>(to, 45);
  return to + usize(negative);
}

export function printZero(to: usize): usize {
  store<u8>(to, 48);
  return to + 1;
}

/** Prints "NaN", "Infinity" or "-Infinity" with quotation marks. */
export function printSpecial(negative: bool, nan: bool, to: usize): usize {
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
