// Base64 texts, which are decoded to the bytes of a tensor.
import { decodeBlocks, sextet } from "../base64";
import { BACKSLASH, EQUALS, hexDigit, QUOTE, SLASH, U } from "./characters";
import { BAD_BASE64, BASE64, FULL, GOES_ON, LONG_OPTIONS, Scan, endSpan, startSpan, stopAt } from "./state";

export function startBase64(s: Scan): i32 {
  if (!startSpan(s)) return LONG_OPTIONS;
  s.sextets = 0;
  s.bits = 0;
  s.padding = 0;
  s.escape = 0;
  s.state = BASE64;
  return GOES_ON;
}

/** Decodes until the string or the piece ends. */
export function scanBase64(s: Scan, p: usize, end: usize): i32 {
  while (p < end) {
    if (s.sextets == 0 && s.padding == 0 && s.escape == 0) {
      const read = decodeBlocks(p, end, s.next, s.end);
      p += read;
      s.next += (read >> 2) * 3;
      if (p == end) break;
    }
    let c: u32 = load<u8>(p);
    if (s.escape != 0) {
      const escaped = takeEscaped(s, c);
      if (escaped < 0) return stopAt(s, p, BAD_BASE64);
      c = u32(escaped);
      if (s.escape != 0) {
        p++;
        continue;
      }
    } else if (c == QUOTE) {
      if (s.sextets != 0 || (s.padding != 0 && s.padding != 4)) return stopAt(s, p, BAD_BASE64);
      s.stop = p + 1;
      return endBase64(s);
    } else if (c == BACKSLASH) {
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
function takeEscaped(s: Scan, c: u32): i32 {
  const stage = s.escape & 7;
  if (stage == 1) {
    s.escape = c == U ? 2 : 0;
    return c == SLASH || c == U ? i32(c) : -1;
  }
  const digit = hexDigit(c);
  if (digit < 0) return -1;
  const code = ((s.escape >> 8) << 4) | digit;
  s.escape = stage == 5 ? 0 : (code << 8) | (stage + 1);
  return code;
}

/** Takes one character. `padding` is 4 after a complete padded group. */
function takeSextet(s: Scan, c: u32): i32 {
  if (s.padding == 4) return BAD_BASE64;
  if (c == EQUALS) {
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
  return endSpan(s, -1, u32(s.next - s.spanStart), 0, QUOTE, QUOTE);
}
