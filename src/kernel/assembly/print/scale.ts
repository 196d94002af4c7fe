// Scales float32 from a binary to a decimal exponent, so that the shortest text can be read off the digits.
//
// A float32 is m 2^q with 2^23 <= m < 2^24, and the decimals that read back as it lie within half a step, 2^(q-1). With
// k = floor(log10 2^q), the step is between 10^k and 10^(k+1), so they include at least one multiple of 10^k and at
// most one of 10^(k+1). Let P = m 2^q / 10^(k+1). If an integer lies within h = 2^(q-1) / 10^(k+1) of P, its digits are
// the shortest. Otherwise the digits are floor(P) and one more, 10 times the fraction of P, rounded. This takes one
// product instead of Schubfach's three (Xiang JunBo's xjb, https://github.com/xjb714/xjb, also in V. Zverovich's zmij,
// https://github.com/vitaut/zmij).
//
// The factor of an exponent is G = floor(2^(64+q) / 10^(k+1)) + 1, 64 bits. The product with m 2^8 is truncated to 24
// bits and a fraction of 34, because G is rounded up and further bits of the fraction would break exact ties such as
// -190165390. 34 bits suffice because `npm run test:exhaustive` compares all 2^32 float32 with the reference.
import { INTEGERS, LAYOUTS, NEXT_DIGITS } from "./block";
import { scaleHigh, scaleLow } from "../powers";
import { layoutRow, NEXT_POWER_BITS } from "./layout";
import { flog10pow2, flog2pow10 } from "./schubfach";

/** For each biased exponent, u64 G and the u32 layout row of numbers with an integer of 6 digits. */
const SCALES = memory.data(256 * 16, 16);
const LAYOUT = 8;

const CONSTANTS = memory.data<u64>([
  0x8000000080000000, 0x8000000080000000, // m's first bit times 2^8
  0x0000000100000001, 0x0000000100000001,
  0x00000003ffffffff, 0x00000003ffffffff, // the largest fraction
  0x0000000200000000, 0x0000000200000000, // 1/2
  0x0000000100000000, 0x0000000100000000, // 1/4
  0x000f423f000f423f, 0x000f423f000f423f, // 999,999
  0x0098967f0098967f, 0x0098967f0098967f, // 9,999,999
], 16);
const FIRST_BIT = CONSTANTS;
const ONE = CONSTANTS + 16;
const LARGEST = CONSTANTS + 32;
const HALF = CONSTANTS + 48;
const QUARTER = CONSTANTS + 64;
const SIX_DIGITS = CONSTANTS + 80;
const SEVEN_DIGITS = CONSTANTS + 96;

/** Scales the four normal numbers at `from`, from number `at` of the block on. */
// @ts-ignore: decorator
@inline
export function scaleFour(from: usize, at: usize): void {
  const bits = v128.load(from);
  const scale0 = scaleOf(load<u32>(from));
  const scale1 = scaleOf(load<u32>(from, 4));
  const scale2 = scaleOf(load<u32>(from, 8));
  const scale3 = scaleOf(load<u32>(from, 12));
  const g01 = v128.load_lane<u64>(scale1, v128.load_zero<u64>(scale0, SCALES), 1, SCALES);
  const g23 = v128.load_lane<u64>(scale3, v128.load_zero<u64>(scale2, SCALES), 1, SCALES);

  // Splits P into products of 32 by 32 bits because vectors have no wider ones.
  const m = v128.or(v128.shl<i32>(bits, 8), v128.load(FIRST_BIT));
  const high = i32x4.shuffle(g01, g23, 1, 3, 5, 7);
  const low = i32x4.shuffle(g01, g23, 0, 2, 4, 6);
  const p01 = sum(i64x2.extmul_low_i32x4_u(m, high), i64x2.extmul_low_i32x4_u(m, low));
  const p23 = sum(i64x2.extmul_high_i32x4_u(m, high), i64x2.extmul_high_i32x4_u(m, low));

  // For even m, both ends of the interval read back, too (ties to even).
  const even = v128.andnot(v128.load(ONE), bits);
  const h01 = v128.add<i64>(v128.shr<u64>(g01, 31), i64x2.extend_low_i32x4_u(even));
  const h23 = v128.add<i64>(v128.shr<u64>(g23, 31), i64x2.extend_high_i32x4_u(even));
  const f01 = fraction(p01);
  const f23 = fraction(p23);
  const up01 = reachesUp(f01, h01);
  const up23 = reachesUp(f23, h23);
  v128.store(at << 3, nextDigits(f01, v128.or(up01, reachesDown(f01, h01))), NEXT_DIGITS);
  v128.store(at << 3, nextDigits(f23, v128.or(up23, reachesDown(f23, h23))), NEXT_DIGITS + 16);

  const integers = i32x4.shuffle(integer(p01, up01), integer(p23, up23), 0, 2, 4, 6);
  v128.store(at << 2, integers, INTEGERS);
  v128.store(at << 2, layoutsOf(scale0, scale1, scale2, scale3, integers), LAYOUTS);
}

