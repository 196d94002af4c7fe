// Scalar reference printer for the shortest decimal that reads back as the same number, in JavaScript's notation. Uses
// the letters of R. Giulietti, "The Schubfach way to render doubles" (2022). The printers of float32.ts and float64.ts
// print the same characters and leave unsupported numbers to this file, such as subnormals and most powers of two.
import { multiplyHigh } from "../decimal";
import { scaleHigh, scaleLow } from "../powers";
import { printDecimal, printSign, printSpecial, printZero } from "./notation";

const MASK_63: u64 = 0x7fffffffffffffff;

/** Prints one float64. */
export function printFloat64(bits: u64, to: usize): usize {
  const biased = i32((bits >> 52) & 0x7ff);
  const t = bits & 0xfffffffffffff;
  if (biased == 0x7ff) return printSpecial(bits >> 63 != 0, t != 0, to);
  to = printSign(bits >> 63 != 0, to);
  if (biased == 0) return t == 0 ? printZero(to) : shortest64(-1074, t, false, to);
  const c = t | 0x10000000000000;
  const q = biased - 1075;
  if (q < 0 && q > -53 && (c & ((u64(1) << -q) - 1)) == 0) return printDecimal(c >> -q, 0, to);
  return shortest64(q, c, t == 0 && biased > 1, to);
}

/**
 * Magnitude of the one float32 whose shortest text, 7.038531e-26, reads back as its neighbor when JSON numbers are read
 * as doubles, because that double is the midpoint of both. It gets one more digit (`npm run test:exhaustive`).
 */
export const TWICE_ROUNDED: u32 = 0x15ae43fd;

/** Prints one float32. */
export function printFloat32(bits: u32, to: usize): usize {
  const biased = i32((bits >> 23) & 0xff);
  const t = bits & 0x7fffff;
  if (biased == 0xff) return printSpecial(bits >> 31 != 0, t != 0, to);
  to = printSign(bits >> 31 != 0, to);
  if (biased == 0) return t == 0 ? printZero(to) : shortest32(-149, t, false, to);
  if ((bits & 0x7fffffff) == TWICE_ROUNDED) return printDecimal(70385307, -33, to);
  return printNormal32(biased - 150, t | 0x800000, t == 0 && biased > 1, to);
}

function printNormal32(q: i32, c: u32, irregular: bool, to: usize): usize {
  if (q < 0 && q > -24 && (c & ((1 << -q) - 1)) == 0) return printDecimal(u64(c >> -q), 0, to);
  return shortest32(q, c, irregular, to);
}

// floor(log10(2^e)), floor(log10(3/4 2^e)), floor(log2(10^e)) for the exponents of float64 (section 9.9 of the paper).
// @ts-ignore: decorator
@inline
export function flog10pow2(e: i32): i32 {
  return i32((i64(e) * 661971961083) >> 41);
}
// @ts-ignore: decorator
@inline
function flog10threeQuartersPow2(e: i32): i32 {
  return i32((i64(e) * 661971961083 - 274743187321) >> 41);
}
// @ts-ignore: decorator
@inline
export function flog2pow10(e: i32): i32 {
  return i32((i64(e) * 913124641741) >> 38);
}

/** Prints c 2^q. `irregular` means that the next smaller number is only half as far away as the next larger. */
function shortest64(q: i32, c: u64, irregular: bool, to: usize): usize {
  const out = c & 1;
  const cb = c << 2;
  const k = irregular ? flog10threeQuartersPow2(q) : flog10pow2(q);
  const h = u64(q + flog2pow10(-k) + 2);
  const g1 = scaleHigh(k);
  const g0 = scaleLow(k);
  const vb = rop64(g1, g0, cb << h);
  const vbl = rop64(g1, g0, (irregular ? cb - 1 : cb - 2) << h);
  const vbr = rop64(g1, g0, (cb + 2) << h);
  return choose(vb, vbl + out, vbr - out, k, to);
}

/** Prints numbers of at most 24 bits, for which one word of g and a factor of 32 bits suffice. */
function shortest32(q: i32, c: u32, irregular: bool, to: usize): usize {
  const out = u64(c & 1);
  const cb = u64(c) << 2;
  const k = irregular ? flog10threeQuartersPow2(q) : flog10pow2(q);
  const h = u64(q + flog2pow10(-k) + 1);
  const g = scaleHigh(k) + 1;
  const vb = rop32(g, cb << h);
  const vbl = rop32(g, (irregular ? cb - 1 : cb - 2) << h);
  const vbr = rop32(g, (cb + 2) << h);
  return choose(vb, vbl + out, vbr - out, k, to);
}

// @ts-ignore: decorator
@inline
function rop64(g1: u64, g0: u64, cp: u64): u64 {
  const x1 = multiplyHigh(g0, cp);
  const y0 = g1 * cp;
  const y1 = multiplyHigh(g1, cp);
  const z = (y0 >> 1) + x1;
  const w = y1 + (z >> 63);
  return w | (((z & MASK_63) + MASK_63) >> 63);
}

/** Uses 2^-32 times the paper's cp, which drops two products of 32 bits that are 0. */
// @ts-ignore: decorator
@inline
function rop32(g: u64, cp: u64): u64 {
  const x1 = (g >> 32) * cp + (((g & 0xffffffff) * cp) >> 32);
  return (x1 >> 31) | (((x1 & 0xffffffff) + 0xffffffff) >> 32);
}

/** Chooses the decimal within [vbl, vbr] / 4 with the fewest digits, and among several the closest to vb / 4. */
function choose(vb: u64, vbl: u64, vbr: u64, k: i32, to: usize): usize {
  const s = vb >> 2;
  if (s >= 10) {
    const sp = s / 10;
    const below = vbl <= 40 * sp;
    const above = 40 * sp + 40 <= vbr;
    if (below != above) return printDecimal(sp + u64(above), k + 1, to);
  }
  const below = vbl <= s << 2;
  const above = (s << 2) + 4 <= vbr;
  if (below != above) return printDecimal(s + u64(above), k, to);
  const middle = (s << 2) + 2;
  return printDecimal(s + u64(vb > middle || (vb == middle && (s & 1) != 0)), k, to);
}
