// Boundaries of tokens in one list, or in rows of known width.
//
// A comma and `space` spaces, none or one, separate the numbers of a list. A run ends at a comma with another count of
// spaces. `],[` or `], [` separates rows. The first row determines the width of all others, and with it the numbers
// after which a row must end. The reader compares that with whether the character before each comma is `]`. A row that
// ends early or late stops the run, and the scanner rejects it. The layout is a type, so that shared code is written
// once and a flat list has no cost for rows. The index holds the address of each comma minus 16, called `at` here,
// which is the start of the 16 characters before the comma.

/** Layout of one list that does not end within the run. */
export type Flat = u8;
/** Layout of rows that are `width` long. */
export type Nested = u16;

// @ts-ignore: decorator
@inline
export function isNested<L>(): bool {
  return sizeof<L>() == sizeof<Nested>();
}

/** Returns 1 if the row ends before this comma, otherwise 0. */
// @ts-ignore: decorator
@inline
export function closes<L>(at: usize): usize {
  return isNested<L>() ? usize(load<u8>(at, 15) == 93) : 0;
}

/** Returns 0 if `space` spaces follow the comma, and an opening bracket follows them if the row is `closed`. */
// @ts-ignore: decorator
@inline
export function badSeparator<L>(at: usize, space: usize, closed: usize): usize {
  const noSpace = (usize(load<u8>(at, 17)) ^ 32) & (0 - space);
  return isNested<L>() ? noSpace | ((usize(load<u8>(at + space, 17)) ^ 91) & (0 - closed)) : noSpace;
}

/** Returns the start of the token after this comma. */
// @ts-ignore: decorator
@inline
export function startAfter(at: usize, space: usize, closed: usize): usize {
  return at + space + 17 + closed;
}

/** Returns a bit for each of the next two numbers that ends a row with `left` numbers remaining, bit 0 for the first. */
// @ts-ignore: decorator
@inline
export function rowEnds(left: u32, width: u32): usize {
  if (left > 2) return 0;
  return left == 2 ? 2 : width == 1 ? 3 : 1;
}

/** Returns the numbers that remain in the current row after `count` more. */
// @ts-ignore: decorator
@inline
export function leftAfter(left: u32, width: u32, count: u32): u32 {
  return left > count ? left - count : width - (count - left) % width;
}
