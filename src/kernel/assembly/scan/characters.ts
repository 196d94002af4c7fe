// ASCII characters that the scanner compares with.

const TAB: u32 = 9;
const NEWLINE: u32 = 10;
const RETURN: u32 = 13;
export const SPACE: u32 = 32;
export const QUOTE: u32 = 34;
export const COMMA: u32 = 44;
export const MINUS: u32 = 45;
export const SLASH: u32 = 47;
export const ZERO: u32 = 48;
export const COLON: u32 = 58;
export const EQUALS: u32 = 61;
export const OPEN_LIST: u32 = 91;
export const BACKSLASH: u32 = 92;
export const CLOSE_LIST: u32 = 93;
export const A: u32 = 97;
export const B: u32 = 98;
export const F: u32 = 102;
export const N: u32 = 110;
export const R: u32 = 114;
export const T: u32 = 116;
export const U: u32 = 117;
export const OPEN_OBJECT: u32 = 123;
export const CLOSE_OBJECT: u32 = 125;
export const TILDE: u32 = 126;

// Words, the first character in the lowest byte.
export const TRUE: u64 = 0x65757274;
export const FALSE: u64 = 0x65736c6166;
export const NULL: u64 = 0x6c6c756e;
export const NAN: u64 = 0x4e614e;
export const INFINITY: u64 = 0x7974696e69666e49;

/** Returns the first character of a word. */
// @ts-ignore: decorator
@inline
export function firstOf(word: u64): u32 {
  return u32(word & 255);
}

// @ts-ignore: decorator
@inline
export function isSpace(c: u32): bool {
  return c == SPACE || c == NEWLINE || c == RETURN || c == TAB;
}

// @ts-ignore: decorator
@inline
export function isDigit(c: u32): bool {
  return c - ZERO < 10;
}

/** Returns the value of a hexadecimal digit, or -1. */
export function hexDigit(c: u32): i32 {
  if (isDigit(c)) return i32(c - ZERO);
  const letter = c | 32;
  return letter - A < 6 ? i32(letter - A) + 10 : -1;
}
