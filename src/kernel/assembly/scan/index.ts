// Push scanner for JSON (RFC 8259). Checks the grammar, extracts the tensors' numbers as doubles, and copies the rest
// to a small skeleton for JSON.parse. Accepts pieces of any size.
import { startReading } from "../read/modes";
import { scanBase64 } from "./base64";
import { BACKSLASH, CLOSE_LIST, isSpace, QUOTE, SPACE } from "./characters";
import { scanNumbers } from "./numbers";
import { scanEscape, scanPunctuation, scanValue, shortenEscape, startKey } from "./grammar";
import {
  AFTER, BASE64, BEFORE_COLON, COUNTS, DONE, ESCAPE, FIRST_ITEM, GOES_ON, HEX, IN_KEY, IN_STRING, LONG_OPTIONS, MALFORMED,
  NUMBERS, Scan, UNFINISHED, VALUE, ended, put, stopAt,
} from "./state";

export { scanBytes, scanCounts, scanSkeleton, scanSpans, scanStack } from "./state";

/** Input buffer: 1 KiB for the unused end of the last piece, 64 KiB of new bytes, and room for zeros. */
export const inputBytes: usize = 66560;
export const inputAt: usize = memory.data(66576, 16); // inputBytes + 16

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
      if (c < SPACE) return stopAt(s, p, MALFORMED);
      if (c == BACKSLASH) {
        s.inKey = i32(state == IN_KEY);
        s.state = ESCAPE;
      } else if (c == QUOTE) s.state = state == IN_KEY ? BEFORE_COLON : AFTER;
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
    if (isSpace(c)) {
      p++;
      continue;
    }
    let result: i32;
    if (state == VALUE || (state == FIRST_ITEM && c != CLOSE_LIST)) {
      result = scanValue(s, p, end, c);
      p = s.stop;
      if (result == UNFINISHED) return GOES_ON;
    } else {
      result = scanPunctuation(s, c);
      if (result == GOES_ON && state != BEFORE_COLON && state != AFTER && s.state == IN_KEY) startKey(s);
      if (result == GOES_ON) p++;
    }
    if (result != GOES_ON) return stopAt(s, p, result);
  }
  s.stop = p;
  return GOES_ON;
}

/** Returns whether the text may end here. If not, the state describes the missing input. */
export function scanIsDone(at: usize): bool {
  return changetype<Scan>(at).state == DONE;
}
