// Reads as many numbers of a list as come in the forms that vectors read, and leaves the rest to the scanner.
//
// Texts are written by programs, so neighbours have the same form: the reader stays in the mode that worked. The modes are, from the
// fastest to the slowest: short numbers, four at a time; short numbers with an exponent, long numbers, long numbers with an exponent, two at a time. Each of them
// reads all that those before it read, except that an exponent is no long number. Where a mode fails, the next is tried; where
// all fail, the scanner reads one number, after repeated failure up to 64, and then the vectors get another chance. Likewise
// a slower mode works on 1, 2, 4 to 64 groups before the short one is tried again.
// This reader refuses nothing: it stops before a token that it cannot read, and the scanner finds out what is wrong with it.
import { forgetCommas, GROUP_ENTRIES, haveGroup, lastComma, nextComma, smallBlock, useCommas } from "./commas";
import { fillDigitTables } from "./digits";
import { fillLongScales, isFused, Plain, Scientific } from "./long";
import { readLongs, readPairs, ShortExponents } from "./pairs";
import { Flat, Nested, regularTokens, startAfter } from "./rows";
import { fillScales, readShort } from "./short";

const SHORT: i32 = 0;
const SHORT_EXPONENT: i32 = 1;
const LONG: i32 = 2;
const LONG_EXPONENT: i32 = 3;

/** Groups after which the short mode is tried again at the latest, and numbers after which the vectors are. */
const MAX_PATIENCE: i32 = 64;
const MAX_LEFT: i32 = 255;
/** Groups in the short mode after which it is the form of the text. */
const SETTLED_GROUPS: usize = 16;
/** The numbers left in a list without a known width. */
const UNBOUNDED: u32 = 0x7fffffff;
/** From so many numbers left in a row on, they are read as a flat list. */
const FLAT_FROM: u32 = 32;

let modes: i32 = 0;
let mode: i32 = SHORT;
/** Numbers that the scanner is to read before the next attempt, and how many more after another failure. */
export let numbersLeft: i32 = 0;
let leaveNext: i32 = 0;
/** Groups before the short mode is tried again, and how many after another failure. */
let patience: i32 = 0;
let patienceNext: i32 = 1;

/** Where the reader stopped: at the beginning of a token, and where its number goes. */
export let readTo: usize = 0;
export let readNext: usize = 0;

/** Makes the tables of all modes; once, before anything is read. */
export function fillReadTables(): void {
  fillDigitTables();
  fillScales();
  fillLongScales();
  modes = isFused() ? LONG_EXPONENT + 1 : SHORT_EXPONENT + 1;
}

/** Begins a piece of text: what was learnt from the last one may be of another body. */
export function startReading(): void {
  forgetCommas();
  mode = SHORT;
  numbersLeft = 0;
  leaveNext = 0;
  patienceNext = 1;
}

/** The scanner has read so many of {@link numbersLeft}. */
// @ts-ignore: decorator
@inline
export function leaveLess(numbers: i32): void {
  numbersLeft -= numbers;
}

/**
 * Reads groups of numbers from the token at `p` on, as long as each is followed by a comma before `end` and there is room in [next, room).
 * `count` numbers of the list are read; `width` is the length of each list, 0 if it is not known. {@link readTo} and {@link readNext} say how far it came.
 */
export function readGroups(p: usize, end: usize, next: usize, room: usize, count: u32, width: u32): void {
  readTo = p;
  readNext = next;
  // A row that is too long is the scanner's to refuse.
  if (width != 0 && count >= width) return;
  const first = next;
  let left = width == 0 ? UNBOUNDED : width - count;
  let failures = 0;
  let regular = 4;
  for (;;) {
    if (!haveGroup(p, end)) {
      // No group of this piece is ahead.
      numbersLeft = i32(end - p);
      break;
    }
    let groups = min((lastComma - nextComma) / GROUP_ENTRIES, (room - next) >> 5);
    if (mode != SHORT) groups = min(groups, usize(patience));
    if (groups == 0) break;
    const isFlat = left >= FLAT_FROM || (width > FLAT_FROM && left > 4);
    if (isFlat) groups = min(groups, usize((left - 1) >> 2));
    else if (width > FLAT_FROM) groups = 1;
    const space = usize(load<u8>(usize(load<u32>(nextComma)), 17) == 32);
    const numbers = isFlat ? read<Flat>(p, groups, space, next, left, width) : read<Nested>(p, groups, space, next, left, width);
    if (numbers == 0) {
      if (failures == 0) {
        regular = isFlat ? regularTokens<Flat>(nextComma, space, left, width) : regularTokens<Nested>(nextComma, space, left, width);
        if (regular < 4) break;
      }
      if (++failures == modes) break;
      mode = mode + 1 == modes ? SHORT : mode + 1;
      patience = patienceNext;
      continue;
    }
    failures = 0;
    next += numbers << 3;
    if (width != 0) left = left > u32(numbers) ? left - u32(numbers) : width - (u32(numbers) - left) % width;
    const last = usize(load<u32>(nextComma + (numbers - 1) * 4));
    p = startAfter(last, 17 + space, usize(left == width));
    useCommas(numbers);
    settle(numbers >> 2);
  }
  if (next != first) leaveNext = 0;
  else smallBlock();
  if (failures == modes || regular < 4) {
    numbersLeft = 1 + max(leaveNext, regular & 3);
    leaveNext = min((leaveNext << 1) + 1, MAX_LEFT);
  }
  readTo = p;
  readNext = next;
}

/** `groups` groups were read in the mode at hand. */
function settle(groups: usize): void {
  if (mode == SHORT) {
    if (groups >= SETTLED_GROUPS) patienceNext = 1;
    return;
  }
  patience -= i32(groups);
  if (patience > 0) return;
  patienceNext = min(patienceNext << 1, MAX_PATIENCE);
  mode = SHORT;
}

/** Reads groups in the mode at hand; returns how many numbers. */
function read<L>(p: usize, groups: usize, space: usize, next: usize, left: u32, width: u32): usize {
  if (mode == SHORT) return readShort<L>(p, nextComma, groups, space, next, left, width) << 2;
  if (mode == SHORT_EXPONENT) return readPairs<L, ShortExponents>(p, nextComma, groups << 1, space, next, left, width) << 1;
  if (!ASC_FEATURE_RELAXED_SIMD) return 0;
  if (mode == LONG) return readLongs<L, Plain>(p, nextComma, groups << 1, space, next, left, width) << 1;
  return readLongs<L, Scientific>(p, nextComma, groups << 1, space, next, left, width) << 1;
}
