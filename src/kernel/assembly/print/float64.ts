// Prints blocks of float64 in three steps: scale64.ts computes the digits as integers, spell64.ts converts them to
// characters, layout64.ts writes each text.
//
// Subnormals and numbers whose digits scaling does not decide, such as most powers of two below 1, are left to the
// reference. They, 0, infinities and NaN get a bit in a word and no row. The other numbers fill the rows without gaps,
// so that a list of zeros costs little.
import { BLOCK } from "./block";
import { ROW64, ROWS64 } from "./block64";
import { place64 } from "./layout64";
import { nextRow, separate } from "./rows";
import { scale } from "./scale64";
import { printFloat64 } from "./schubfach";
import { spellBlock64 } from "./spell64";
import { printNonFinite } from "./texts";
import { isZero, placeZeros, placeZero } from "./zeros";

const CONSTANTS = memory.data<u64>([
  0x0010000000000000, 0x0010000000000000,
  0x7fe0000000000000, 0x7fe0000000000000,
], 16);
/** Added to a number's bits, changes the exponents of 0 and infinity to 1 and 0, which alone are 0 in EXPONENTS. */
const FIRST_BITS = CONSTANTS;
const EXPONENTS = CONSTANTS + 16;

/** Infinity without its sign bit. Larger magnitudes are NaN. */
const INFINITE64: u64 = 0xffe0000000000000;

/** Prints `n` float64 at `from`, starting with element `index` of a tensor, each followed by a comma. */
export function printFloat64s(from: usize, index: u32, n: u32, to: usize): usize {
  for (; n >= BLOCK; n -= BLOCK, index += BLOCK, from += BLOCK << 3) to = printBlock(from, index, BLOCK, to);
  return n == 0 ? to : printBlock(from, index, n, to);
}

function printBlock(from: usize, index: u32, n: u32, to: usize): usize {
  const isWhole = n == BLOCK && index + BLOCK <= nextRow;
  if (isWhole && load<u64>(from) == 0 && isZero(from, BLOCK << 3)) return placeZeros(to);
  const special = scaleBlock(from, n);
  spellBlock64(n - popcnt(special));
  return isWhole && special == 0 ? placeAll(from, to) : placeEach(from, special, index, n, to);
}

/** Scales the first `n` numbers of the block and returns a bit for each number without a row. */
function scaleBlock(from: usize, n: u32): u32 {
  const all: u32 = u32.MAX_VALUE >> (BLOCK - n);
  let special = specialsOf(from, n) & all;
  // A few zeros take less time as rows than as branches that the processor cannot predict.
  if (special != 0 && popcnt(special) <= n >> 1) special &= ~zerosOf(from, special);
  let row = ROWS64;
  for (let rest = all & ~special; rest != 0; rest &= rest - 1) {
    const at = ctz(rest);
    if (scale(load<u64>(from + (at << 3)), row)) row += ROW64;
    else special |= 1 << at;
  }
  return special;
}

/** Returns one bit for each 0, subnormal, infinity and NaN. */
function specialsOf(from: usize, n: u32): u32 {
  let special: u32 = 0;
  for (let at: u32 = 0; at < n; at += 2) {
    const pair = at + 1 < n ? v128.load(from + (at << 3)) : v128.load_zero<u64>(from + (at << 3));
    const exponents = v128.and(v128.add<i64>(pair, v128.load(FIRST_BITS)), v128.load(EXPONENTS));
    special |= i64x2.bitmask(v128.eq<i64>(exponents, i64x2.splat(0))) << at;
  }
  return special;
}

/** Returns those of the special numbers that are 0. */
function zerosOf(from: usize, special: u32): u32 {
  let zeros: u32 = 0;
  for (let rest = special; rest != 0; rest &= rest - 1) {
    const at = ctz(rest);
    zeros |= u32(load<u64>(from + (at << 3)) << 1 == 0) << at;
  }
  return zeros;
}

/** Writes a block of which every number has a row. */
function placeAll(from: usize, to: usize): usize {
  const end = ROWS64 + usize(BLOCK) * ROW64;
  for (let row = ROWS64; row < end; row += ROW64, from += 8) to = place64(row, load<u64>(from), to);
  return to;
}

/** Writes a block number by number, for rows and special numbers. */
function placeEach(from: usize, special: u32, index: u32, n: u32, to: usize): usize {
  let row = ROWS64;
  for (let at: u32 = 0; at < n; at++, from += 8) {
    to = separate(index + at, to);
    if ((special >> at) & 1) to = printSpecial(load<u64>(from), to);
    else {
      to = place64(row, load<u64>(from), to);
      row += ROW64;
    }
  }
  return to;
}

// @ts-ignore: decorator
@inline
function printSpecial(bits: u64, to: usize): usize {
  const magnitude = bits << 1;
  if (magnitude == 0) return placeZero(u32(bits >> 63), to);
  if (magnitude >= INFINITE64) return printNonFinite(u32(bits >> 63), magnitude > INFINITE64, to);
  to = printFloat64(bits, to);
  store<u8>(to, 44);
  return to + 1;
}
