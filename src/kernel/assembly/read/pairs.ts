// Reads runs of tokens two at a time, with one loop over the commas for all number forms and layouts.
//
// The tokens of a pair are independent, and so are the pairs, because the index holds the end of each. So the processor
// works on several at once. More than two at a time was no faster. Forms and layouts are types.
import { readShortExponent } from "./exponents";
import { divideStage, STAGE, STAGE_ROW, STAGE_ROWS, stageLong } from "./long";
import { badSeparator, closes, isNested, leftAfter, rowEnds, startAfter } from "./rows";
import { readShort } from "./short";

/** Forms of numbers, each a type of its own size. */
export type Short = u8;
export type ShortExponent = u16;
export type Long = u32;
export type LongExponent = u64;

// @ts-ignore: decorator
@inline
function isLong<F>(): bool {
  return sizeof<F>() >= sizeof<Long>();
}

/**
 * Reads up to `pairs` pairs of numbers of form F. The first token begins at `start`, the index holds the commas from
 * `commas` on, and `space` spaces follow each. For {@link Nested}, `left` numbers remain in the row. Writes the numbers
 * to `to`, with up to one pair of garbage after them. Returns the count of pairs before the first of another form or
 * layout.
 */
export function readPairs<L, F>(start: usize, commas: usize, pairs: usize, space: usize, to: usize, left: u32, width: u32): usize {
  if (!isLong<F>()) return walk<L, F>(start, commas, pairs, space, to, left, width);
  const rows = walk<L, F>(start, commas, min(pairs, STAGE_ROWS), space, STAGE, left, width);
  return divideStage(rows, to, sizeof<F>() == sizeof<LongExponent>());
}

// @ts-ignore: decorator
@inline
function walk<L, F>(start: usize, commas: usize, pairs: usize, space: usize, to: usize, left: u32, width: u32): usize {
  const first = commas;
  const last = commas + (pairs << 3);
  for (; commas < last; commas += 8, to += isLong<F>() ? STAGE_ROW : 16) {
    const at0 = usize(load<u32>(commas));
    const at1 = usize(load<u32>(commas, 4));
    const close0 = closes<L>(at0);
    const close1 = closes<L>(at1);
    if (isNested<L>()) {
      if ((close0 | (close1 << 1)) != rowEnds(left, width)) break;
      left = leftAfter(left, width, 2);
    }
    if (isNested<L>() || space != 0) {
      if ((badSeparator<L>(at0, space, close0) | badSeparator<L>(at1, space, close1)) != 0) break;
    }
    if (!readPair<F>(start, at0 - close0, startAfter(at0, space, close0), at1 - close1, to)) break;
    start = startAfter(at1, space, close1);
  }
  return (commas - first) >> 3;
}

// @ts-ignore: decorator
@inline
function readPair<F>(start0: usize, at0: usize, start1: usize, at1: usize, to: usize): bool {
  if (sizeof<F>() == sizeof<Short>()) return readShort(start0, at0, start1, at1, to);
  if (sizeof<F>() == sizeof<ShortExponent>()) return readShortExponent(start0, at0, start1, at1, to);
  return stageLong(start0, at0, start1, at1, to, sizeof<F>() == sizeof<LongExponent>());
}

/**
 * Counts the tokens of the next pair that end in a digit and are followed by regular layout. Below two, no form of
 * numbers can help.
 */
export function regularTokens<L>(commas: usize, space: usize, left: u32, width: u32): i32 {
  const ends = isNested<L>() ? rowEnds(left, width) : 0;
  for (let k = 0; k < 2; k++) {
    const at = usize(load<u32>(commas + (k << 2)));
    const closed = closes<L>(at);
    if (closed != ((ends >> k) & 1) || badSeparator<L>(at, space, closed) != 0) return k;
    if (u32(load<u8>(at - closed, 15)) - 48 > 9) return k;
  }
  return 2;
}
