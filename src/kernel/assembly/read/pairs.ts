// A run of tokens read two at a time: the same walk from comma to comma for short numbers with exponents and for long ones.
import { readShortExponents } from "./exponents";
import { divideStage, STAGE, STAGE_PAIRS, STAGE_ROW, stageLong } from "./long";
import { badSeparator, closes, isNested, leftAfter, periodOf, rowEnds, startAfter } from "./rows";

/** Numbers of at most 16 characters and an exponent; beside the types of long.ts a form of number. */
export type ShortExponents = u32;

/** As {@link readShort} for `pairs` pairs of tokens of the form M. */
export function readPairs<L, M>(start: usize, commas: usize, pairs: usize, space: usize, to: usize, left: u32, width: u32): usize {
  const period = periodOf(width);
  const gap = <usize>17 + space;
  const first = commas;
  const last = commas + (pairs << 3);
  while (commas < last) {
    const at0 = usize(load<u32>(commas));
    const at1 = usize(load<u32>(commas, 4));
    const close0 = closes<L>(at0);
    const close1 = closes<L>(at1);
    const ends = isNested<L>() ? rowEnds(left, period, 2) : 0;
    if (isNested<L>() && usize(ends) != (close0 | (close1 << 1))) break;
    if ((badSeparator<L>(at0, space, close0) | badSeparator<L>(at1, space, close1)) != 0) break;
    const start1 = startAfter(at0, gap, close0);
    if (!readPair<M>(start, at0 - close0, start1, at1 - close1, to)) break;
    if (isNested<L>()) left = leftAfter(left, width, 2, ends);
    start = startAfter(at1, gap, close1);
    commas += 8;
    to += sizeof<M>() == sizeof<ShortExponents>() ? 16 : STAGE_ROW;
  }
  return (commas - first) >> 3;
}

// @ts-ignore: decorator
@inline
function readPair<M>(start0: usize, at0: usize, start1: usize, at1: usize, to: usize): bool {
  if (sizeof<M>() == sizeof<ShortExponents>()) return readShortExponents(start0, at0, start1, at1, to);
  return stageLong<M>(start0, at0, start1, at1, to);
}

/** As {@link readPairs} for long numbers, which go through the stage. */
export function readLongs<L, M>(start: usize, commas: usize, pairs: usize, space: usize, to: usize, left: u32, width: u32): usize {
  return divideStage<M>(readPairs<L, M>(start, commas, min(pairs, STAGE_PAIRS), space, STAGE, left, width), to);
}
