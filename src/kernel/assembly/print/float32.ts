// Prints blocks of float32 in three steps: scale.ts computes the digits as integers, spell.ts converts them to
// characters, layout.ts writes each text.
//
// Some numbers are looked up or left to the reference. 0, infinities, NaN and powers of two, whose lower neighbor is
// nearer, are in texts.ts. Subnormals and the one float32 that is rounded twice are in schubfach.ts. A block with such
// a number, or in which a row begins, is written number by number.
import { BLOCK, LAYOUTS, SPELLINGS } from "./block";
import { place } from "./layout";
import { nextRow, separate } from "./rows";
import { scaleFour } from "./scale";
import { printFloat32, TWICE_ROUNDED } from "./schubfach";
import { spellBlock } from "./spell";
import { hasText, INFINITE, placeText, printNewText, printNonFinite } from "./texts";
import { isZero, placeZeros } from "./zeros";

const CONSTANTS = memory.data<u32>([
  0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff,
  0x007fffff, 0x007fffff, 0x007fffff, 0x007fffff,
  0x00800000, 0x00800000, 0x00800000, 0x00800000, // 2^-126, the smallest normal number
  INFINITE, INFINITE, INFINITE, INFINITE,
  TWICE_ROUNDED, TWICE_ROUNDED, TWICE_ROUNDED, TWICE_ROUNDED,
], 16);
const MAGNITUDE = CONSTANTS;
const MANTISSA = CONSTANTS + 16;
const SMALLEST = CONSTANTS + 32;
const INFINITY = CONSTANTS + 48;
const ROUNDED = CONSTANTS + 64;

/** Texts of 0 and of the powers of two, by biased exponent. */
const TEXTS = memory.data(256 * 16, 16);

/** Last numbers, which fill no block, padded with zeros. */
const LAST = memory.data(128, 16);

/** Prints `n` float32 at `from`, starting with element `index` of a tensor, each followed by a comma. */
export function printFloat32s(from: usize, index: u32, n: u32, to: usize): usize {
  for (; n >= BLOCK; n -= BLOCK, index += BLOCK, from += BLOCK << 2) to = printBlock(from, index, BLOCK, to);
  if (n == 0) return to;
  memory.fill(LAST, 0, BLOCK << 2);
  memory.copy(LAST, from, usize(n) << 2);
  return printBlock(LAST, index, n, to);
}

function printBlock(from: usize, index: u32, n: u32, to: usize): usize {
  const isWhole = n == BLOCK && index + BLOCK <= nextRow;
  if (isWhole && isZero(from, BLOCK << 2)) return placeZeros(to);
  const special = scaleBlock(from, n);
  if (special != u32.MAX_VALUE) spellBlock(n);
  if (!isWhole || special != 0) return placeEach(from, special, index, n, to);
  for (let at: usize = 0; at < BLOCK; at++) to = placeNumber(from, at, to);
  return to;
}

/** Scales the first `n` numbers of the block and returns a bit for each number that scaling does not support. */
function scaleBlock(from: usize, n: u32): u32 {
  let special: u32 = 0;
  for (let at: u32 = 0; at < n; at += 4) {
    const some = specialsOf(v128.load(from + (at << 2)));
    special |= some << at;
    if (some != 15) scaleFour(from + (at << 2), at);
  }
  return special;
}

/** Writes a block number by number, for rows and special numbers. */
function placeEach(from: usize, special: u32, index: u32, n: u32, to: usize): usize {
  for (let at: u32 = 0; at < n; at++) {
    to = separate(index + at, to);
    if ((special >> at) & 1) to = printSpecial(load<u32>(from + (at << 2)), to);
    else to = placeNumber(from, at, to);
  }
  return to;
}

// @ts-ignore: decorator
@inline
function placeNumber(from: usize, at: usize, to: usize): usize {
  return place(SPELLINGS + (at << 4), load<u32>(at << 2, LAYOUTS), load<u32>(from + (at << 2)), to);
}

/** Returns one bit for each number that the vector steps do not support. */
// @ts-ignore: decorator
@inline
function specialsOf(bits: v128): u32 {
  const magnitudes = v128.and(bits, v128.load(MAGNITUDE));
  const isPower = v128.eq<i32>(v128.and(bits, v128.load(MANTISSA)), i32x4.splat(0));
  const isSmall = v128.lt<i32>(magnitudes, v128.load(SMALLEST));
  const isLarge = v128.gt<i32>(magnitudes, v128.load(INFINITY));
  const isRounded = v128.eq<i32>(magnitudes, v128.load(ROUNDED));
  return i32x4.bitmask(v128.or(v128.or(isPower, isSmall), v128.or(isLarge, isRounded)));
}

// @ts-ignore: decorator
@inline
function printSpecial(bits: u32, to: usize): usize {
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= INFINITE) return printNonFinite(bits >> 31, magnitude > INFINITE, to);
  if ((bits & 0x7fffff) == 0) {
    const row = TEXTS + (usize(magnitude >> 23) << 4);
    return hasText(row) ? placeText(row, bits >> 31, to) : printNewText(row, bits, to);
  }
  to = printFloat32(bits, to);
  store<u8>(to, 44);
  return to + 1;
}