/** Returns a number's offset in the table. */
// @ts-ignore: decorator
@inline
function scaleOf(bits: u32): usize {
  return usize((bits >> 19) & 0xff0);
}

/** Computes P with 40 bits of fraction from the products of m 2^8 with the halves of G. */
// @ts-ignore: decorator
@inline
function sum(highProduct: v128, lowProduct: v128): v128 {
  return v128.add<i64>(highProduct, v128.shr<u64>(lowProduct, 32));
}

/** Returns the fraction of P in 34 bits. */
// @ts-ignore: decorator
@inline
function fraction(p: v128): v128 {
  return v128.shr<u64>(v128.shl<i64>(p, 24), 30);
}

/** Returns all ones if the next integer above P is within h. */
// @ts-ignore: decorator
@inline
function reachesUp(f: v128, h: v128): v128 {
  return v128.gt<i64>(v128.add<i64>(f, h), v128.load(LARGEST));
}

/** Returns all ones if floor(P) is within h. */
// @ts-ignore: decorator
@inline
function reachesDown(f: v128, h: v128): v128 {
  return v128.gt<i64>(h, f);
}

/** Returns floor(P) or the integer above it. */
// @ts-ignore: decorator
@inline
function integer(p: v128, up: v128): v128 {
  return v128.sub<i64>(v128.shr<u64>(p, 40), up);
}

/** Returns the digit after the integer: 10 f rounded to nearest, 2.5 to 2. Returns 0 if the integer alone reads back. */
// @ts-ignore: decorator
@inline
function nextDigits(f: v128, isInteger: v128): v128 {
  const tenfold = v128.add<i64>(v128.shl<i64>(f, 3), v128.shl<i64>(f, 1));
  const rounded = v128.shr<u64>(v128.add<i64>(tenfold, v128.load(HALF)), 34);
  return v128.andnot(v128.add<i64>(rounded, v128.eq<i64>(f, v128.load(QUARTER))), isInteger);
}

/** Returns the layout rows, one further for each digit of the integer beyond 6. */
// @ts-ignore: decorator
@inline
function layoutsOf(scale0: usize, scale1: usize, scale2: usize, scale3: usize, integers: v128): v128 {
  let rows = v128.load_zero<u32>(scale0, SCALES + LAYOUT);
  rows = v128.load_lane<u32>(scale1, rows, 1, SCALES + LAYOUT);
  rows = v128.load_lane<u32>(scale2, rows, 2, SCALES + LAYOUT);
  rows = v128.load_lane<u32>(scale3, rows, 3, SCALES + LAYOUT);
  // A true comparison is -1.
  const digits = v128.add<i32>(v128.gt<i32>(integers, v128.load(SIX_DIGITS)), v128.gt<i32>(integers, v128.load(SEVEN_DIGITS)));
  return v128.sub<i32>(rows, v128.shl<i32>(digits, NEXT_POWER_BITS));
}

/** Fills the table. Called once after the powers of ten. */
export function fillScales(): void {
  for (let biased = 0; biased < 256; biased++) {
    // Subnormals, infinities and NaN have no scale and use any valid entry.
    const q = max(min(biased, 254), 1) - 150;
    const k = flog10pow2(q);
    const scale = SCALES + (usize(biased) << 4);
    store<u64>(scale, factor(q, k));
    store<u32>(scale, u32(layoutRow(6 + 1 + k, 2)), LAYOUT);
  }
}

/** Returns G from the 126 bits of 10^-(k+1) in {@link scaleHigh} and {@link scaleLow}, which are rounded up, too. */
function factor(q: i32, k: i32): u64 {
  const g = (scaleHigh(k + 1) << 1) | ((scaleLow(k + 1) - 1) >> 62);
  return (g >> -(q + flog2pow10(-k - 1) + 1)) + 1;
}
