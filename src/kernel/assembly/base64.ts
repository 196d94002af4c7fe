// Base64 (RFC 4648, section 4), standard alphabet, padded.

const ALPHABET = memory.data<u8>([
  65,66,67,68,69,70,71,72,73,74,75,76,77,78,79,80,81,82,83,84,85,86,87,88,89,90,
  97,98,99,100,101,102,103,104,105,106,107,108,109,110,111,112,113,114,115,116,117,118,119,120,121,122,
  48,49,50,51,52,53,54,55,56,57,43,47,
]);

/** Returns the value of a base64 character, or 64 for any other. */
// @ts-ignore: decorator
@inline
export function sextet(c: u32): u32 {
  if (c - 65 < 26) return c - 65;
  if (c - 97 < 26) return c - 71;
  if (c - 48 < 10) return c + 4;
  if (c == 43) return 62;
  return c == 47 ? 63 : 64;
}

/** Writes `n` bytes as padded base64 and returns the address after the last character. */
export function encodeBase64(from: usize, n: usize, to: usize): usize {
  let at: usize = 0;
  for (; at + 3 <= n; at += 3) {
    const v = (u32(load<u8>(from + at)) << 16) | (u32(load<u8>(from + at, 1)) << 8) | u32(load<u8>(from + at, 2));
    store<u32>(to, letter(v >> 18) | (letter((v >> 12) & 63) << 8) | (letter((v >> 6) & 63) << 16) | (letter(v & 63) << 24));
    to += 4;
  }
  const left = n - at;
  if (left == 0) return to;
  const v = (u32(load<u8>(from + at)) << 16) | (left == 2 ? u32(load<u8>(from + at, 1)) << 8 : 0);
  const third = left == 2 ? letter((v >> 6) & 63) : 61;
  store<u32>(to, letter(v >> 18) | (letter((v >> 12) & 63) << 8) | (third << 16) | (61 << 24));
  return to + 4;
}

// @ts-ignore: decorator
@inline
function letter(sextet: u32): u32 {
  return u32(load<u8>(ALPHABET + sextet));
}

// W. Mula and D. Lemire, "Faster base64 encoding and decoding using AVX2 instructions" (2018), section 3, on 16 bytes.
// A character is valid if its entries in the first two tables share no bit. The third table holds the offset of its
// value, by its upper half.
const LOW_HALVES = memory.data<u8>([
  0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a,
], 16);
const HIGH_HALVES = memory.data<u8>([
  0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
], 16);
const SHIFTS = memory.data<u8>([0, 16, 19, 4, 191, 191, 185, 185, 0, 0, 0, 0, 0, 0, 0, 0], 16);
/** Selects the three bytes of each 32-bit lane, most significant first. */
const BYTES = memory.data<u8>([2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 16, 16, 16, 16], 16);

/**
 * Decodes blocks of 16 characters to 12 bytes, up to the first block with any other character or without room. Writes
 * up to 4 bytes more, within [to, room). Returns the count of characters read.
 */
export function decodeBlocks(from: usize, end: usize, to: usize, room: usize): usize {
  const lowHalves = v128.load(LOW_HALVES);
  const highHalves = v128.load(HIGH_HALVES);
  const shifts = v128.load(SHIFTS);
  const bytes = v128.load(BYTES);
  const slash = i8x16.splat(47);
  const low = i8x16.splat(15);
  let p = from;
  for (; end - p >= 16 && room - to >= 16; p += 16, to += 12) {
    const text = v128.load(p);
    const high = i8x16.shr_u(text, 4);
    const wrong = v128.and(i8x16.swizzle(lowHalves, v128.and(text, low)), i8x16.swizzle(highHalves, high));
    if (v128.any_true(wrong)) break;
    const sextets = i8x16.add(text, i8x16.swizzle(shifts, i8x16.add(high, i8x16.eq(text, slash))));
    const first = i32x4.shl(v128.and(sextets, i32x4.splat(0x3f)), 18);
    const second = i32x4.shl(v128.and(sextets, i32x4.splat(0x3f00)), 4);
    const third = i32x4.shr_u(v128.and(sextets, i32x4.splat(0x3f0000)), 10);
    const lanes = v128.or(v128.or(first, second), v128.or(third, i32x4.shr_u(sextets, 24)));
    v128.store(to, i8x16.swizzle(lanes, bytes));
  }
  return p - from;
}
