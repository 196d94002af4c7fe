// Reads as many numbers of a list as come in the forms that vectors read, and leaves the rest to the scanner.
//
// Programs write texts, so neighbours have the same form, and the reader stays in the mode that worked. From the fastest to the
// slowest, the modes are short numbers, short numbers with an exponent, long numbers, and long numbers with an exponent. A slower mode reads
// what a faster one does, but long numbers have no exponent. If a mode fails, the next is tried. A slower mode reads 1, 2, 4 up to 64
// pairs before the short one gets another chance.
// If all fail, or if what stands between the tokens is not as the layout asks, the scanner reads at least one number, and more after each failure in a
// row, up to 256. This reader refuses nothing: it stops before a pair that it cannot read, and the scanner finds out what is wrong with it.
import { forgetCommas, havePair, lastComma, nextComma, smallBlock, useCommas } from "./commas";
import { fillDigitTables } from "./digits";
import { fillLongPowers, isFused } from "./long";
import { Long, LongExponent, readPairs, regularTokens, Short, ShortExponent } from "./pairs";
import { Flat, leftAfter, Nested, startAfter } from "./rows";
import { fillPowers } from "./short";

const SHORT: i32 = 0;
const SHORT_EXPONENT: i32 = 1;
const LONG: i32 = 2;
const LONG_EXPONENT: i32 = 3;

/** Pairs after which the short mode is tried again at the latest, and numbers after which all modes are. */
const MAX_PATIENCE: i32 = 64;
const MAX_FOR_SCANNER: i32 = 256;
/** Pairs in the short mode after which it is the form of the text. */
const SETTLED_PAIRS: usize = 32;
/** What is left of a list without a known width. */
const UNBOUNDED: u32 = 0x7fffffff;
/** Rows wider than this are read as flat lists up to their last two numbers. */
const WIDE: u32 = 32;

/** How many modes there are: the long ones need a fused multiply-add. */
let modes: i32 = 0;
let mode: i32 = SHORT;
/** Pairs to read before the short mode is tried again, now and after it has failed again. */
let patience: i32 = 0;
let nextPatience: i32 = 1;
/** Numbers that the scanner is to read before {@link readGroups} is worth a call, and how many after another failure. */
export let forScanner: i32 = 0;
let nextForScanner: i32 = 1;

/** Where the reader stopped: at the beginning of a token, and where its number goes. */
export let readTo: usize = 0;
export let readNext: usize = 0;

/** Makes the tables of all modes, 7 KB; once, before anything is read. */
export function fillReadTables(): void {
  fillDigitTables();
  fillPowers();
  fillLongPowers();
  modes = isFused() ? LONG_EXPONENT + 1 : SHORT_EXPONENT + 1;
}

/** Begins a piece of text: what was learnt from the last one may be of another body. */
export function startReading(): void {
  forgetCommas();
  mode = SHORT;
  nextPatience = 1;
  forScanner = 0;
  nextForScanner = 1;
}

/** The scanner has read so many numbers. */
// @ts-ignore: decorator
@inline
export function scannerRead(numbers: i32): void {
  forScanner -= numbers;
}

/**
 * Reads pairs of numbers from the token at `p` on, as long as each is followed by a comma before `end` and there is room in [next, room).
 * `count` numbers of the list are read; `width` is the length of each list, 0 if it is not known. {@link readTo} and {@link readNext} say how far it came.
 */
export function readList(p: usize, end: usize, next: usize, room: usize, count: u32, width: u32): void {
  readTo = p;
  readNext = next;
  // A row that is too long is the scanner's to refuse.
  if (width != 0 && count >= width) return;
  let left = width == 0 ? UNBOUNDED : width - count;
  let failures = 0;
  for (;;) {
    if (!havePair(readTo, end)) {
      // No pair is ahead in this piece.
      forScanner = i32(end - readTo);
      return;
    }
    const space = usize(load<u8>(usize(load<u32>(nextComma)), 17) == 32);
    const isFlat = left > 2 && (width == 0 || width > WIDE);
    let pairs = min((lastComma - nextComma) >> 3, (room - readNext) >> 4);
    if (mode != SHORT) pairs = min(pairs, usize(patience));
    if (isFlat) pairs = min(pairs, usize((left - 1) >> 1));
    else if (width > WIDE) pairs = min(pairs, 1);
    if (pairs == 0) return;
    const read = isFlat ? readMode<Flat>(pairs, space, left, width) : readMode<Nested>(pairs, space, left, width);
    if (read != 0) {
      failures = 0;
      const numbers = u32(read << 1);
      if (width != 0) left = leftAfter(left, width, numbers);
      advance(numbers, space, left == width);
      settle(read);
      continue;
    }
    if (failures == 0) {
      const regular = isFlat ? regularTokens<Flat>(nextComma, space, left, width) : regularTokens<Nested>(nextComma, space, left, width);
      if (regular < 2) return leave(1 + regular, readNext != next);
    }
    if (++failures == modes) return leave(1, readNext != next);
    mode = mode + 1 == modes ? SHORT : mode + 1;
    patience = nextPatience;
  }
}

/** Reads pairs in the mode at hand; returns how many. */
function readMode<L>(pairs: usize, space: usize, left: u32, width: u32): usize {
  if (mode == SHORT) return readPairs<L, Short>(readTo, nextComma, pairs, space, readNext, left, width);
  if (mode == SHORT_EXPONENT) return readPairs<L, ShortExponent>(readTo, nextComma, pairs, space, readNext, left, width);
  if (!ASC_FEATURE_RELAXED_SIMD) return 0;
  if (mode == LONG) return readPairs<L, Long>(readTo, nextComma, pairs, space, readNext, left, width);
  return readPairs<L, LongExponent>(readTo, nextComma, pairs, space, readNext, left, width);
}

/** Steps over numbers that have been read, the last of which ended its row or did not. */
function advance(numbers: usize, space: usize, closed: bool): void {
  useCommas(numbers);
  readTo = startAfter(usize(load<u32>(nextComma - 4)), space, usize(closed));
  readNext += numbers << 3;
}

/** So many pairs were read in the mode at hand. */
function settle(pairs: usize): void {
  if (mode == SHORT) {
    if (pairs >= SETTLED_PAIRS) nextPatience = 1;
    return;
  }
  patience -= i32(pairs);
  if (patience > 0) return;
  nextPatience = min(nextPatience << 1, MAX_PATIENCE);
  mode = SHORT;
}

/** Leaves at least `numbers` numbers to the scanner. */
function leave(numbers: i32, hasRead: bool): void {
  if (hasRead) nextForScanner = 1;
  else smallBlock();
  forScanner = max(numbers, nextForScanner);
  nextForScanner = min(nextForScanner << 1, MAX_FOR_SCANNER);
}
