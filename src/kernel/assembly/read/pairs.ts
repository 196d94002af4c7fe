// A run of tokens read two at a time: the same walk from comma to comma for short numbers with exponents and for long ones.
import { readShortExponents } from "./exponents";
import { Plain, readLong, Scientific } from "./long";
import { badSeparator, closes, isNested, leftAfter, periodOf, rowEnds, startAfter } from "./rows";

/** Numbers of at most 16 characters and an exponent; beside the types of long.ts a form of number. */
export type ShortExponents = u32;

/** As {@link readShort} for `pairs` pairs of tokens of the form M. */
export function readPairs<L, M>(start: usize, commas: usize, pairs: usize, space: usize, to: usize, left: u32, width: u32): usize {
  const period = periodOf(width);
  for (let done: usize = 0; done < pairs; done++) {
    const at0 = usize(load<u32>(commas));
    const at1 = usize(load<u32>(commas, 4));
    const close0 = closes<L>(at0);
    const close1 = closes<L>(at1);
    const ends = isNested<L>() ? rowEnds(left, period, 2) : 0;
    if (isNested<L>() && usize(ends) != (close0 | (close1 << 1))) return done;
    if ((badSeparator<L>(at0, space, close0) | badSeparator<L>(at1, space, close1)) != 0) return done;
    const start1 = startAfter(at0, space, close0);
    if (!readPair<M>(start, at0 - close0, start1, at1 - close1, to)) return done;
    if (isNested<L>()) left = leftAfter(left, width, 2, ends);
    start = startAfter(at1, space, close1);
    commas += 8;
    to += 16;
  }
  return pairs;
}

// @ts-ignore: decorator
@inline
function readPair<M>(start0: usize, at0: usize, start1: usize, at1: usize, to: usize): bool {
  if (sizeof<M>() == sizeof<ShortExponents>()) return readShortExponents(start0, at0, start1, at1, to);
  return readLong<M>(start0, at0, start1, at1, to);
}
