// exp and log in vectors of the compute type K, float32 or float64.

/** Computes a * b + c, with one instruction and one rounding in builds with relaxed SIMD. */
// @ts-ignore: decorator
@inline
export function madd<K>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_madd<K>(a, b, c);
  return v128.add<K>(v128.mul<K>(a, b), c);
}

/** Computes c - a * b, rounded as in {@link madd}. */
// @ts-ignore: decorator
@inline
export function nmadd<K>(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_nmadd<K>(a, b, c);
  return v128.sub<K>(c, v128.mul<K>(a, b));
}

/** 2^-SHIFT. The exponentials are exp(x) * 2^SHIFT, so that results below the smallest normal number keep all of their bits. */
// @ts-ignore: decorator
@inline
export function unscale<K>(): f64 {
  return sizeof<K>() == 4 ? 2.3283064365386963e-10 : 5.421010862427522e-20; // 2^-32, 2^-64
}

/** exp(0) * 2^SHIFT in K. */
// @ts-ignore: decorator
@inline
export function scaledOne<K>(): K {
  return sizeof<K>() == 4 ? <K>4294967296.0 : <K>18446744073709551616.0;
}

// exp(x) * 2^SHIFT = 2^(n + SHIFT) * p(r), n = round(x / ln 2), r = x - n * ln 2 in two steps, |r| <= ln 2 / 2, p(r) =
// 1 + r + r^2 * q(r). q is the polynomial of least relative error (Remez), 3.1e-9 for float32 and 3.7e-18 for float64.
//
// Callers load the ten float32 constants before their loop because V8 rebuilds a vector constant in each iteration.
// With the maximum and the sum they fill the registers, and an eleventh would cost a fifth of the speed.
const EXP32 = memory.data<f32>([
  1.4426950408889634, 1.4426950408889634, 1.4426950408889634, 1.4426950408889634, // 1 / ln 2
  12583071, 12583071, 12583071, 12583071, // 1.5 * 2^23 + 127 + SHIFT, which rounds to an integer biased as an exponent
  -0.6931471824645996, -0.6931471824645996, -0.6931471824645996, -0.6931471824645996, // -ln 2 in 24 bits, exact in the fused step
  -110.2104, -110.2104, -110.2104, -110.2104, // ln 2^(-127 - SHIFT), below which the biased exponent and the result are 0
  0.0013814598646664034, 0.0013814598646664034, 0.0013814598646664034, 0.0013814598646664034,
  0.00836871687971288, 0.00836871687971288, 0.00836871687971288, 0.00836871687971288,
  0.041668388045313997, 0.041668388045313997, 0.041668388045313997, 0.041668388045313997,
  0.16666520631709497, 0.16666520631709497, 0.16666520631709497, 0.16666520631709497,
  0.49999993447796487, 0.49999993447796487, 0.49999993447796487, 0.49999993447796487,
  1, 1, 1, 1,
  1.904654299957768e-9, 1.904654299957768e-9, 1.904654299957768e-9, 1.904654299957768e-9, // the rest of -ln 2
  -0.693359375, -0.693359375, -0.693359375, -0.693359375, // -ln 2 in ten bits, whose product with n is exact without a fused step
  2.12194440054691e-4, 2.12194440054691e-4, 2.12194440054691e-4, 2.12194440054691e-4, // the rest of -ln 2
], 16);
/** Index of -ln 2 for each kind of step, and of its rest, in bytes. */
const HEAD32: usize = ASC_FEATURE_RELAXED_SIMD ? 2 : 11;
const REST32: usize = ASC_FEATURE_RELAXED_SIMD ? 160 : 192;

const EXP64 = memory.data<f64>([
  1.4426950408889634, 1.4426950408889634, // 1 / ln 2
  6755399441056831, 6755399441056831, // 1.5 * 2^52 + 1023 + SHIFT
  -0.6931471803691238, -0.6931471803691238, // -ln 2 in 33 bits
  -753.4509852686605, -753.4509852686605, // ln 2^(-1023 - SHIFT)
  2.5000061602835667e-8, 2.5000061602835667e-8,
  2.7630248379211444e-7, 2.7630248379211444e-7,
  2.7557586373840164e-6, 2.7557586373840164e-6,
  0.00002480149309890655, 0.00002480149309890655,
  0.00019841269506578688, 0.00019841269506578688,
  1, 1,
  0.0013888888943630113, 0.0013888888943630113,
  0.008333333333494462, 0.008333333333494462,
  0.041666666666530156, 0.041666666666530156,
  0.16666666666666413, 0.16666666666666413,
  0.500000000000001, 0.500000000000001,
  -1.9082149292705877e-10, -1.9082149292705877e-10, // the rest of -ln 2
], 16);

