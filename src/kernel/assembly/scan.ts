// Push scanner for JSON (RFC 8259). Checks the grammar, extracts the tensors' numbers as doubles, and copies the rest
// to a small skeleton for JSON.parse. Accepts pieces of any size.
import { decodeBlocks, sextet } from "./base64";
import { forgetRounded, NUMBER_LONG, NUMBER_PART, numberRounded, numberState, numberStop, readNumber } from "./decimal";
import { forScanner, readList, readNext, readTo, scannerRead, startReading } from "./read/modes";

// Results of a scan, which the loader translates to errors.
const GOES_ON: i32 = 0;
const MALFORMED: i32 = 1;
const TOO_DEEP: i32 = 2;
const LONG_NUMBER: i32 = 3;
const LONG_OPTIONS: i32 = 4;
const RAGGED: i32 = 5;
const BAD_ELEMENT: i32 = 6;
const BAD_BASE64: i32 = 7;
const RANK: i32 = 8;
const FULL: i32 = 9;
/** Internal result for a token that may continue in the next piece. */
const UNFINISHED: i32 = 10;

// States between two bytes.
const VALUE: i32 = 0;
const FIRST_KEY: i32 = 1;
const KEY: i32 = 2;
const IN_KEY: i32 = 3;
const COLON: i32 = 4;
const AFTER: i32 = 5;
const FIRST_ITEM: i32 = 6;
const IN_STRING: i32 = 7;
const ESCAPE: i32 = 8;
const HEX: i32 = 9;
const NUMBERS: i32 = 10;
const BASE64: i32 = 11;
const DONE: i32 = 12;

const MAX_DEPTH: i32 = 32;
const MAX_RANK: i32 = 8;
const MAX_SPANS: i32 = 32;
const SKELETON_BYTES: usize = 16384;

/** State of one scan. The loader reads it by field offset. */
@unmanaged
class Scan {
  /** State, count of open brackets, and whether this is the Open Inference Protocol's body. */
  state: i32;
  depth: i32;
  inference: i32;
  /** Bytes in the skeleton, number spans extracted, members in all objects. */
  skeleton: u32;
  spans: i32;
  members: i32;
  /** Address of the next number, end of the memory, and start of the current span. */
  next: usize;
  end: usize;
  spanStart: usize;
  /** Address in the current piece at which scanning stopped, and the byte found there, -1 at the end. */
  stop: usize;
  stopByte: i32;
  /** Current number array: open lists, deepest list so far, level of the numbers (0 if unknown), and expected next item. */
  level: i32;
  deepest: i32;
  leaf: i32;
  expect: i32;
  /**
   * Current base64 text: sextets in the group, their bits, padding seen, and progress of an escape, 1 after the
   * backslash, then 2 to 5 with its digits << 8.
   */
  sextets: i32;
  bits: u32;
  padding: i32;
  escape: i32;
  /** Remaining hex digits of an escape. */
  hex: i32;
  /** 1 + the index of the first number of the current span that was rounded to 2^53, 0 for none. */
  rounded: i32;
  /** Whether the current escape belongs to a field name, and its hex digits so far. */
  inKey: i32;
  code: u32;
}

// Follow the class in this order.
const COUNTS: usize = 96; // i32 per level of the number array from level 1 on, elements so far
const DIMS: usize = COUNTS + 36; // i32 per level, length of its first list or -1
const STACK: usize = DIMS + 36; // per open bracket of the skeleton: i32 kind, u32 offset of the last key, i32 items
const FRAME: usize = 12;
const SPANS: usize = STACK + FRAME * 33; // per span: i32 rounded (-1 for base64), u32 address, u32 length, i32 rank, i32 dims[8]
const SPAN_BYTES: usize = 48;
const SKELETON: usize = SPANS + SPAN_BYTES * 32;

export const scanBytes: usize = SKELETON + SKELETON_BYTES + 16;
export const scanCounts: usize = COUNTS;
export const scanStack: usize = STACK;
export const scanSpans: usize = SPANS;
export const scanSkeleton: usize = SKELETON;

