// Blocks of 16-bit floats: to float32, from float32, and float32 rounded as if stored in 16 bits, to nearest even.
import { fromFloat16, toBFloat16, toFloat16 } from "./formats";
import { PAIRED } from "./paired";

// Loaded before each loop, because V8 rebuilds a vector constant in each iteration but keeps a loaded one in a
// register.
const WIDEN16 = memory.data<u32>([
  0x7c007c00, 0x7c007c00, 0x7c007c00, 0x7c007c00, // the exponent bits of eight float16
  0x8fffe000, 0x8fffe000, 0x8fffe000, 0x8fffe000, // sign, exponent and mantissa, shifted up by 13 bits
  0x77800000, 0x77800000, 0x77800000, 0x77800000, // 2^112
], 16);

/** Converts four finite float16, sign-extended to 32 bits, to float32. */
// @ts-ignore: decorator
@inline
function widenHalf(half: v128, fields: v128, scale: v128): v128 {
  return v128.mul<f32>(v128.and(i32x4.shl(half, 13), fields), scale);
}

/** Maximum of each lane over the last widened blocks of eight, which saves a pass of its own. A second vector is scratch. */
export const WIDEST = memory.data(32, 16);

/** Converts float16 to float32, exactly. Processes eight at a time if all are finite. Sets {@link WIDEST}. */
export function widenFloat16(from: usize, to: usize, n: usize): void {
  let maxLow = f32x4.splat(-Infinity);
  let maxHigh = f32x4.splat(-Infinity);
  const exponent = v128.load(WIDEN16);
  const fields = v128.load(WIDEN16, 16);
  const scale = v128.load(WIDEN16, 32);
  const end = to + ((n & ~7) << 2);
  for (; to < end; from += 16, to += 32) {
    const halves = v128.load(from);
    if (v128.any_true(v128.eq<i16>(v128.and(halves, exponent), exponent))) {
      widenEachFloat16(from, to, 8);
      maxLow = v128.pmax<f32>(maxLow, v128.load(to));
      maxHigh = v128.pmax<f32>(maxHigh, v128.load(to, 16));
      continue;
    }
    const low = widenHalf(i32x4.extend_low_i16x8_s(halves), fields, scale);
    const high = widenHalf(i32x4.extend_high_i16x8_s(halves), fields, scale);
    v128.store(to, low);
    v128.store(to, high, 16);
    maxLow = v128.pmax<f32>(maxLow, low);
    maxHigh = v128.pmax<f32>(maxHigh, high);
  }
  keepWidest(maxLow, maxHigh);
  widenEachFloat16(from, to, n & 7);
}

/** Sets {@link WIDEST} to the greater of two vectors, which are stored side by side for the pairs of paired.ts. */
// @ts-ignore: decorator
@inline
function keepWidest(low: v128, high: v128): void {
  v128.store(WIDEST, low);
  v128.store(WIDEST, high, 16);
  v128.store(WIDEST, v128.pmax<f32>(v128.load(WIDEST), v128.load(WIDEST, 16)));
}

function widenEachFloat16(from: usize, to: usize, n: usize): void {
  for (let i: usize = 0; i < n; i++) store<f32>(to + (i << 2), f32(fromFloat16(load<u16>(from + (i << 1)))));
}

/** Converts bfloat16 to float32, exactly. Sets {@link WIDEST}. */
export function widenBFloat16(from: usize, to: usize, n: usize): void {
  let maxLow = f32x4.splat(-Infinity);
  let maxHigh = f32x4.splat(-Infinity);
  const end = to + ((n & ~7) << 2);
  for (; to < end; from += 16, to += 32) {
    const halves = v128.load(from);
    const low = i32x4.shl(i32x4.extend_low_i16x8_u(halves), 16);
    const high = i32x4.shl(i32x4.extend_high_i16x8_u(halves), 16);
    v128.store(to, low);
    v128.store(to, high, 16);
    maxLow = v128.pmax<f32>(maxLow, low);
    maxHigh = v128.pmax<f32>(maxHigh, high);
  }
  keepWidest(maxLow, maxHigh);
  for (let i: usize = 0; i < (n & 7); i++) store<u32>(to + (i << 2), u32(load<u16>(from + (i << 1))) << 16);
}

