// Spells scaled numbers, four at a time.
//
// An integer of at most 8 digits is two groups of four, and two integers are the four groups of digits.ts. The quotient
// by 10,000 is a truncated float32 product, exact for all integers up to 2^24 (test/kernel/print.test.ts tries them all).
// The next digit and two characters for the layout complete the spelling:
//
//   lane   0 .. 7          8            9    10
//          eight digits    last digit   '.'  '0'
import { INTEGERS, NEXT_DIGITS, SPELLINGS } from "./block";
import { sixteenDigits } from "./digits";

const CONSTANTS = memory.data<u32>([
  0x38d1b717, 0x38d1b717, 0x38d1b717, 0x38d1b717, // the float32 below 1e-4
  10000, 10000, 10000, 10000,
  0x30303030, 0x30303030, 0x30303030, 0x30303030, // '0'
  0x302e30, 0, 0x302e30, 0, // lanes 8 to 10 of two spellings
], 16);
const TENTHOUSANDTH = CONSTANTS;
const TENTHOUSAND = CONSTANTS + 16;
const ZEROS = CONSTANTS + 32;
const NEXT_LANES = CONSTANTS + 48;

/** Spells the first `n` numbers of the block. */
export function spellBlock(n: u32): void {
  for (let at: u32 = 0; at < n; at += 4) {
    const integers = v128.load(at << 2, INTEGERS);
    const upper = truncate(v128.mul<f32>(f32x4.convert_i32x4_s(integers), v128.load(TENTHOUSANDTH)));
    const lower = v128.sub<i32>(integers, i32x4.dot_i16x8_s(upper, v128.load(TENTHOUSAND)));
    spellTwo(i32x4.shuffle(upper, lower, 0, 4, 1, 5), v128.load(at << 3, NEXT_DIGITS), SPELLINGS + (at << 4));
    spellTwo(i32x4.shuffle(upper, lower, 2, 6, 3, 7), v128.load(at << 3, NEXT_DIGITS + 16), SPELLINGS + 32 + (at << 4));
  }
}

// @ts-ignore: decorator
@inline
function spellTwo(groups: v128, nextDigits: v128, to: usize): void {
  const digits = v128.or(sixteenDigits(groups), v128.load(ZEROS));
  const next = v128.add<i64>(nextDigits, v128.load(NEXT_LANES));
  v128.store(to, i64x2.shuffle(digits, next, 0, 2));
  v128.store(to, i64x2.shuffle(digits, next, 1, 3), 16);
}

/** Truncates quotients that fit in 31 bits. */
// @ts-ignore: decorator
@inline
function truncate(quotients: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.relaxed_trunc_f32x4_s(quotients);
  return i32x4.trunc_sat_f32x4_s(quotients);
}
