// Converts ranges between element types, and rounds ranges as if they were converted.
import { BFLOAT16, FLOAT16, FLOAT32, FLOAT64, INT32, INT64, UINT8, loadNumber, log2SizeOf, storeNumber } from "./formats";
import {
  narrowBFloat16, narrowFloat16, roundToBFloat16, roundToFloat16, widenBFloat16, widenFloat16,
} from "./halves";
import { codeOf } from "./types";

/**
 * Converts `n` elements of any type to a float type, each rounded once to nearest even. The ranges may not overlap, but
 * `from` may equal `to` if elements do not grow.
 */
export function convert(from: usize, fromDtype: i32, to: usize, toDtype: i32, n: usize): void {
  if (fromDtype == toDtype) {
    if (from != to) memory.copy(to, from, n << log2SizeOf(toDtype));
  } else if (toDtype == FLOAT32 && fromDtype == FLOAT16) widenFloat16(from, to, n);
  else if (toDtype == FLOAT32 && fromDtype == BFLOAT16) widenBFloat16(from, to, n);
  else if (toDtype == FLOAT32 && fromDtype == FLOAT64) demote(from, to, n);
  else if (toDtype == FLOAT64 && fromDtype == FLOAT32) promote(from, to, n);
  else if (toDtype == FLOAT16 && fromDtype == FLOAT32) narrowFloat16(from, to, n);
  else if (toDtype == BFLOAT16 && fromDtype == FLOAT32) narrowBFloat16(from, to, n);
  else if (fromDtype == INT64) convertInt64(from, to, toDtype, n);
  else convertEach(from, fromDtype, to, toDtype, n);
}

/** Rounds `n` numbers of K in place as if stored in a float type. `scratch` has room for as many of K. */
export function roundBlock<K>(at: usize, dtype: i32, n: usize, scratch: usize): void {
  if (dtype == codeOf<K>()) return;
  if (sizeof<K>() == 4) {
    if (dtype == FLOAT16) roundToFloat16(at, n);
    else if (dtype == BFLOAT16) roundToBFloat16(at, n);
  } else {
    convert(at, FLOAT64, scratch, dtype, n);
    convert(scratch, dtype, at, FLOAT64, n);
  }
}

/** Rounds four float64 to float32, to nearest even. */
// @ts-ignore: decorator
@inline
export function demotePair(low: v128, high: v128): v128 {
  return i32x4.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

/** Converts float32 to float64. */
function promote(from: usize, to: usize, n: usize): void {
  const end = to + ((n & ~3) << 3);
  for (; to < end; from += 16, to += 32) {
    const four = v128.load(from);
    v128.store(to, f64x2.promote_low_f32x4(four));
    v128.store(to, f64x2.promote_low_f32x4(i32x4.shuffle(four, four, 2, 3, 0, 1)), 16);
  }
  for (let i: usize = 0; i < (n & 3); i++) store<f64>(to + (i << 3), f64(load<f32>(from + (i << 2))));
}

/** Converts float64 to float32, to nearest even. `from` may equal `to`. */
function demote(from: usize, to: usize, n: usize): void {
  const end = to + ((n & ~3) << 2);
  for (; to < end; from += 32, to += 16) {
    v128.store(to, demotePair(v128.load(from), v128.load(from, 16)));
  }
  for (let i: usize = 0; i < (n & 3); i++) store<f32>(to + (i << 2), f32(load<f64>(from + (i << 3))));
}

/** Converts via float64, which represents every element of these types exactly. */
function convertEach(from: usize, fromDtype: i32, to: usize, toDtype: i32, n: usize): void {
  const fromWidth = log2SizeOf(fromDtype);
  const toWidth = log2SizeOf(toDtype);
  for (let i: usize = 0; i < n; i++) {
    storeNumber(to + (i << toWidth), toDtype, loadNumber(from + (i << fromWidth), fromDtype));
  }
}

/** Doubles represent every integer up to 2^53. */
const DOUBLES: i64 = 9007199254740992;

function convertInt64(from: usize, to: usize, toDtype: i32, n: usize): void {
  const toWidth = log2SizeOf(toDtype);
  for (let i: usize = 0; i < n; i++) {
    const value = load<i64>(from + (i << 3));
    // Sets an odd last bit for the bits that float64 would drop, so that only the second rounding decides.
    const odd = (value & ~1023) | (i64((value & 1023) != 0) << 10);
    const exact = toDtype == FLOAT64 || (value >= -DOUBLES && value <= DOUBLES);
    storeNumber(to + (i << toWidth), toDtype, f64(exact ? value : odd));
  }
}

/** JSON numbers beyond 2^53 may have lost digits. */
const MAX_EXACT: f64 = 9007199254740992;

/**
 * Converts `n` doubles to integers. Returns the index of the first that is not an integer in range (±2^53 for int64)
 * after writing those before it, or -1. `from` may equal `to`.
 */
export function toIntegers(from: usize, to: usize, dtype: i32, n: usize): i32 {
  let low: f64 = -MAX_EXACT;
  let high = MAX_EXACT;
  if (dtype == INT32) {
    low = i32.MIN_VALUE;
    high = i32.MAX_VALUE;
  } else if (dtype == UINT8) {
    low = 0;
    high = 255;
  } else if (dtype != INT64) unreachable();
  const width = log2SizeOf(dtype);
  for (let i: usize = 0; i < n; i++) {
    const value = load<f64>(from + (i << 3));
    // Rejects NaN, too.
    if (!(value >= low && value <= high) || Math.trunc(value) != value) return i32(i);
    const at = to + (i << width);
    if (dtype == INT64) store<i64>(at, i64(value));
    else if (dtype == INT32) store<i32>(at, i32(value));
    else store<u8>(at, u8(value));
  }
  return -1;
}
