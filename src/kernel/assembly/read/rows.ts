// Where tokens begin and end: in one list, or in rows of known width.
//
// Between two numbers of a list stands a comma, and after it `space` spaces, none or one: all commas of a run have the same, or the
// run ends there. Between the last number of a row and the first of the next stand `],[` or `], [`. Once the first row has ended, the width of all others
// is known, and so is after which numbers a row must end. The reader looks whether the character before each comma is `]` and compares that
// with what the width asks for. A row that ends early or late stops the run, and the scanner refuses it.
// The layout is a type, so that what both have in common is written once and a flat list pays nothing for rows.
// The index of commas holds the address of each comma less 16, here called `at`: the 16 characters before the comma begin there.

/** Numbers of one list, which does not end within the run. */
export type Flat = u8;
/** Numbers of rows that are `width` long. */
export type Nested = u16;

// @ts-ignore: decorator
@inline
export function isNested<L>(): bool {
  return sizeof<L>() == sizeof<Nested>();
}

/** 1 if the row ends before this comma, else 0. */
// @ts-ignore: decorator
@inline
export function closes<L>(at: usize): usize {
  return isNested<L>() ? usize(load<u8>(at, 15) == 93) : 0;
}

/** Not 0 unless `space` spaces follow the comma, and an opening bracket follows them if the row is `closed`. */
// @ts-ignore: decorator
@inline
export function badSeparator<L>(at: usize, space: usize, closed: usize): usize {
  const noSpace = (usize(load<u8>(at, 17)) ^ 32) & (0 - space);
  return isNested<L>() ? noSpace | ((usize(load<u8>(at + space, 17)) ^ 91) & (0 - closed)) : noSpace;
}

/** Where the token after this comma begins. */
// @ts-ignore: decorator
@inline
export function startAfter(at: usize, space: usize, closed: usize): usize {
  return at + space + 17 + closed;
}

/** Which of the next two numbers end a row that has `left` to come: bit 0 for the first, bit 1 for the second. */
// @ts-ignore: decorator
@inline
export function rowEnds(left: u32, width: u32): usize {
  if (left > 2) return 0;
  return left == 2 ? 2 : width == 1 ? 3 : 1;
}

/** The numbers to come in the row at hand after `count` more. */
// @ts-ignore: decorator
@inline
export function leftAfter(left: u32, width: u32, count: u32): u32 {
  return left > count ? left - count : width - (count - left) % width;
}
