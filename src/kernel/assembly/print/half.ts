// Prints float16 and bfloat16 from tables, because each has only 2^15 magnitudes.
//
// Clients read decimals as doubles, so a half is printed as the shortest decimal that reads back as the float32 of the
// same value. bfloat16 5504 is `5504`, although `5500` would suffice for bfloat16 alone. The tables take 512 KB each,
// but the system provides pages only for rows that are used.
import { FLOAT16, loadNumber } from "../formats";
import { separate } from "./rows";
import { hasText, INFINITE, placeText, printNewText, printNonFinite } from "./texts";

const FLOAT16_TEXTS = memory.data(0x8000 * 16, 16);
const BFLOAT16_TEXTS = memory.data(0x8000 * 16, 16);

/** Prints `n` halves at `from`, starting with element `index` of a tensor, each followed by a comma. */
export function printHalves(from: usize, dtype: i32, index: u32, n: u32, to: usize): usize {
  return dtype == FLOAT16 ? printFloat16s(from, index, n, to) : printBFloat16s(from, index, n, to);
}

function printFloat16s(from: usize, index: u32, n: u32, to: usize): usize {
  for (const end = index + n; index < end; index++, from += 2) {
    const half: u32 = load<u16>(from);
    const row = FLOAT16_TEXTS + (usize(half & 0x7fff) << 4);
    to = separate(index, to);
    if (hasText(row)) to = placeText(row, half >> 15, to);
    else to = printNewHalf(row, reinterpret<u32>(f32(loadNumber(from, FLOAT16))), to);
  }
  return to;
}

function printBFloat16s(from: usize, index: u32, n: u32, to: usize): usize {
  for (const end = index + n; index < end; index++, from += 2) {
    const half: u32 = load<u16>(from);
    const row = BFLOAT16_TEXTS + (usize(half & 0x7fff) << 4);
    to = separate(index, to);
    if (hasText(row)) to = placeText(row, half >> 15, to);
    else to = printNewHalf(row, half << 16, to);
  }
  return to;
}

// @ts-ignore: decorator
@inline
function printNewHalf(row: usize, bits: u32, to: usize): usize {
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= INFINITE) return printNonFinite(bits >> 31, magnitude > INFINITE, to);
  return printNewText(row, bits, to);
}