/** Begins a scan whose numbers are written to [next, end). */
export function scanStart(at: usize, inference: i32, next: usize, end: usize): void {
  memory.fill(at, 0, COUNTS);
  const s = changetype<Scan>(at);
  s.inference = inference;
  s.next = next;
  s.end = end;
}

/**
 * Scans the bytes in [p, end) of the input buffer. Sets `stop` to the first unused byte, from which the caller passes
 * the bytes again in front of the next piece. Returns 0 or an error number.
 */
export function scanPiece(at: usize, p: usize, end: usize): i32 {
  const s = changetype<Scan>(at);
  // Ends every token with zeros, which no token contains, so that reading one needs no bounds check.
  store<u64>(end, 0);
  store<u64>(end, 0, 8);
  startReading();
  while (p < end) {
    const state = s.state;
    if (state == NUMBERS) {
      const result = scanNumbers(s, p, end);
      p = s.stop;
      if (result != GOES_ON) return result;
      if (s.state == NUMBERS) return GOES_ON;
      continue;
    }
    if (state == BASE64) {
      const result = scanBase64(s, p, end);
      p = s.stop;
      if (result != GOES_ON) return result;
      continue;
    }
    const c: u32 = load<u8>(p);
    if (state == IN_STRING || state == IN_KEY) {
      if (c < 32) return stopAt(s, p, MALFORMED);
      if (c == 92) {
        s.inKey = i32(state == IN_KEY);
        s.state = ESCAPE;
      } else if (c == 34) s.state = state == IN_KEY ? COLON : AFTER;
      if (!put(s, c)) return stopAt(s, p, LONG_OPTIONS);
      p++;
      if (s.state == AFTER) ended(s);
      continue;
    }
    if (state == ESCAPE || state == HEX) {
      if (!scanEscape(s, c)) return stopAt(s, p, MALFORMED);
      if (!put(s, c)) return stopAt(s, p, LONG_OPTIONS);
      if (state == HEX && s.state == IN_KEY) shortenEscape(s);
      p++;
      continue;
    }
    if (c == 32 || c == 10 || c == 13 || c == 9) {
      p++;
      continue;
    }
    let result: i32;
    if (state == VALUE || (state == FIRST_ITEM && c != 93)) {
      result = scanValue(s, p, end, c);
      p = s.stop;
      if (result == UNFINISHED) return GOES_ON;
    } else {
      result = scanPunctuation(s, c);
      if (result == GOES_ON && state != COLON && state != AFTER && s.state == IN_KEY) startKey(s);
      if (result == GOES_ON) p++;
    }
    if (result != GOES_ON) return stopAt(s, p, result);
  }
  s.stop = p;
  return GOES_ON;
}

/** Input buffer: the unused end of the last piece, new bytes, and room for zeros. */
export const inputAt: usize = memory.data(66560 + 16, 16);
export const inputBytes: usize = 66560;

/** Returns whether the text may end here. If not, the state describes the missing input. */
export function scanIsDone(at: usize): bool {
  return changetype<Scan>(at).state == DONE;
}

function stopAt(s: Scan, p: usize, result: i32): i32 {
  s.stop = p;
  s.stopByte = i32(load<u8>(p));
  return result;
}

/** Appends a byte to the skeleton. */
// @ts-ignore: decorator
@inline
function put(s: Scan, c: u32): bool {
  if (s.skeleton >= u32(SKELETON_BYTES)) return false;
  store<u8>(changetype<usize>(s) + SKELETON + s.skeleton, c);
  s.skeleton++;
  return true;
}

// @ts-ignore: decorator
@inline
function frame(s: Scan): usize {
  return changetype<usize>(s) + STACK + usize(s.depth) * FRAME;
}

/** Ends a value. The body is complete, or a separator is expected. */
function ended(s: Scan): void {
  s.state = s.depth == 0 ? DONE : AFTER;
}

function startKey(s: Scan): void {
  s.members++;
  store<u32>(frame(s), s.skeleton, 4);
}