/** Loads constant `i` of {@link exp}. */
// @ts-ignore: decorator
@inline
export function expConstant<K>(i: usize): v128 {
  if (sizeof<K>() == 8) return v128.load(EXP64 + (i << 4));
  return v128.load(EXP32 + ((i == 2 ? HEAD32 : i) << 4));
}

/** Returns 2^n for n in the lowest bits of a number, biased as an exponent. */
// @ts-ignore: decorator
@inline
function power<K>(biased: v128): v128 {
  return sizeof<K>() == 4 ? i32x4.shl(biased, 23) : i64x2.shl(biased, 52);
}

/** Evaluates p(r). */
// @ts-ignore: decorator
@inline
function mantissa<K>(r: v128, c4: v128, c5: v128, c6: v128, c7: v128, c8: v128, c9: v128): v128 {
  let p = madd<K>(r, c4, c5);
  p = madd<K>(r, p, c6);
  p = madd<K>(r, p, c7);
  p = madd<K>(r, p, c8);
  if (sizeof<K>() == 8) {
    p = madd<K>(r, p, v128.load(EXP64, 160));
    p = madd<K>(r, p, v128.load(EXP64, 176));
    p = madd<K>(r, p, v128.load(EXP64, 192));
    p = madd<K>(r, p, v128.load(EXP64, 208));
    p = madd<K>(r, p, v128.load(EXP64, 224));
  }
  p = madd<K>(r, p, c9);
  return madd<K>(r, p, c9);
}

/** Loads the rest of -ln 2. */
// @ts-ignore: decorator
@inline
function restOfLn2<K>(): v128 {
  return sizeof<K>() == 4 ? v128.load(EXP32 + REST32) : v128.load(EXP64, 240);
}

/**
 * Computes exp(x) * 2^SHIFT for x <= 0 within 1 ulp. `c0` to `c9` are {@link expConstant}. NaN gives NaN. Results below 2^-158.5 in float32 and 2^-1086.5 in float64 become 0. The smallest subnormal numbers are 2^-149 and 2^-1074.
 */
// @ts-ignore: decorator
@inline
export function exp<K>(
  x: v128, c0: v128, c1: v128, c2: v128, c3: v128, c4: v128, c5: v128, c6: v128, c7: v128, c8: v128, c9: v128,
): v128 {
  const y = v128.pmax<K>(x, c3);
  const biased = madd<K>(y, c0, c1);
  const n = v128.sub<K>(biased, c1);
  const r = madd<K>(n, restOfLn2<K>(), madd<K>(n, c2, y));
  return v128.mul<K>(mantissa<K>(r, c4, c5, c6, c7, c8, c9), power<K>(biased));
}

/**
 * Computes sum + {@link exp}(x), both scaled by 2^SHIFT. Multiplying by a power of 2 is exact, so it needs no
 * instruction of its own. With fused steps, float32 omits the rest of ln 2, an error of 2e-9 * |x| of the term, which
 * is a tenth of the error of rounding x to float32.
 */
// @ts-ignore: decorator
@inline
export function addExp<K>(
  sum: v128,
  x: v128, c0: v128, c1: v128, c2: v128, c3: v128, c4: v128, c5: v128, c6: v128, c7: v128, c8: v128, c9: v128,
): v128 {
  const y = v128.pmax<K>(x, c3);
  const biased = madd<K>(y, c0, c1);
  const n = v128.sub<K>(biased, c1);
  let r = madd<K>(n, c2, y);
  if (sizeof<K>() == 8 || !ASC_FEATURE_RELAXED_SIMD) r = madd<K>(n, restOfLn2<K>(), r);
  return madd<K>(mantissa<K>(r, c4, c5, c6, c7, c8, c9), power<K>(biased), sum);
}

/** Computes exp(x) for one float64 <= 0. */
export function expOf(x: f64): f64 {
  const e = exp<f64>(
    f64x2.splat(x), expConstant<f64>(0), expConstant<f64>(1), expConstant<f64>(2), expConstant<f64>(3), expConstant<f64>(4),
    expConstant<f64>(5), expConstant<f64>(6), expConstant<f64>(7), expConstant<f64>(8), expConstant<f64>(9),
  );
  return v128.extract_lane<f64>(e, 0) * unscale<f64>();
}

