// Nested lists of numbers: their shape is checked, and the numbers are written as doubles.
import { forgetRounded, NUMBER_LONG, NUMBER_PART, numberRounded, numberState, numberStop, readNumber } from "../decimal";
import { forScanner, readList, readNext, readTo, scannerRead } from "../read/modes";
import {
  A, CLOSE_LIST, COMMA, FALSE, firstOf, INFINITY, isDigit, isSpace, MINUS, NAN, NULL, OPEN_LIST, OPEN_OBJECT, QUOTE, SPACE, TRUE,
} from "./characters";
import {
  BAD_ELEMENT, COUNTS, DIMS, FULL, GOES_ON, LONG_NUMBER, LONG_OPTIONS, MALFORMED, MAX_RANK, NUMBERS, RAGGED, RANK, Scan, UNFINISHED,
  endSpan, startSpan, stopAt,
} from "./state";

const ITEM_OR_CLOSE: i32 = 0;
const ITEM: i32 = 1;
const COMMA_OR_CLOSE: i32 = 2;

export function startNumbers(s: Scan): i32 {
  if (!startSpan(s)) return LONG_OPTIONS;
  s.level = 0;
  s.deepest = 0;
  s.leaf = 0;
  s.expect = ITEM;
  s.rounded = 0;
  for (let level: usize = 0; level <= usize(MAX_RANK); level++) store<i32>(changetype<usize>(s) + DIMS + (level << 2), -1);
  s.state = NUMBERS;
  return GOES_ON;
}

// @ts-ignore: decorator
@inline
function countAt(s: Scan): usize {
  return changetype<usize>(s) + COUNTS + (usize(s.level) << 2);
}

/** Reads numbers and lists until the outermost list or the piece ends. */
export function scanNumbers(s: Scan, p: usize, end: usize): i32 {
  let result = GOES_ON;
  while (p < end) {
    const c: u32 = load<u8>(p);
    if (isSpace(c)) {
      p++;
      continue;
    }
    if (c == COMMA && s.expect == COMMA_OR_CLOSE) {
      s.expect = ITEM;
    } else if (s.expect != COMMA_OR_CLOSE && (isDigit(c) || c == MINUS || c == firstOf(NAN) || c == firstOf(INFINITY) || c == QUOTE)) {
      result = scanRun(s, p, end);
      p = s.stop;
      if (result == UNFINISHED) return GOES_ON;
      if (result == GOES_ON) continue;
    } else if (c == OPEN_LIST && s.expect != COMMA_OR_CLOSE) {
      result = openList(s);
    } else if (c == CLOSE_LIST && s.expect != ITEM) {
      result = closeList(s);
      if (s.level == 0 && result == GOES_ON) {
        s.stop = p + 1;
        return endNumbers(s);
      }
    } else {
      result = s.expect == COMMA_OR_CLOSE ? MALFORMED : rejectItem(p, end, c);
      if (result == UNFINISHED) {
        s.stop = p;
        return GOES_ON;
      }
    }
    if (result != GOES_ON) return stopAt(s, p, result);
    p++;
  }
  s.stop = p;
  return GOES_ON;
}

/**
 * Rejects an item that does not begin with a number's character. An object or a complete word is JSON but no element,
 * anything else is not JSON.
 */
function rejectItem(p: usize, end: usize, c: u32): i32 {
  if (c == OPEN_OBJECT) return BAD_ELEMENT;
  let word: u64 = c == firstOf(TRUE) ? TRUE : c == firstOf(FALSE) ? FALSE : c == firstOf(NULL) ? NULL : 0;
  if (word == 0) return MALFORMED;
  for (; word != 0; word >>= 8, p++) {
    if (p == end) return UNFINISHED;
    if (u32(load<u8>(p)) != firstOf(word)) return MALFORMED;
  }
  if (p == end) return UNFINISHED;
  const after: u32 = load<u8>(p);
  return isDigit(after) || (after | 32) - A < 26 ? MALFORMED : BAD_ELEMENT;
}

/** Reads numbers of one list with commas up to any other character, with vectors first, then one by one. */
function scanRun(s: Scan, p: usize, end: usize): i32 {
  s.stop = p;
  if (s.leaf != s.level && (s.leaf != 0 || s.deepest != s.level)) return RAGGED;
  s.leaf = s.level;
  if (forScanner <= 0) {
    scanVectors(s, p, end);
    if (s.stop != p) return GOES_ON;
  }
  return scanOneByOne(s, p, end);
}

