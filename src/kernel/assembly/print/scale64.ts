// Scales float64 to 16 digits and a 17th, as scale.ts scales float32.
//
// A number is m 2^q, k = floor(log10 2^q), and P = m 2^q / 10^(k+1). If an integer lies within h = 2^(q-1) / 10^(k+1)
// of P, its digits are the shortest. Otherwise the digits are floor(P) and one more, 10 times the fraction of P,
// rounded.
//
// The reference decides every float64 with powers of ten of 126 bits. This file takes 96, and leaves a number to the
// reference if they do not decide. The factor of an exponent is G = floor(2^(96+q) / 10^(k+1)). Of the product with m,
// the fraction f keeps 32 bits, and the parts below add up to less than 3 units of the last. h is less than one unit
// too small. So the errors of f + h and f - h are below 4 units, and that of 10 f below 40. A number is undecided if
// one of them is closer to its decision. This happens to one random float64 in 40 million, and to ties.
import { scaleHigh, scaleLow } from "../powers";
import { LAYOUT, LOWER, SEVENTEENTH, UPPER } from "./block64";
import { layout64, layoutOfZero } from "./layout64";
import { flog10pow2, flog2pow10 } from "./schubfach";

/** For each biased exponent, the upper 64 bits of G, its lower 32, and the u32 layout of a P of 15 digits. */
const SCALES = memory.data(2048 * 16, 16);
const G_LOWER: usize = 8;
const G_LAYOUT: usize = 12;

const WORD: u64 = 0xffffffff;
const FIRST_BIT: u64 = 0x10000000000000;
const SIXTEEN_DIGITS: u64 = 1000000000000000;
const EIGHT_DIGITS: u64 = 100000000;

/** Bounds of the errors of f + h and f - h, and of 10 f, in units of 2^-32. */
const ERROR: u32 = 4;
const ERROR_TENFOLD: u32 = 40;

/**
 * The lower neighbor of a power of two is only half as far away. An integer within 1/64 of its P is in both intervals,
 * because h is at least 1/20.
 */
const ERROR_POWER: u32 = 1 << 26;

/** Scales 0 or a normal number into `row` of the block. Returns false if the digits are not certain. */
// @ts-ignore: decorator
@inline
export function scale(bits: u64, row: usize): bool {
  const factor = SCALES + (usize(bits >> 48) & 0x7ff0);
  const g = load<u64>(factor);
  const m = (bits & (FIRST_BIT - 1)) | FIRST_BIT;

  // The product in words of 32 bits, without the parts below 2^-32.
  const cross = (m >> 32) * (g & WORD) + (((m & WORD) * (g & WORD)) >> 32);
  const lower = (m & WORD) * (g >> 32) + (cross & WORD);
  const sum = (lower & WORD) + (((m >> 21) * u64(load<u32>(factor, G_LOWER))) >> 43);
  const p = (m >> 32) * (g >> 32) + (cross >> 32) + (lower >> 32) + (sum >> 32);

  const f = u32(sum);
  const h = u32(g >> 33);
  const tenfold = u64(f) * 10 + 0x80000000;
  if (isNear(f + h, ERROR)) return false;
  if (isNear(f - h, ERROR)) return false;
  if (isNear(u32(tenfold), ERROR_TENFOLD)) return false;
  if (m == FIRST_BIT && !isNear(f, ERROR_POWER)) return false;

  const up = f + h < h;
  const next = up || f < h ? 0 : u32(tenfold >> 32);
  const digits = p + u64(up);
  const upper = digits / EIGHT_DIGITS;
  store<u32>(row, u32(upper), UPPER);
  store<u32>(row, u32(digits - upper * EIGHT_DIGITS), LOWER);
  store<u8>(row, 48 + next, SEVENTEENTH);
  store<u32>(row, load<u32>(factor, G_LAYOUT) + (u32(digits >= SIXTEEN_DIGITS) << 4), LAYOUT);
  return true;
}

/** Returns whether a fraction of 32 bits is at most `error` from an integer. */
// @ts-ignore: decorator
@inline
function isNear(fraction: u32, error: u32): bool {
  return fraction + error <= 2 * error;
}

/** Fills the table. Called once after the powers of ten. */
export function fillScales64(): void {
  fillZero();
  for (let biased = 1; biased < 2047; biased++) {
    const q = biased - 1075;
    const k = flog10pow2(q);
    const factor = SCALES + (usize(biased) << 4);
    // The 126 bits of 10^-(k+1), from the highest bit of two words on.
    const high = (scaleHigh(k + 1) << 1) | (scaleLow(k + 1) >> 62);
    const low = scaleLow(k + 1) << 2;
    const shift = -(q + flog2pow10(-k - 1) + 1);
    store<u64>(factor, high >> shift);
    store<u32>(factor, u32((shift == 0 ? low : (high << (64 - shift)) | (low >> shift)) >> 32), G_LOWER);
    store<u32>(factor, u32(layout64(k)), G_LAYOUT);
  }
}

/** Fills the row of exponent 0. {@link scale} takes 0 for 2^52, so P is 56 / 4096, and all digits are 0. */
function fillZero(): void {
  store<u64>(SCALES, 56);
  store<u32>(SCALES, u32(layoutOfZero()), G_LAYOUT);
}