const NARROW16 = memory.data<u32>([
  0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff, // magnitude
  0x7f800000, 0x7f800000, 0x7f800000, 0x7f800000, // exponent
  0x06800000, 0x06800000, 0x06800000, 0x06800000, // 13 as an exponent
  0x3f000000, 0x3f000000, 0x3f000000, 0x3f000000, // 0.5
  0x1f800, 0x1f800, 0x1f800, 0x1f800, // exponent of 0.5 in float16's position
  0x47800000, 0x47800000, 0x47800000, 0x47800000, // 65,536
  0x7e00, 0x7e00, 0x7e00, 0x7e00, // NaN
], 16);

/**
 * Selects lanes of `a` or `b` by all-ones or all-zeros lanes of `mask`, with one instruction instead of three in
 * relaxed builds.
 */
// @ts-ignore: decorator
@inline
function select(a: v128, b: v128, mask: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.relaxed_laneselect(a, b, mask);
  return v128.bitselect(a, b, mask);
}

/**
 * Returns the power of two whose sum with a float32 magnitude keeps as many bits as float16, so that the addition
 * rounds to nearest even. It is 2^13 times the magnitude's own, or 0.5 for float16 subnormals.
 */
// @ts-ignore: decorator
@inline
function halfStep(magnitude: v128, exponent: v128, shift: v128, half: v128): v128 {
  return i32x4.max_s(v128.add<i32>(v128.and(magnitude, exponent), shift), half);
}

/** Converts float32 to float16 bits in four 32-bit lanes. */
// @ts-ignore: decorator
@inline
function narrowHalf(value: v128, abs: v128, exponent: v128, shift: v128, half: v128, bias: v128, over: v128, nan: v128): v128 {
  const magnitude = v128.and(value, abs);
  const sign = v128.shr<u32>(v128.xor(value, magnitude), 16);
  // Caps the bits at 65,536.
  const capped = i32x4.min_s(magnitude, over);
  const step = halfStep(capped, exponent, shift, half);
  // The sum's lowest bits are the mantissa with its leading one, and the step provides the exponent.
  const mantissa = v128.sub<i32>(v128.add<f32>(capped, step), step);
  const number = v128.add<i32>(mantissa, v128.sub<i32>(v128.shr<u32>(step, 13), bias));
  return v128.or(select(nan, number, v128.ne<f32>(value, value)), sign);
}

/** Converts float32 to float16, to nearest even. `from` may equal `to`. */
export function narrowFloat16(from: usize, to: usize, n: usize): void {
  const abs = v128.load(NARROW16);
  const exponent = v128.load(NARROW16, 16);
  const shift = v128.load(NARROW16, 32);
  const half = v128.load(NARROW16, 48);
  const bias = v128.load(NARROW16, 64);
  const over = v128.load(NARROW16, 80);
  const nan = v128.load(NARROW16, 96);
  const end = to + ((n & ~7) << 1);
  if (PAIRED) {
    for (; to + 16 < end; from += 64, to += 32) {
      const a = narrowHalf(v128.load(from), abs, exponent, shift, half, bias, over, nan);
      const b = narrowHalf(v128.load(from, 16), abs, exponent, shift, half, bias, over, nan);
      const c = narrowHalf(v128.load(from, 32), abs, exponent, shift, half, bias, over, nan);
      const d = narrowHalf(v128.load(from, 48), abs, exponent, shift, half, bias, over, nan);
      const first = i16x8.narrow_i32x4_u(a, b), second = i16x8.narrow_i32x4_u(c, d);
      v128.store(to, first);
      v128.store(to, second, 16);
    }
  }
  for (; to < end; from += 32, to += 16) {
    const low = narrowHalf(v128.load(from), abs, exponent, shift, half, bias, over, nan);
    const high = narrowHalf(v128.load(from, 16), abs, exponent, shift, half, bias, over, nan);
    v128.store(to, i16x8.narrow_i32x4_u(low, high));
  }
  for (let i: usize = 0; i < (n & 7); i++) store<u16>(to + (i << 1), toFloat16(f64(load<f32>(from + (i << 2)))));
}

const NARROWB = memory.data<u32>([
  0x7fff, 0x7fff, 0x7fff, 0x7fff, // half a step less one
  1, 1, 1, 1,
  0x7fc00000, 0x7fc00000, 0x7fc00000, 0x7fc00000, // NaN
  0xffff0000, 0xffff0000, 0xffff0000, 0xffff0000, // the bits of bfloat16
], 16);

