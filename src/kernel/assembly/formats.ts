// Element types, and conversions of single numbers, rounded to nearest even.

export const FLOAT64: i32 = 0;
export const FLOAT32: i32 = 1;
export const FLOAT16: i32 = 2;
export const BFLOAT16: i32 = 3;
export const INT64: i32 = 4;
export const INT32: i32 = 5;
export const UINT8: i32 = 6;

/** Returns log2 of the bytes of an element. */
// @ts-ignore: decorator
@inline
export function log2SizeOf(dtype: i32): usize {
  // Holds one hex digit per code: 3, 2, 1, 1, 3, 2, 0.
  return (0x0231123 >> (dtype << 2)) & 15;
}

/** Reads one element. Integers over 2^53 round to nearest even. */
export function loadNumber(at: usize, dtype: i32): f64 {
  switch (dtype) {
    case FLOAT64: return load<f64>(at);
    case FLOAT32: return f64(load<f32>(at));
    case FLOAT16: return fromFloat16(load<u16>(at));
    case BFLOAT16: return f64(reinterpret<f32>(u32(load<u16>(at)) << 16));
    case INT64: return f64(load<i64>(at));
    case INT32: return f64(load<i32>(at));
    case UINT8: return f64(load<u8>(at));
    default: return unreachable();
  }
}

/**
 * Writes one element of a float type with one rounding. A NaN is the canonical one, because the sign of one that was
 * computed depends on how the engine has compiled the code by then.
 */
export function storeNumber(at: usize, dtype: i32, value: f64): void {
  if (value != value) value = NaN;
  switch (dtype) {
    case FLOAT64: return store<f64>(at, value);
    case FLOAT32: return store<f32>(at, f32(value));
    case FLOAT16: return store<u16>(at, toFloat16(value));
    case BFLOAT16: return store<u16>(at, toBFloat16(value));
    default: return unreachable();
  }
}

/** Rounds to a float type as if stored. */
export function roundNumber(value: f64, dtype: i32): f64 {
  switch (dtype) {
    case FLOAT64: return value;
    case FLOAT32: return f64(f32(value));
    case FLOAT16: return fromFloat16(toFloat16(value));
    case BFLOAT16: return f64(reinterpret<f32>(toBFloat16(value) << 16));
    default: return unreachable();
  }
}

/** Reads a class index. */
export function loadIndex(at: usize, dtype: i32): i64 {
  switch (dtype) {
    case INT64: return load<i64>(at);
    case INT32: return i64(load<i32>(at));
    case UINT8: return i64(load<u8>(at));
    default: return unreachable();
  }
}

/** Returns the value of the bits of a float16. */
export function fromFloat16(bits: u32): f64 {
  const magnitude = bits & 0x7fff;
  // Interpreted as a float32, the value is 2^112 times too small, including subnormals.
  const scaled = reinterpret<f32>(magnitude << 13) * reinterpret<f32>(0x77800000);
  const value = magnitude < 0x7c00 ? scaled : reinterpret<f32>((magnitude << 13) | 0x7f800000);
  return f64(bits & 0x8000 ? -value : value);
}

/**
 * Rounds a double to float32 by round to odd (Boldo and Melquiond, 2008), so that a second rounding to a narrower type
 * gives the same result as a single one. Chooses the neighbor with an odd last bit.
 */
function toOdd(value: f64): f32 {
  const near = f32(value);
  const bits = reinterpret<u32>(near);
  const wide = f64(near);
  if (wide == value || near != near || bits & 1) return near;
  return reinterpret<f32>(Math.abs(wide) > Math.abs(value) ? bits - 1 : bits | 1);
}

/** Returns the bits of the nearest float16. */
export function toFloat16(value: f64): u32 {
  const bits = reinterpret<u32>(toOdd(value));
  const sign = (bits >> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // From 65,520 on, half a step above the largest float16.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Below 2^-14 the step is 2^-24, which is float32's step next to 0.5.
  if (magnitude < 0x38800000) {
    return sign | (reinterpret<u32>(reinterpret<f32>(magnitude) + 0.5) - 0x3f000000);
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13);
}

/** Returns the bits of the nearest bfloat16. */
export function toBFloat16(value: f64): u32 {
  const bits = reinterpret<u32>(toOdd(value));
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >> 16) & 0x8000) | 0x7fc0;
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}
