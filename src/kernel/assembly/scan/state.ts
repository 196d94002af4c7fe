// State of a scan and the skeleton, a small text for JSON.parse with an index in place of each tensor's numbers.
import { ZERO } from "./characters";

// Results of a scan, which the loader translates to errors.
export const GOES_ON: i32 = 0;
export const MALFORMED: i32 = 1;
export const TOO_DEEP: i32 = 2;
export const LONG_NUMBER: i32 = 3;
export const LONG_OPTIONS: i32 = 4;
export const RAGGED: i32 = 5;
export const BAD_ELEMENT: i32 = 6;
export const BAD_BASE64: i32 = 7;
export const RANK: i32 = 8;
export const FULL: i32 = 9;
/** Internal result for a token that may continue in the next piece. */
export const UNFINISHED: i32 = 10;

// States between two bytes.
export const VALUE: i32 = 0;
export const FIRST_KEY: i32 = 1;
export const KEY: i32 = 2;
export const IN_KEY: i32 = 3;
export const BEFORE_COLON: i32 = 4;
export const AFTER: i32 = 5;
export const FIRST_ITEM: i32 = 6;
export const IN_STRING: i32 = 7;
export const ESCAPE: i32 = 8;
export const HEX: i32 = 9;
export const NUMBERS: i32 = 10;
export const BASE64: i32 = 11;
export const DONE: i32 = 12;

/** Limits of open brackets, of a number array's dimensions, and of number spans. Their errors are in `wire/json/scan-errors.ts`. */
export const MAX_DEPTH: i32 = 32;
export const MAX_RANK: i32 = 8;
const MAX_SPANS: i32 = 32;
/** Most bytes of a body outside of the tensors' numbers. */
const SKELETON_BYTES: usize = 16384;

/** State of one scan. The loader reads it by field offset. */
@unmanaged
export class Scan {
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
const LEVELS: usize = 4 * (usize(MAX_RANK) + 1);
export const COUNTS: usize = 96; // after the 92 bytes of the class: i32 per level of the number array from level 1 on, elements so far
export const DIMS: usize = COUNTS + LEVELS; // i32 per level, length of its first list or -1
const STACK: usize = DIMS + LEVELS; // per open bracket of the skeleton: i32 kind, u32 offset of the last key, i32 items
const FRAME: usize = 12;
const SPANS: usize = STACK + FRAME * (usize(MAX_DEPTH) + 1); // per span: i32 rounded (-1 for base64), u32 address, u32 length, i32 rank, i32 dims[8]
const SPAN_BYTES: usize = 16 + 4 * usize(MAX_RANK);
export const SKELETON: usize = SPANS + SPAN_BYTES * usize(MAX_SPANS);

export const scanBytes: usize = SKELETON + SKELETON_BYTES + 16; // keyIs reads eight bytes at once
export const scanCounts: usize = COUNTS;
export const scanStack: usize = STACK;
export const scanSpans: usize = SPANS;
export const scanSkeleton: usize = SKELETON;

export function stopAt(s: Scan, p: usize, result: i32): i32 {
  s.stop = p;
  s.stopByte = i32(load<u8>(p));
  return result;
}

/** Appends a byte to the skeleton. */
// @ts-ignore: decorator
@inline
export function put(s: Scan, c: u32): bool {
  if (s.skeleton >= u32(SKELETON_BYTES)) return false;
  store<u8>(changetype<usize>(s) + SKELETON + s.skeleton, c);
  s.skeleton++;
  return true;
}

// @ts-ignore: decorator
@inline
export function frame(s: Scan): usize {
  return changetype<usize>(s) + STACK + usize(s.depth) * FRAME;
}

/** Ends a value. The body is complete, or a separator is expected. */
export function ended(s: Scan): void {
  s.state = s.depth == 0 ? DONE : AFTER;
}

/** Begins a number span. Returns whether there is room for one more. */
export function startSpan(s: Scan): bool {
  if (s.spans == MAX_SPANS) return false;
  s.next = (s.next + 15) & ~15;
  s.spanStart = s.next;
  return true;
}

/**
 * Ends a number span: writes its record, and its index to the skeleton between two characters. `rounded` is -1 for
 * base64, whose rank is 0.
 */
export function endSpan(s: Scan, rounded: i32, length: u32, rank: i32, before: u32, after: u32): i32 {
  const span = changetype<usize>(s) + SPANS + usize(s.spans) * SPAN_BYTES;
  store<i32>(span, rounded);
  store<u32>(span, u32(s.spanStart), 4);
  store<u32>(span, length, 8);
  store<i32>(span, rank, 12);
  if (rank > 0) memory.copy(span + 16, changetype<usize>(s) + DIMS + 4, 4 * usize(MAX_RANK));
  else memory.fill(span + 16, 0, 4 * usize(MAX_RANK));
  const fits = put(s, before) && putIndex(s) && put(s, after);
  s.spans++;
  ended(s);
  return fits ? GOES_ON : LONG_OPTIONS;
}

function putIndex(s: Scan): bool {
  return (s.spans < 10 || put(s, ZERO + s.spans / 10)) && put(s, ZERO + (s.spans % 10));
}
