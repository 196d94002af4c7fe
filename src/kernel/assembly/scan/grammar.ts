// Grammar of a body outside of the tensors' numbers: fields, options, and where numbers begin.
import { forgetRounded, numberRounded, numberStop, readNumber } from "../decimal";
import { startBase64 } from "./base64";
import {
  B, BACKSLASH, CLOSE_LIST, CLOSE_OBJECT, COLON, COMMA, F, FALSE, firstOf, hexDigit, INFINITY, isDigit, MINUS, N, NAN, NULL,
  OPEN_LIST, OPEN_OBJECT, QUOTE, R, SLASH, SPACE, T, TILDE, TRUE, U,
} from "./characters";
import { numberError, startNumbers } from "./numbers";
import {
  AFTER, BEFORE_COLON, FIRST_ITEM, FIRST_KEY, GOES_ON, HEX, IN_KEY, IN_STRING, KEY, LONG_OPTIONS, MALFORMED, MAX_DEPTH,
  SKELETON, Scan, TOO_DEEP, UNFINISHED, VALUE, ended, frame, put,
} from "./state";

/** "data" and "base64", the first character in the lowest byte. */
const DATA: u64 = 0x61746164;
const BASE64_KEY: u64 = 0x343665736162;

/** 9007199254740994, the next double after 2^53. */
const ROUNDED_START: u64 = 0x3239393137303039;
const ROUNDED_END: u64 = 0x3439393034373435;

/** Returns whether the innermost open bracket is an object's. */
// @ts-ignore: decorator
@inline
function isInObject(s: Scan): bool {
  return load<u32>(frame(s)) == OPEN_OBJECT;
}

export function startKey(s: Scan): void {
  s.members++;
  store<u32>(frame(s), s.skeleton, 4);
}

/** Takes the next character of an escape. After its last one, the text or the field name continues. */
export function scanEscape(s: Scan, c: u32): bool {
  const rest = s.inKey != 0 ? IN_KEY : IN_STRING;
  if (s.state == HEX) {
    const digit = hexDigit(c);
    if (digit < 0) return false;
    s.code = (s.code << 4) | u32(digit);
    if (--s.hex == 0) s.state = rest;
    return true;
  }
  if (c == U) {
    s.state = HEX;
    s.hex = 4;
    s.code = 0;
    return true;
  }
  if (c != QUOTE && c != SLASH && c != BACKSLASH && c != B && c != F && c != N && c != R && c != T) return false;
  s.state = rest;
  return true;
}

/**
 * Replaces the escape \uXXXX at the end of the skeleton by its character if that is printable ASCII, so that keyIs
 * matches "data" in any spelling.
 */
export function shortenEscape(s: Scan): void {
  const code = s.code;
  if (code < SPACE || code > TILDE || code == QUOTE || code == BACKSLASH) return;
  s.skeleton -= 6;
  put(s, code);
}

/** Scans keys, colons, commas and closing brackets. */
export function scanPunctuation(s: Scan, c: u32): i32 {
  const state = s.state;
  if (state == FIRST_KEY || state == KEY) {
    if (c == QUOTE) s.state = IN_KEY;
    else if (c == CLOSE_OBJECT && state == FIRST_KEY) return close(s, c);
    else return MALFORMED;
  } else if (state == BEFORE_COLON) {
    if (c != COLON) return MALFORMED;
    s.state = VALUE;
  } else if (state == AFTER) {
    const isObject = isInObject(s);
    if (c == COMMA) {
      s.state = isObject ? KEY : VALUE;
      store<i32>(frame(s), load<i32>(frame(s), 8) + 1, 8);
    } else if (c == (isObject ? CLOSE_OBJECT : CLOSE_LIST)) return close(s, c);
    else return MALFORMED;
  } else if (state == FIRST_ITEM) return close(s, c);
  else return MALFORMED;
  return put(s, c) ? GOES_ON : LONG_OPTIONS;
}

function open(s: Scan, c: u32): i32 {
  if (s.depth == MAX_DEPTH) return TOO_DEEP;
  s.depth++;
  store<u32>(frame(s), c);
  store<i32>(frame(s), 0, 8);
  s.state = c == OPEN_OBJECT ? FIRST_KEY : FIRST_ITEM;
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
  if (s.depth == 0 || !isInObject(s)) return false;
  if (s.inference == 0 && s.depth == 1) return true;
  if (s.inference == 0 && s.depth != 2) return false;
  return s.depth > 1 && keyIs(s, 4, DATA);
}

function isBase64(s: Scan): bool {
  return s.inference == 0 && s.depth == 2 && isInObject(s) && keyIs(s, 6, BASE64_KEY);
}

/** Begins a value. Brackets and strings change the state, other values are read at once. */
export function scanValue(s: Scan, p: usize, end: usize, c: u32): i32 {
  s.stop = p;
  if (s.depth == 0 && c != OPEN_OBJECT) return MALFORMED;
  if (c == OPEN_LIST && isNumbers(s)) return startNumbers(s);
  if (c == OPEN_OBJECT || c == OPEN_LIST || c == QUOTE) {
    let result: i32;
    if (c != QUOTE) result = open(s, c);
    else if (isBase64(s)) result = startBase64(s);
    else {
      s.state = IN_STRING;
      result = put(s, c) ? GOES_ON : LONG_OPTIONS;
    }
    if (result == GOES_ON) s.stop = p + 1;
    return result;
  }
  if (isDigit(c) || (c == MINUS && p + 1 < end && load<u8>(p, 1) != firstOf(INFINITY))) return scanOptionNumber(s, p, end);
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
  if (isRounded && load<u8>(p) == MINUS && !put(s, MINUS)) return LONG_OPTIONS;
  if (isRounded && !(putText(s, ROUNDED_START) && putText(s, ROUNDED_END))) return LONG_OPTIONS;
  for (; !isRounded && p < after; p++) {
    if (!put(s, load<u8>(p))) return LONG_OPTIONS;
  }
  ended(s);
  return GOES_ON;
}

/** Appends a text, the first character in the lowest byte. */
function putText(s: Scan, text: u64): bool {
  for (; text != 0; text >>= 8) {
    if (!put(s, firstOf(text))) return false;
  }
  return true;
}

/** Returns the word with this first character, 0 for none. */
function wordOf(c: u32): u64 {
  if (c == firstOf(TRUE)) return TRUE;
  if (c == firstOf(FALSE)) return FALSE;
  if (c == firstOf(NULL)) return NULL;
  if (c == firstOf(NAN)) return NAN;
  return c == firstOf(INFINITY) ? INFINITY : 0;
}

/** Copies true, false and null, and quotes NaN, Infinity and -Infinity. */
function scanWord(s: Scan, p: usize, end: usize, c: u32): i32 {
  const isNegative = c == MINUS;
  if (isNegative && ++p == end) return UNFINISHED;
  const word = isNegative ? INFINITY : wordOf(c);
  if (word == 0) return MALFORMED;
  for (let rest = word; rest != 0; rest >>= 8, p++) {
    if (p == end) return UNFINISHED;
    if (u32(load<u8>(p)) != firstOf(rest)) {
      s.stop = p;
      return MALFORMED;
    }
  }
  const isNumber = word == NAN || word == INFINITY;
  if (isNumber && !put(s, QUOTE)) return LONG_OPTIONS;
  if (isNegative && !put(s, MINUS)) return LONG_OPTIONS;
  if (!putText(s, word)) return LONG_OPTIONS;
  if (isNumber && !put(s, QUOTE)) return LONG_OPTIONS;
  s.stop = p;
  ended(s);
  return GOES_ON;
}
