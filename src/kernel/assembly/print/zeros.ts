// Prints zeros, of which gradients often have many, and blocks of them as one constant.
import { BLOCK } from "./block";

const EIGHT_ZEROS = memory.data<u32>([0x2c302c30, 0x2c302c30, 0x2c302c30, 0x2c302c30], 16); // "0,0,0,0,0,0,0,0,"

/** Returns whether `bytes` bytes, a multiple of 16, are 0. */
// @ts-ignore: decorator
@inline
export function isZero(from: usize, bytes: usize): bool {
  let all = v128.load(from);
  for (let at: usize = 16; at < bytes; at += 16) all = v128.or(all, v128.load(from + at));
  return !v128.any_true(all);
}

/** Prints a block of zeros, each followed by a comma. */
export function placeZeros(to: usize): usize {
  for (const end = to + (BLOCK << 1); to < end; to += 16) v128.store(to, v128.load(EIGHT_ZEROS));
  return to;
}

/** Writes 0 or -0 and a comma. Returns the address after it. */
// @ts-ignore: decorator
@inline
export function placeZero(negative: u32, to: usize): usize {
  store<u8>(to, 45);
  to += usize(negative);
  store<u16>(to, 0x2c30);
  return to + 2;
}
