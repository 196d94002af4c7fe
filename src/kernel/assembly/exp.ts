// exp and log in vectors of the compute type K: float32 or float64.

// V8 builds a vector constant anew in every round of a loop, so a caller reads the eleven that float32 needs before its loop:
// exp(x) = 2^n * p(r), n = round(x / ln 2), r = x - n * ln 2 in two steps, |r| <= ln 2 / 2, p(r) = 1 + r + r^2 * q(r).
// q is the polynomial of least relative error (Remez), 3.1e-9 for float32 and 3.7e-18 for float64.
const EXP32 = memory.data<f32>([
  1.4426950408889634, 1.4426950408889634, 1.4426950408889634, 1.4426950408889634, // 1 / ln 2
  12583039, 12583039, 12583039, 12583039, // 1.5 * 2^23 + 127: adding it rounds to an integer, biased as an exponent
  -0.693359375, -0.693359375, -0.693359375, -0.693359375, // -ln 2 in ten bits, so that n times it is exact
  2.12194440054691e-4, 2.12194440054691e-4, 2.12194440054691e-4, 2.12194440054691e-4, // the rest of -ln 2
  -87.33654, -87.33654, -87.33654, -87.33654, // ln 2^-126: below it a result would be subnormal
  0.0013814598646664034, 0.0013814598646664034, 0.0013814598646664034, 0.0013814598646664034,
  0.00836871687971288, 0.00836871687971288, 0.00836871687971288, 0.00836871687971288,
  0.041668388045313997, 0.041668388045313997, 0.041668388045313997, 0.041668388045313997,
  0.16666520631709497, 0.16666520631709497, 0.16666520631709497, 0.16666520631709497,
  0.49999993447796487, 0.49999993447796487, 0.49999993447796487, 0.49999993447796487,
  1, 1, 1, 1,
], 16);

const EXP64 = memory.data<f64>([
  1.4426950408889634, 1.4426950408889634, // 1 / ln 2
  6755399441056767, 6755399441056767, // 1.5 * 2^52 + 1023
  -0.6931471803691238, -0.6931471803691238, // -ln 2 in 33 bits
  -1.9082149292705877e-10, -1.9082149292705877e-10, // the rest of -ln 2
  -708.3964185322641, -708.3964185322641, // ln 2^-1022
  2.7630248379211444e-7, 2.7630248379211444e-7,
  2.7557586373840164e-6, 2.7557586373840164e-6,
  0.00002480149309890655, 0.00002480149309890655,
  0.00019841269506578688, 0.00019841269506578688,
  0.0013888888943630113, 0.0013888888943630113,
  1, 1,
  0.008333333333494462, 0.008333333333494462,
  0.041666666666530156, 0.041666666666530156,
  0.16666666666666413, 0.16666666666666413,
  0.500000000000001, 0.500000000000001,
  2.5000061602835667e-8, 2.5000061602835667e-8,
], 16);

/** The `i`-th constant of {@link exp}. */
// @ts-ignore: decorator
@inline
export function expConstant<K>(i: usize): v128 {
  return sizeof<K>() == 4 ? v128.load(EXP32 + (i << 4)) : v128.load(EXP64 + (i << 4));
}

/**
 * exp(x) for x <= 0, within 1 ulp; `c0` to `c10` are {@link expConstant}. NaN gives NaN. Where the result would be under the smallest
 * normal number (x under -87.33654 in float32, -708.3964185322641 in float64; -Infinity) it is 0: subnormal steps cost more
 * time than they carry weight.
 */
