// Table rows of 16 bytes with the text of a magnitude and a comma, at most 15 characters, and their count.
//
// The reference fills a row when its number is first printed. A count of 0 means that the row is empty or the text is
// too long. Infinities and NaN have their own rows because their signs follow a quotation mark.
import { printSpecial } from "./notation";
import { printFloat32 } from "./schubfach";

const LENGTH: usize = 15;

/** Infinity as float32. Larger magnitudes are NaN. */
export const INFINITE: u32 = 0x7f800000;

/** "Infinity", "-Infinity" and "NaN" with quotation marks. */
const NON_FINITE = memory.data(48, 16);

/** Scratch for a text of the reference and the bytes written past its end. */
const SCRATCH = memory.data(64, 16);

// @ts-ignore: decorator
@inline
export function hasText(row: usize): bool {
  return load<u8>(row, LENGTH) != 0;
}

/** Writes a sign if `negative` is 1, then the text of a row with its comma. Returns the address after it. */
// @ts-ignore: decorator
@inline
export function placeText(row: usize, negative: u32, to: usize): usize {
  store<u8>(to, 45);
  to += usize(negative);
  v128.store(to, v128.load(row));
  return to + usize(load<u8>(row, LENGTH));
}

/** Writes the finite number with these float32 bits and a comma, and fills its row. Returns the address after it. */
export function printNewText(row: usize, bits: u32, to: usize): usize {
  fillRow(row, printFloat32(bits & 0x7fffffff, SCRATCH));
  to = printFloat32(bits, to);
  store<u8>(to, 44);
  return to + 1;
}

/** Writes the string for an infinity or NaN, and a comma. Returns the address after it. */
// @ts-ignore: decorator
@inline
export function printNonFinite(negative: u32, nan: bool, to: usize): usize {
  return placeText(NON_FINITE + (nan ? 32 : usize(negative) << 4), 0, to);
}

/** Fills the rows of infinities and NaN. Called once. */
export function fillNonFinite(): void {
  fillRow(NON_FINITE, printSpecial(false, false, SCRATCH));
  fillRow(NON_FINITE + 16, printSpecial(true, false, SCRATCH));
  fillRow(NON_FINITE + 32, printSpecial(false, true, SCRATCH));
}

/** Fills a row with the text from SCRATCH to `end` if it fits. */
function fillRow(row: usize, end: usize): void {
  const length = end + 1 - SCRATCH;
  if (length > LENGTH) return;
  store<u8>(end, 44);
  v128.store(row, v128.load(SCRATCH));
  store<u8>(row, u8(length), LENGTH);
}
