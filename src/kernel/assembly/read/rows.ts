// Where tokens begin and end: in one list, or in lists of known width.
//
// Between two numbers of a list stands a comma, and behind it no or one space; all commas of a run are followed by the same, or the run ends there.
// Between the last number of a row and the first of the next stand `],[` or `], [`. Once the first row has ended, the width of all others
// is known, so the reader knows in advance after which numbers a row must end. It looks whether the character before each comma is `]`,
// and compares these bits with those that the width asks for: rows that end early or late fail, and the scanner refuses them.
// Everything that the flat and the nested layout have in common is written once, with the layout as a type.

/** Numbers of one list: the run ends before the list does. */
export type Flat = u8;
/** Numbers of lists that are `width` long. */
export type Nested = u16;

// @ts-ignore: decorator
@inline
export function isNested<L>(): bool {
  return sizeof<L>() == 2;
}

/** 1 if the list ends after the token whose comma stands 16 bytes after `at`, else 0. */
// @ts-ignore: decorator
@inline
export function closes<L>(at: usize): usize {
  return isNested<L>() ? usize(load<u8>(at, 15) == 93) : 0;
}

/** Not 0 unless `space` spaces follow the comma, and an opening bracket them if the list ends. */
// @ts-ignore: decorator
@inline
export function badSeparator<L>(at: usize, space: usize, closed: usize): usize {
  const noSpace = (usize(load<u8>(at, 17)) ^ 32) & (0 - space);
  return isNested<L>() ? noSpace | ((usize(load<u8>(at + space, 17)) ^ 91) & (0 - closed)) : noSpace;
}

/** Where the token after this comma begins. */
// @ts-ignore: decorator
@inline
export function startAfter(at: usize, gap: usize, closed: usize): usize {
  return at + gap + closed;
}

/** Which of four numbers end a row, if the first does, as bits. */
// @ts-ignore: decorator
@inline
export function periodOf(width: u32): u32 {
  return width == 1 ? 15 : width == 2 ? 5 : width == 3 ? 9 : 1;
}

/** Which of the next `count` numbers, two or four, end a row that has `left` to come: bit k for number k. */
// @ts-ignore: decorator
@inline
export function rowEnds(left: u32, period: u32, count: u32): u32 {
  return left > count ? 0 : (period << (left - 1)) & ((1 << count) - 1);
}

/** The numbers to come in the row at hand, `count` numbers and these ends of rows further on. */
// @ts-ignore: decorator
@inline
export function leftAfter(left: u32, width: u32, count: u32, ends: u32): u32 {
  return left - count + width * popcnt(ends);
}

/**
 * How many of the next four tokens end in a digit, are followed by what the layout asks for and end a row if they should. Where it is
 * fewer, no mode can read the group.
 */
export function regularTokens<L>(commas: usize, space: usize, left: u32, width: u32): i32 {
  const ends = isNested<L>() ? rowEnds(left, periodOf(width), 4) : 0;
  for (let k = 0; k < 4; k++) {
    const at = usize(load<u32>(commas + (k << 2)));
    const closed = closes<L>(at);
    if (closed != ((ends >> k) & 1) || badSeparator<L>(at, space, closed) != 0) return k;
    if (u32(load<u8>(at - closed, 15)) - 48 > 9) return k;
  }
  return 4;
}
