// Powers of ten for the number reader and printers. The loader computes them once and writes them here.

export const POWER_MIN: i32 = -342;
export const POWER_MAX: i32 = 308;

/** For each q from POWER_MIN, the upper 128 bits of 10^q, upper word first, truncated for q >= 0 and rounded up for q < 0. */
export const powersAt: usize = memory.data(651 * 16, 16);

export const SCALE_MIN: i32 = -324;

/** For each k from SCALE_MIN to 293, g = floor(10^-k 2^-r) + 1 with 126 bits, as g1 = g >> 63 and g0 = g mod 2^63. */
export const scalesAt: usize = memory.data(618 * 16, 16);

// @ts-ignore: decorator
@inline
export function powerHigh(q: i32): u64 {
  return load<u64>(powersAt + (usize(q - POWER_MIN) << 4));
}

// @ts-ignore: decorator
@inline
export function powerLow(q: i32): u64 {
  return load<u64>(powersAt + (usize(q - POWER_MIN) << 4), 8);
}

// @ts-ignore: decorator
@inline
export function scaleHigh(k: i32): u64 {
  return load<u64>(scalesAt + (usize(k - SCALE_MIN) << 4));
}

// @ts-ignore: decorator
@inline
export function scaleLow(k: i32): u64 {
  return load<u64>(scalesAt + (usize(k - SCALE_MIN) << 4), 8);
}