/** Takes the next character of an escape. After its last one, the text or the field name continues. */
function scanEscape(s: Scan, c: u32): bool {
  const rest = s.inKey != 0 ? IN_KEY : IN_STRING;
  if (s.state == HEX) {
    const isDigit = c - 48 < 10;
    if (!isDigit && (c | 32) - 97 >= 6) return false;
    s.code = (s.code << 4) | (isDigit ? c - 48 : (c | 32) - 87);
    if (--s.hex == 0) s.state = rest;
    return true;
  }
  if (c == 117) {
    s.state = HEX;
    s.hex = 4;
    s.code = 0;
    return true;
  }
  // " / \ b f n r t
  if (c != 34 && c != 47 && c != 92 && c != 98 && c != 102 && c != 110 && c != 114 && c != 116) return false;
  s.state = rest;
  return true;
}

/**
 * Replaces the escape \uXXXX at the end of the skeleton by its character if that is printable ASCII, so that keyIs
 * matches "data" in any spelling.
 */
function shortenEscape(s: Scan): void {
  const code = s.code;
  if (code < 32 || code > 126 || code == 34 || code == 92) return;
  s.skeleton -= 6;
  put(s, code);
}

/** Scans keys, colons, commas and closing brackets. */
function scanPunctuation(s: Scan, c: u32): i32 {
  const state = s.state;
  if (state == FIRST_KEY || state == KEY) {
    if (c == 34) s.state = IN_KEY;
    else if (c == 125 && state == FIRST_KEY) return close(s, c);
    else return MALFORMED;
  } else if (state == COLON) {
    if (c != 58) return MALFORMED;
    s.state = VALUE;
  } else if (state == AFTER) {
    const isObject = load<i32>(frame(s)) == 123;
    if (c == 44) {
      s.state = isObject ? KEY : VALUE;
      store<i32>(frame(s), load<i32>(frame(s), 8) + 1, 8);
    } else if (c == (isObject ? 125 : 93)) return close(s, c);
    else return MALFORMED;
  } else if (state == FIRST_ITEM) return close(s, c);
  else return MALFORMED;
  return put(s, c) ? GOES_ON : LONG_OPTIONS;
}

function open(s: Scan, c: u32): i32 {
  if (s.depth == MAX_DEPTH) return TOO_DEEP;
  s.depth++;
  store<i32>(frame(s), c);
  store<i32>(frame(s), 0, 8);
  s.state = c == 123 ? FIRST_KEY : FIRST_ITEM;
  return put(s, c) ? GOES_ON : LONG_OPTIONS;
}

function close(s: Scan, c: u32): i32 {
  s.depth--;
  ended(s);
  return put(s, c) ? GOES_ON : LONG_OPTIONS;
}

/** Returns whether the last key has these characters, the first in the lowest byte. */
function keyIs(s: Scan, length: u32, text: u64): bool {
  const key = load<u32>(frame(s), 4);
  // The closing quote and the colon follow the key.
  if (s.skeleton - key != length + 2) return false;
  return (load<u64>(changetype<usize>(s) + SKELETON + key) & ((u64(1) << (length << 3)) - 1)) == text;
}

/** Returns whether a list that begins here holds a tensor's numbers. */
function isNumbers(s: Scan): bool {
  if (s.depth == 0 || load<i32>(frame(s)) != 123) return false;
  if (s.inference == 0 && s.depth == 1) return true;
  if (s.inference == 0 && s.depth != 2) return false;
  return s.depth > 1 && keyIs(s, 4, 0x61746164);
}

function isBase64(s: Scan): bool {
  return s.inference == 0 && s.depth == 2 && load<i32>(frame(s)) == 123 && keyIs(s, 6, 0x343665736162);
}

/** Begins a value. Brackets and strings change the state, other values are read at once. */
function scanValue(s: Scan, p: usize, end: usize, c: u32): i32 {
  s.stop = p;
  if (s.depth == 0 && c != 123) return MALFORMED;
  if (c == 91 && isNumbers(s)) return startNumbers(s);
  if (c == 123 || c == 91 || c == 34) {
    let result: i32;
    if (c != 34) result = open(s, c);
    else if (isBase64(s)) result = startBase64(s);
    else {
      s.state = IN_STRING;
      result = put(s, c) ? GOES_ON : LONG_OPTIONS;
    }
    if (result == GOES_ON) s.stop = p + 1;
    return result;
  }
  if (c - 48 < 10 || (c == 45 && p + 1 < end && load<u8>(p, 1) != 73)) return scanOptionNumber(s, p, end);
  return scanWord(s, p, end, c);
}

