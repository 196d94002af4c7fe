// Spells scaled float64, two at a time.
//
// Two integers of 8 digits are four groups of four for digits.ts. The quotient by 10,000 is a product and a shift,
// floor(x / 10^4) = (109951163 x) >> 40, exact for x below 10^8 because 10^8 (10^4 109951163 - 2^40) < 2^40
// (H. Warren, "Hacker's Delight", 10-9).
import { COUNT, DIGITS, ROW64, ROWS64, SEVENTEENTH, UPPER } from "./block64";
import { sixteenDigits } from "./digits";

const CONSTANTS = memory.data<u32>([
  109951163, 109951163, 109951163, 109951163, // 2^40 / 10^4, rounded up
  10000, 10000, 10000, 10000,
  0x30303030, 0x30303030, 0x30303030, 0x30303030, // '0'
], 16);
const TENTHOUSANDTH = CONSTANTS;
const TENTHOUSAND = CONSTANTS + 16;
const ZEROS = CONSTANTS + 32;

/** Spells the first `n` numbers of the block, and one more if `n` is odd. */
export function spellBlock64(n: usize): void {
  const end = ROWS64 + n * ROW64;
  for (let row = ROWS64; row < end; row += 2 * ROW64) {
    const halves = v128.load_lane<u64>(row, v128.load_zero<u64>(row, UPPER), 1, ROW64 + UPPER);
    const first = v128.shr<u64>(i64x2.extmul_low_i32x4_u(halves, v128.load(TENTHOUSANDTH)), 40);
    const second = v128.shr<u64>(i64x2.extmul_high_i32x4_u(halves, v128.load(TENTHOUSANDTH)), 40);
    const upper = i32x4.shuffle(first, second, 0, 2, 4, 6);
    const lower = v128.sub<i32>(halves, i32x4.dot_i16x8_s(upper, v128.load(TENTHOUSAND)));
    spell(i32x4.shuffle(upper, lower, 0, 4, 1, 5), row);
    spell(i32x4.shuffle(upper, lower, 2, 6, 3, 7), row + ROW64);
  }
}

// @ts-ignore: decorator
@inline
function spell(groups: v128, row: usize): void {
  const characters = v128.or(sixteenDigits(groups), v128.load(ZEROS));
  v128.store(row, characters, DIGITS);
  const digits = i8x16.bitmask(v128.gt<i8>(characters, v128.load(ZEROS)));
  const all = digits | (i32(load<u8>(row, SEVENTEENTH) > 48) << 16);
  store<u8>(row, u8(32 - clz(all)), COUNT);
}