// Tried without success: three variants of Estrin's scheme run at 0.89 to 0.96 of Horner's speed. Omitting r, and a
// polynomial of degree 5, both have errors of 1e-7, so the loss of [1, 2, 3] at 2 is off by 2.5 units in the last
// place, compared with PyTorch's 1.

const LOG64 = memory.data<f64>([
  0.15313837699209373, 0.15313837699209373, // the odd and even coefficients of fdlibm's e_log.c
  0.22222198432149784, 0.22222198432149784,
  0.3999999999940942, 0.3999999999940942,
  0.14798198605116586, 0.14798198605116586,
  0.1818357216161805, 0.1818357216161805,
  0.2857142874366239, 0.2857142874366239,
  0.6666666666666735, 0.6666666666666735,
  1, 1,
  2, 2,
  0.5, 0.5,
  4503599627371519, 4503599627371519, // 2^52 + 1023
  0.6931471803691238, 0.6931471803691238, // ln 2 in 33 bits
  1.9082149292705877e-10, 1.9082149292705877e-10, // the rest of ln 2
], 16);
const LOG64_BITS = memory.data<u64>([
  0x00095f6200000000, 0x00095f6200000000, // from sqrt(1/2) to 1
  0x4330000000000000, 0x4330000000000000, // 2^52
  0x000fffffffffffff, 0x000fffffffffffff, // mantissa
  0x3fe6a09e00000000, 0x3fe6a09e00000000, // sqrt(1/2)
  0x7ff8000000000000, 0x7ff8000000000000, // NaN
], 16);

/**
 * Computes log(x) of two float64 within 1 ulp, for 0, normal x and NaN. 0 gives NaN because it is the sum of a line
 * without finite elements. Follows fdlibm's e_log.c, with the reduction to [sqrt(1/2), sqrt(2)) in integers.
 */
export function log(x: v128): v128 {
  const shifted = v128.add<i64>(x, v128.load(LOG64_BITS));
  const biased = v128.or(v128.shr<u64>(shifted, 52), v128.load(LOG64_BITS, 16));
  const k = v128.sub<f64>(biased, v128.load(LOG64, 160));
  const mantissa = v128.add<i64>(v128.and(shifted, v128.load(LOG64_BITS, 32)), v128.load(LOG64_BITS, 48));
  const f = v128.sub<f64>(mantissa, v128.load(LOG64, 112));
  const s = v128.div<f64>(f, v128.add<f64>(f, v128.load(LOG64, 128)));
  const z = v128.mul<f64>(s, s);
  const w = v128.mul<f64>(z, z);
  let even = madd<f64>(w, v128.load(LOG64), v128.load(LOG64, 16));
  even = v128.mul<f64>(w, madd<f64>(w, even, v128.load(LOG64, 32)));
  let odd = madd<f64>(w, v128.load(LOG64, 48), v128.load(LOG64, 64));
  odd = madd<f64>(w, odd, v128.load(LOG64, 80));
  odd = v128.mul<f64>(z, madd<f64>(w, odd, v128.load(LOG64, 96)));
  const half = v128.mul<f64>(v128.mul<f64>(f, f), v128.load(LOG64, 144));
  const sum = v128.add<f64>(half, v128.add<f64>(even, odd));
  const tail = madd<f64>(s, sum, v128.mul<f64>(k, v128.load(LOG64, 192)));
  const rest = v128.sub<f64>(v128.sub<f64>(half, tail), f);
  const value = v128.sub<f64>(v128.mul<f64>(k, v128.load(LOG64, 176)), rest);
  return v128.bitselect(value, v128.load(LOG64_BITS, 64), v128.gt<f64>(x, f64x2.splat(0)));
}

/** Computes log(1 + t) of two float64 within 2 ulp, even if 1 + t rounds to 1. t = -1 and NaN give NaN. */
export function log1p(t: v128): v128 {
  const one = v128.load(LOG64, 112);
  const u = v128.add<f64>(t, one);
  // Restores the part of t lost by rounding 1 + t, whose share of the logarithm is 1 / u of it.
  const lost = v128.sub<f64>(t, v128.sub<f64>(u, one));
  return v128.add<f64>(log(u), v128.and(lost, v128.lt<f64>(u, v128.load(LOG64, 128))));
}
