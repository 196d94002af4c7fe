// Base64 (RFC 4648, section 4), standard alphabet, padded.

const ALPHABET = memory.data<u8>([
  65,66,67,68,69,70,71,72,73,74,75,76,77,78,79,80,81,82,83,84,85,86,87,88,89,90,
  97,98,99,100,101,102,103,104,105,106,107,108,109,110,111,112,113,114,115,116,117,118,119,120,121,122,
  48,49,50,51,52,53,54,55,56,57,43,47,
]);

/** The value of a base64 character, or 64 for every other. */
// @ts-ignore: decorator
@inline
export function sextet(c: u32): u32 {
  if (c - 65 < 26) return c - 65;
  if (c - 97 < 26) return c - 71;
  if (c - 48 < 10) return c + 4;
  if (c == 43) return 62;
  return c == 47 ? 63 : 64;
}

/** Writes `n` bytes as base64 with padding; returns the address after the last character. */
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