const SCRATCH = memory.data(8, 8);

function scanOptionNumber(s: Scan, p: usize, end: usize): i32 {
  forgetRounded();
  const after = readNumber(p, end, SCRATCH);
  if (after == 0) {
    s.stop = numberStop;
    return numberError();
  }
  s.stop = after;
  // A value rounded to 2^53 may be 2^53 + 1, so the skeleton gets the next double, which exceeds the limit of every
  // integer option.
  const isRounded = numberRounded != 0;
  if (isRounded && load<u8>(p) == 45 && !put(s, 45)) return LONG_OPTIONS;
  if (isRounded && !(putText(s, 0x3239393137303039, 8) && putText(s, 0x3439393034373435, 8))) return LONG_OPTIONS;
  for (; !isRounded && p < after; p++) {
    if (!put(s, load<u8>(p))) return LONG_OPTIONS;
  }
  ended(s);
  return GOES_ON;
}

function putText(s: Scan, text: u64, n: i32): bool {
  for (let i = 0; i < n; i++) {
    if (!put(s, u32((text >> (i << 3)) & 255))) return false;
  }
  return true;
}

/** Copies true, false and null, and quotes NaN, Infinity and -Infinity. */
function scanWord(s: Scan, p: usize, end: usize, c: u32): i32 {
  let word: u64 = 0;
  let length: usize = 0;
  let from = p;
  if (c == 116) {
    word = 0x65757274;
    length = 4;
  } else if (c == 102) {
    word = 0x65736c6166;
    length = 5;
  } else if (c == 110) {
    word = 0x6c6c756e;
    length = 4;
  } else if (c == 78) {
    word = 0x4e614e;
    length = 3;
  } else if (c == 73) {
    word = 0x7974696e69666e49;
    length = 8;
  } else if (c == 45) {
    if (p + 1 == end) return UNFINISHED;
    word = 0x7974696e69666e49;
    length = 8;
    from = p + 1;
  } else return MALFORMED;
  for (let i: usize = 0; i < length; i++) {
    if (from + i == end) return UNFINISHED;
    if (u64(load<u8>(from + i)) != ((word >> (i << 3)) & 255)) {
      s.stop = from + i;
      return MALFORMED;
    }
  }
  const quoted = c == 78 || c == 73 || c == 45;
  if (quoted && !put(s, 34)) return LONG_OPTIONS;
  if (c == 45 && !put(s, 45)) return LONG_OPTIONS;
  if (!putText(s, word, i32(length))) return LONG_OPTIONS;
  if (quoted && !put(s, 34)) return LONG_OPTIONS;
  s.stop = from + length;
  ended(s);
  return GOES_ON;
}

// ---- number arrays

const ITEM_OR_CLOSE: i32 = 0;
const ITEM: i32 = 1;
const COMMA_OR_CLOSE: i32 = 2;

function startNumbers(s: Scan): i32 {
  if (s.spans == MAX_SPANS) return LONG_OPTIONS;
  s.level = 0;
  s.deepest = 0;
  s.leaf = 0;
  s.expect = ITEM;
  s.rounded = 0;
  s.next = (s.next + 15) & ~15;
  s.spanStart = s.next;
  for (let level: usize = 0; level <= 8; level++) store<i32>(changetype<usize>(s) + DIMS + (level << 2), -1);
  s.state = NUMBERS;
  return GOES_ON;
}

// @ts-ignore: decorator
@inline
function countAt(s: Scan): usize {
  return changetype<usize>(s) + COUNTS + (usize(s.level) << 2);
}