// @ts-ignore: decorator
@inline
export function exp<K>(
  x: v128, c0: v128, c1: v128, c2: v128, c3: v128, c4: v128, c5: v128, c6: v128, c7: v128, c8: v128, c9: v128, c10: v128,
): v128 {
  const biased = v128.relaxed_madd<K>(x, c0, c1);
  const n = v128.sub<K>(biased, c1);
  const r = v128.relaxed_madd<K>(n, c3, v128.relaxed_madd<K>(n, c2, x));
  let p: v128;
  let power: v128;
  if (sizeof<K>() == 4) {
    power = i32x4.shl(biased, 23);
    p = v128.relaxed_madd<K>(r, c5, c6);
    p = v128.relaxed_madd<K>(r, p, c7);
    p = v128.relaxed_madd<K>(r, p, c8);
    p = v128.relaxed_madd<K>(r, p, c9);
  } else {
    power = i64x2.shl(biased, 52);
    p = v128.relaxed_madd<K>(r, v128.load(EXP64, 240), c5);
    p = v128.relaxed_madd<K>(r, p, c6);
    p = v128.relaxed_madd<K>(r, p, c7);
    p = v128.relaxed_madd<K>(r, p, c8);
    p = v128.relaxed_madd<K>(r, p, c9);
    p = v128.relaxed_madd<K>(r, p, v128.load(EXP64, 176));
    p = v128.relaxed_madd<K>(r, p, v128.load(EXP64, 192));
    p = v128.relaxed_madd<K>(r, p, v128.load(EXP64, 208));
    p = v128.relaxed_madd<K>(r, p, v128.load(EXP64, 224));
  }
  p = v128.relaxed_madd<K>(r, p, c10);
  p = v128.relaxed_madd<K>(r, p, c10);
  return v128.andnot(v128.mul<K>(p, power), v128.lt<K>(x, c4));
}

/**
 * log(x) of two float64, within 1 ulp, for 0, normal x and NaN. 0 and NaN give NaN: the sum of a line that has no finite
 * element. fdlibm's e_log.c, with the reduction to [sqrt(1/2), sqrt(2)) in integers.
 */
export function log(x: v128): v128 {
  const shifted = v128.add<i64>(x, i64x2.splat(0x0009_5f62_0000_0000));
  const biased = v128.shr<u64>(shifted, 52);
  const k = v128.sub<f64>(v128.or(biased, i64x2.splat(0x4330_0000_0000_0000)), f64x2.splat(4503599627371519));
  const mantissa = v128.add<i64>(
    v128.and(shifted, i64x2.splat(0x000f_ffff_ffff_ffff)), i64x2.splat(0x3fe6_a09e_0000_0000),
  );
  const f = v128.sub<f64>(mantissa, f64x2.splat(1));
  const s = v128.div<f64>(f, v128.add<f64>(f, f64x2.splat(2)));
  const z = v128.mul<f64>(s, s);
  const w = v128.mul<f64>(z, z);
  let even = v128.relaxed_madd<f64>(w, f64x2.splat(0.15313837699209373), f64x2.splat(0.22222198432149784));
  even = v128.mul<f64>(w, v128.relaxed_madd<f64>(w, even, f64x2.splat(0.3999999999940942)));
  let odd = v128.relaxed_madd<f64>(w, f64x2.splat(0.14798198605116586), f64x2.splat(0.1818357216161805));
  odd = v128.relaxed_madd<f64>(w, odd, f64x2.splat(0.2857142874366239));
  odd = v128.mul<f64>(z, v128.relaxed_madd<f64>(w, odd, f64x2.splat(0.6666666666666735)));
  const half = v128.mul<f64>(v128.mul<f64>(f, f), f64x2.splat(0.5));
  const tail = v128.relaxed_madd<f64>(
    s, v128.add<f64>(half, v128.add<f64>(even, odd)), v128.mul<f64>(k, f64x2.splat(1.9082149292705877e-10)),
  );
  const rest = v128.sub<f64>(v128.sub<f64>(half, tail), f);
  const value = v128.sub<f64>(v128.mul<f64>(k, f64x2.splat(0.6931471803691238)), rest);
  return v128.add<f64>(value, v128.div<f64>(f64x2.splat(0), x));
}
