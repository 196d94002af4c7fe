// Reads the numbers of a list with vectors as long as they have a supported form, and leaves the rest to the scanner.
//
// Neighbors usually have the same form because programs write them, so the reader stays in the mode that worked. The
// modes from fastest to slowest are short numbers, short numbers with an exponent, long numbers, and long numbers with
// an exponent. A slower mode reads the forms of all faster ones, except that long numbers have no exponent. If a mode
// fails, the next is tried. A slower mode reads 1, 2, 4 up to 64 pairs before the short one is tried again. If all
// modes fail, or the layout between the tokens is irregular, the scanner reads at least one number, and up to 256 after
// consecutive failures. This reader rejects nothing. It stops before a pair that it cannot read, and the scanner
// reports any error.
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

/** Limits of pairs before the short mode is retried, and of numbers before all modes are. */
const MAX_PATIENCE: i32 = 64;
const MAX_FOR_SCANNER: i32 = 256;
/** Pairs in the short mode after which it counts as the form of the text. */
const SETTLED_PAIRS: usize = 32;
/** Rest of a list without a known width. */
const UNBOUNDED: u32 = 0x7fffffff;
/** Width above which rows are read as flat lists up to their last two numbers. */
const MAX_ROW_WIDTH: u32 = 32;

/** Count of modes, fewer without a fused multiply-add. */
let modes: i32 = 0;
let mode: i32 = SHORT;
/** Pairs before the short mode is retried, now and after its next failure. */
let patience: i32 = 0;
let nextPatience: i32 = 1;
/** Numbers for the scanner before the next call of {@link readList}, and after another failure. */
export let forScanner: i32 = 0;
let nextForScanner: i32 = 1;

/** Address of the next token and of its number after the last call. */
export let readTo: usize = 0;
export let readNext: usize = 0;

/** Fills the tables of all modes, 7 KB. Called once before the first read. */
export function fillReadTables(): void {
  fillDigitTables();
  fillPowers();
  fillLongPowers();
  modes = isFused() ? LONG_EXPONENT + 1 : SHORT_EXPONENT + 1;
}

/** Begins a piece of text and forgets the modes of the last one, which may belong to another body. */
export function startReading(): void {
  forgetCommas();
  mode = SHORT;
  nextPatience = 1;
  forScanner = 0;
  nextForScanner = 1;
}

/** Reports the count of numbers that the scanner has read. */
// @ts-ignore: decorator
@inline
export function scannerRead(numbers: i32): void {
  forScanner -= numbers;
}

/**
 * Reads pairs of numbers from the token at `p` on while each is followed by a comma before `end` and fits in [next,
 * room). `count` numbers of the list are read already. `width` is the length of each list, 0 if unknown. Sets {@link
 * readTo} and {@link readNext}.
 */
export function readList(p: usize, end: usize, next: usize, room: usize, count: u32, width: u32): void {
  readTo = p;
  readNext = next;
  // Leaves a row that is too long to the scanner, which rejects it.
  if (width != 0 && count >= width) return;
  let left = width == 0 ? UNBOUNDED : width - count;
  let failures = 0;
  for (;;) {
    if (!havePair(readTo, end)) {
      // Stops because this piece has no further pair.
      forScanner = i32(end - readTo);
      return;
    }
    const space = usize(load<u8>(usize(load<u32>(nextComma)), 17) == 32);
    const isFlat = left > 2 && (width == 0 || width > MAX_ROW_WIDTH);
    let pairs = min((lastComma - nextComma) >> 3, (room - readNext) >> 4);
    if (mode != SHORT) pairs = min(pairs, usize(patience));
    if (isFlat) pairs = min(pairs, usize((left - 1) >> 1));
    else if (width > MAX_ROW_WIDTH) pairs = min(pairs, 1);
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

/** Reads pairs in the current mode and returns their count. */
function readMode<L>(pairs: usize, space: usize, left: u32, width: u32): usize {
  if (mode == SHORT) return readPairs<L, Short>(readTo, nextComma, pairs, space, readNext, left, width);
  if (mode == SHORT_EXPONENT) return readPairs<L, ShortExponent>(readTo, nextComma, pairs, space, readNext, left, width);
  if (!ASC_FEATURE_RELAXED_SIMD) return 0;
  if (mode == LONG) return readPairs<L, Long>(readTo, nextComma, pairs, space, readNext, left, width);
  return readPairs<L, LongExponent>(readTo, nextComma, pairs, space, readNext, left, width);
}

/** Skips numbers that were read. `closed` says whether the last one ended its row. */
function advance(numbers: usize, space: usize, closed: bool): void {
  useCommas(numbers);
  readTo = startAfter(usize(load<u32>(nextComma - 4)), space, usize(closed));
  readNext += numbers << 3;
}

/** Records the pairs read in the current mode. */
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