// @ts-ignore: decorator
@inline
function narrowB(value: v128, round: v128, one: v128, nan: v128): v128 {
  const odd = v128.and(v128.shr<u32>(value, 16), one);
  const number = v128.add<i32>(v128.add<i32>(value, round), odd);
  return select(nan, number, v128.ne<f32>(value, value));
}

/** Converts float32 to bfloat16, to nearest even. `from` may equal `to`. */
export function narrowBFloat16(from: usize, to: usize, n: usize): void {
  const round = v128.load(NARROWB);
  const one = v128.load(NARROWB, 16);
  const nan = v128.load(NARROWB, 32);
  const end = to + ((n & ~7) << 1);
  if (PAIRED) {
    for (; to + 16 < end; from += 64, to += 32) {
      const a = v128.shr<u32>(narrowB(v128.load(from), round, one, nan), 16);
      const b = v128.shr<u32>(narrowB(v128.load(from, 16), round, one, nan), 16);
      const c = v128.shr<u32>(narrowB(v128.load(from, 32), round, one, nan), 16);
      const d = v128.shr<u32>(narrowB(v128.load(from, 48), round, one, nan), 16);
      const first = i16x8.narrow_i32x4_u(a, b), second = i16x8.narrow_i32x4_u(c, d);
      v128.store(to, first);
      v128.store(to, second, 16);
    }
  }
  for (; to < end; from += 32, to += 16) {
    const low = narrowB(v128.load(from), round, one, nan);
    const high = narrowB(v128.load(from, 16), round, one, nan);
    v128.store(to, i16x8.shuffle(low, high, 1, 3, 5, 7, 9, 11, 13, 15));
  }
  for (let i: usize = 0; i < (n & 7); i++) {
    store<u16>(to + (i << 1), toBFloat16(f64(load<f32>(from + (i << 2)))) & 0xffff);
  }
}

const ROUND16 = memory.data<u32>([
  0x477ff000, 0x477ff000, 0x477ff000, 0x477ff000, // 65,520
  0x7f800000, 0x7f800000, 0x7f800000, 0x7f800000, // infinity
], 16);

// @ts-ignore: decorator
@inline
function roundHalf(value: v128, abs: v128, exponent: v128, shift: v128, half: v128, limit: v128, infinity: v128): v128 {
  const magnitude = v128.and(value, abs);
  const step = halfStep(magnitude, exponent, shift, half);
  const finite = v128.sub<f32>(v128.add<f32>(magnitude, step), step);
  const number = select(infinity, finite, v128.ge<f32>(magnitude, limit));
  return v128.or(number, v128.xor(value, magnitude));
}

/**
 * Rounds float32 results to float16 values in place. Used in the loop that subtracts the logarithms, it makes the whole
 * gradient 3 % faster, but 9 % slower in the loop of the exponentials.
 */
export function roundToFloat16(at: usize, n: usize): void {
  const abs = v128.load(NARROW16);
  const exponent = v128.load(NARROW16, 16);
  const shift = v128.load(NARROW16, 32);
  const half = v128.load(NARROW16, 48);
  const limit = v128.load(ROUND16);
  const infinity = v128.load(ROUND16, 16);
  const end = at + (n << 2);
  if (PAIRED) {
    for (; at + 16 < end; at += 32) {
      const low = roundHalf(v128.load(at), abs, exponent, shift, half, limit, infinity);
      const high = roundHalf(v128.load(at, 16), abs, exponent, shift, half, limit, infinity);
      v128.store(at, low);
      v128.store(at, high, 16);
    }
  }
  for (; at < end; at += 16) v128.store(at, roundHalf(v128.load(at), abs, exponent, shift, half, limit, infinity));
}

/** Rounds float32 results to bfloat16 values in place. Keeps NaN, whose payload a carry would make a number. */
export function roundToBFloat16(at: usize, n: usize): void {
  const round = v128.load(NARROWB);
  const one = v128.load(NARROWB, 16);
  const nan = v128.load(NARROWB, 32);
  const kept = v128.load(NARROWB, 48);
  const end = at + (n << 2);
  if (PAIRED) {
    for (; at + 16 < end; at += 32) {
      const low = v128.and(narrowB(v128.load(at), round, one, nan), kept);
      const high = v128.and(narrowB(v128.load(at, 16), round, one, nan), kept);
      v128.store(at, low);
      v128.store(at, high, 16);
    }
  }
  for (; at < end; at += 16) v128.store(at, v128.and(narrowB(v128.load(at), round, one, nan), kept));
}