/** Reads numbers with vectors from `p` on, also across the ends of rows. */
function scanVectors(s: Scan, p: usize, end: usize): void {
  const known = s.level > 1 ? load<i32>(changetype<usize>(s) + DIMS + (usize(s.level) << 2)) : 0;
  const width = max(known, 0);
  readList(p, end, s.next, s.end, load<i32>(countAt(s)), width);
  if (readNext == s.next) return;
  s.stop = readTo;
  s.expect = ITEM;
  count(s, readNext);
  const all = load<i32>(countAt(s));
  if (width == 0 || all < width) return;
  const lists = countAt(s) - 4;
  store<i32>(countAt(s), all % width);
  store<i32>(lists, load<i32>(lists) + all / width);
  if (all % width == 0) s.expect = ITEM_OR_CLOSE;
}

/** Reads at least as many numbers as the vectors left, in the tightest loop. */
function scanOneByOne(s: Scan, p: usize, end: usize): i32 {
  const room = min(s.end, s.next + (usize(max(forScanner, 1)) << 3));
  let next = s.next;
  let result = GOES_ON;
  let c: u32 = load<u8>(p);
  forgetRounded();
  for (;;) {
    if (room - next < 8) {
      if (s.end - next < 8) result = FULL;
      break;
    }
    // Tests for "-" and digits at once because their order is random. "." and "/" are between them but begin no number.
    let after: usize = c - MINUS < 13 ? readNumber(p, end, next) : 0;
    if (after == 0) {
      const special = c - MINUS >= 13 || (c == MINUS && load<u8>(p, 1) == firstOf(INFINITY));
      if (special) after = readSpecial(p, end, next);
      if (after == 0) {
        result = special ? specialState : numberError();
        if (result == MALFORMED) p = special ? specialStop : numberStop;
        break;
      }
    }
    next += 8;
    p = after;
    c = load<u8>(p);
    s.expect = COMMA_OR_CLOSE;
    if (c != COMMA) break;
    c = load<u8>(++p);
    s.expect = ITEM;
    if (c == SPACE) c = load<u8>(++p);
    if (!isDigit(c) && c != MINUS) break;
  }
  if (numberRounded != 0 && s.rounded == 0) s.rounded = i32((numberRounded - s.spanStart) >> 3) + 1;
  scannerRead(i32((next - s.next) >> 3));
  count(s, next);
  s.stop = p;
  return result;
}

/** Counts the numbers written up to `next`. */
// @ts-ignore: decorator
@inline
function count(s: Scan, next: usize): void {
  store<i32>(countAt(s), load<i32>(countAt(s)) + i32((next - s.next) >> 3));
  s.next = next;
}

export function numberError(): i32 {
  if (numberState == NUMBER_PART) return UNFINISHED;
  return numberState == NUMBER_LONG ? LONG_NUMBER : MALFORMED;
}

function openList(s: Scan): i32 {
  if (s.level == MAX_RANK) return RANK;
  if (s.leaf != 0 && s.level >= s.leaf) return RAGGED;
  s.level++;
  if (s.level > s.deepest) s.deepest = s.level;
  store<i32>(countAt(s), 0);
  s.expect = ITEM_OR_CLOSE;
  return GOES_ON;
}

/** Closes a list. Its length must equal that of the lists beside it. */
function closeList(s: Scan): i32 {
  const at = usize(s.level) << 2;
  const count = load<i32>(changetype<usize>(s) + COUNTS + at);
  const known = changetype<usize>(s) + DIMS + at;
  s.level--;
  if (load<i32>(known) < 0) store<i32>(known, count);
  else if (load<i32>(known) != count) return RAGGED;
  if (s.level > 0) store<i32>(countAt(s), load<i32>(countAt(s)) + 1);
  s.expect = COMMA_OR_CLOSE;
  return GOES_ON;
}

function endNumbers(s: Scan): i32 {
  return endSpan(s, s.rounded, u32((s.next - s.spanStart) >> 3), s.deepest, OPEN_LIST, CLOSE_LIST);
}

let specialState: i32 = 0;
let specialStop: usize = 0;

/** Reads NaN, Infinity or -Infinity, bare or as a string, and writes it to `to`. Returns the address after it, or 0. */
function readSpecial(p: usize, end: usize, to: usize): usize {
  const quoted = load<u8>(p) == QUOTE;
  p += usize(quoted);
  const negative = load<u8>(p) == MINUS;
  p += usize(negative);
  const isNaN = load<u8>(p) == firstOf(NAN) && !negative;
  let rest = isNaN ? NAN : INFINITY;
  for (; rest != 0; rest >>= 8, p++) {
    if (u32(load<u8>(p)) != firstOf(rest)) return failedSpecial(p, end, quoted);
  }
  if (quoted && load<u8>(p++) != QUOTE) return failedSpecial(p - 1, end, quoted);
  store<f64>(to, isNaN ? NaN : negative ? -Infinity : Infinity);
  return p;
}

function failedSpecial(p: usize, end: usize, quoted: bool): usize {
  specialState = p == end ? UNFINISHED : quoted ? BAD_ELEMENT : MALFORMED;
  specialStop = p;
  return 0;
}
