// Tails: the characters after the last digit of a number, with the comma, as a word of 8 bytes. Its highest byte is the
// count of characters, so that one store writes a tail and one shift finds its end.

const COMMA: u64 = 44;

// @ts-ignore: decorator
@inline
export function tailLength(tail: u64): usize {
  return usize(tail >> 56);
}

/** Builds the tail of `zeros` zeros and a comma. */
export function zerosTail(zeros: i32): u64 {
  let tail: u64 = 0;
  for (let at = 0; at < zeros; at++) tail = append(tail, 48);
  return append(tail, COMMA);
}

/** Builds the tail of "e", a sign, an exponent of at most three digits without leading zeros, and a comma. */
export function exponentTail(exponent: i32): u64 {
  const magnitude = abs(exponent);
  let tail = append(append(0, 101), exponent < 0 ? 45 : 43);
  if (magnitude >= 100) tail = append(tail, 48 + magnitude / 100);
  if (magnitude >= 10) tail = append(tail, 48 + (magnitude / 10) % 10);
  return append(append(tail, 48 + magnitude % 10), COMMA);
}

function append(tail: u64, character: u64): u64 {
  return (tail | (character << (tailLength(tail) << 3))) + (u64(1) << 56);
}