/** Reads numbers and lists until the outermost list or the piece ends. */
function scanNumbers(s: Scan, p: usize, end: usize): i32 {
  let result = GOES_ON;
  while (p < end) {
    const c: u32 = load<u8>(p);
    if (c == 32 || c == 10 || c == 13 || c == 9) {
      p++;
      continue;
    }
    if (c == 44 && s.expect == COMMA_OR_CLOSE) {
      s.expect = ITEM;
    } else if (s.expect != COMMA_OR_CLOSE && (c - 48 < 10 || c == 45 || c == 78 || c == 73 || c == 34)) {
      result = scanRun(s, p, end);
      p = s.stop;
      if (result == UNFINISHED) return GOES_ON;
      if (result == GOES_ON) continue;
    } else if (c == 91 && s.expect != COMMA_OR_CLOSE) {
      result = openList(s);
    } else if (c == 93 && s.expect != ITEM) {
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
  if (c == 123) return BAD_ELEMENT;
  // true, false, null
  let word: u64 = c == 116 ? 0x65757274 : c == 102 ? 0x65736c6166 : c == 110 ? 0x6c6c756e : 0;
  if (word == 0) return MALFORMED;
  for (; word != 0; word >>= 8, p++) {
    if (p == end) return UNFINISHED;
    if (u64(load<u8>(p)) != (word & 255)) return MALFORMED;
  }
  if (p == end) return UNFINISHED;
  const after: u32 = load<u8>(p);
  return after - 48 < 10 || (after | 32) - 97 < 26 ? MALFORMED : BAD_ELEMENT;
}

/** Reads numbers of one list with commas up to any other character, with vectors first, then one by one. */
function scanRun(s: Scan, p: usize, end: usize): i32 {
  s.stop = p;
  if (s.leaf != s.level && (s.leaf != 0 || s.deepest != s.level)) return RAGGED;
  s.leaf = s.level;
  if (forScanner <= 0) {
    scanPairs(s, p, end);
    if (s.stop != p) return GOES_ON;
  }
  return scanOneByOne(s, p, end);
}

/** Reads numbers with vectors from `p` on, also across the ends of rows. */
function scanPairs(s: Scan, p: usize, end: usize): void {
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
    let after: usize = c - 45 < 13 ? readNumber(p, end, next) : 0;
    if (after == 0) {
      const special = c - 45 >= 13 || (c == 45 && load<u8>(p, 1) == 73);
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
    if (c != 44) break;
    c = load<u8>(++p);
    s.expect = ITEM;
    if (c == 32) c = load<u8>(++p);
    if (c - 48 >= 10 && c != 45) break;
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

function numberError(): i32 {
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
  const span = changetype<usize>(s) + SPANS + usize(s.spans) * SPAN_BYTES;
  store<i32>(span, s.rounded);
  store<u32>(span, u32(s.spanStart), 4);
  store<u32>(span, u32((s.next - s.spanStart) >> 3), 8);
  store<i32>(span, s.deepest, 12);
  memory.copy(span + 16, changetype<usize>(s) + DIMS + 4, 32);
  const fits = put(s, 91) && putIndex(s) && put(s, 93);
  s.spans++;
  ended(s);
  return fits ? GOES_ON : LONG_OPTIONS;
}

function putIndex(s: Scan): bool {
  return (s.spans < 10 || put(s, 48 + s.spans / 10)) && put(s, 48 + (s.spans % 10));
}

let specialState: i32 = 0;
let specialStop: usize = 0;

/** Reads NaN, Infinity or -Infinity, bare or as a string, and writes it to `to`. Returns the address after it, or 0. */
function readSpecial(p: usize, end: usize, to: usize): usize {
  const quoted = load<u8>(p) == 34;
  p += usize(quoted);
  const negative = load<u8>(p) == 45;
  p += usize(negative);
  const isNaN = load<u8>(p) == 78 && !negative;
  let rest: u64 = isNaN ? 0x4e614e : 0x7974696e69666e49;
  for (; rest != 0; rest >>= 8, p++) {
    if (u64(load<u8>(p)) != (rest & 255)) return failedSpecial(p, end, quoted);
  }
  if (quoted && load<u8>(p++) != 34) return failedSpecial(p - 1, end, quoted);
  store<f64>(to, isNaN ? NaN : negative ? -Infinity : Infinity);
  return p;
}

function failedSpecial(p: usize, end: usize, quoted: bool): usize {
  specialState = p == end ? UNFINISHED : quoted ? BAD_ELEMENT : MALFORMED;
  specialStop = p;
  return 0;
}

// ---- base64

function startBase64(s: Scan): i32 {
  if (s.spans == MAX_SPANS) return LONG_OPTIONS;
  s.next = (s.next + 15) & ~15;
  s.spanStart = s.next;
  s.sextets = 0;
  s.bits = 0;
  s.padding = 0;
  s.escape = 0;
  s.state = BASE64;
  return GOES_ON;
}

/** Decodes until the string or the piece ends. */
function scanBase64(s: Scan, p: usize, end: usize): i32 {
  while (p < end) {
    if (s.sextets == 0 && s.padding == 0 && s.escape == 0) {
      const read = decodeBlocks(p, end, s.next, s.end);
      p += read;
      s.next += (read >> 2) * 3;
      if (p == end) break;
    }
    let c: i32 = load<u8>(p);
    if (s.escape != 0) {
      c = takeEscaped(s, c);
      if (c < 0) return stopAt(s, p, BAD_BASE64);
      if (s.escape != 0) {
        p++;
        continue;
      }
    } else if (c == 34) {
      if (s.sextets != 0 || (s.padding != 0 && s.padding != 4)) return stopAt(s, p, BAD_BASE64);
      s.stop = p + 1;
      return endBase64(s);
    } else if (c == 92) {
      s.escape = 1;
      p++;
      continue;
    }
    const result = takeSextet(s, c);
    if (result != GOES_ON) return stopAt(s, p, result);
    p++;
  }
  s.stop = p;
  return GOES_ON;
}

/**
 * Takes the next character of an escape. Some writers escape the slash of base64, or = and + as \u003d and \u002B.
 * Returns the character at the end of the escape, or -1.
 */
function takeEscaped(s: Scan, c: i32): i32 {
  const stage = s.escape & 7;
  if (stage == 1) {
    s.escape = c == 117 ? 2 : 0;
    return c == 47 || c == 117 ? c : -1;
  }
  const letter = c | 32;
  const digit = u32(c - 48) < 10 ? c - 48 : u32(letter - 97) < 6 ? letter - 87 : -1;
  if (digit < 0) return -1;
  const code = ((s.escape >> 8) << 4) | digit;
  s.escape = stage == 5 ? 0 : (code << 8) | (stage + 1);
  return code;
}

/** Takes one character. `padding` is 4 after a complete padded group. */
function takeSextet(s: Scan, c: u32): i32 {
  if (s.padding == 4) return BAD_BASE64;
  if (c == 61) {
    if (s.sextets + s.padding < 2) return BAD_BASE64;
    s.padding++;
    if (s.sextets + s.padding < 4) return GOES_ON;
    const bytes = 3 - s.padding;
    const loose = s.padding == 1 ? s.bits & 3 : s.bits & 15;
    if (loose != 0) return BAD_BASE64;
    const v = s.bits << (6 * s.padding);
    if (s.end - s.next < 2) return FULL;
    store<u8>(s.next, v >> 16);
    if (bytes == 2) store<u8>(s.next, v >> 8, 1);
    s.next += bytes;
    s.sextets = 0;
    s.padding = 4;
    return GOES_ON;
  }
  const value = sextet(c);
  if (value > 63 || s.padding != 0) return BAD_BASE64;
  s.bits = s.sextets == 0 ? value : (s.bits << 6) | value;
  if (++s.sextets < 4) return GOES_ON;
  if (s.end - s.next < 3) return FULL;
  store<u8>(s.next, s.bits >> 16);
  store<u8>(s.next, s.bits >> 8, 1);
  store<u8>(s.next, s.bits, 2);
  s.next += 3;
  s.sextets = 0;
  return GOES_ON;
}

function endBase64(s: Scan): i32 {
  const span = changetype<usize>(s) + SPANS + usize(s.spans) * SPAN_BYTES;
  store<i32>(span, -1);
  store<u32>(span, u32(s.spanStart), 4);
  store<u32>(span, u32(s.next - s.spanStart), 8);
  store<i32>(span, 0, 12);
  const fits = put(s, 34) && putIndex(s) && put(s, 34);
  s.spans++;
  ended(s);
  return fits ? GOES_ON : LONG_OPTIONS;
}
