// Printing: tensors' elements as JSON numbers, the shortest that read back as the same number. Each dtype has a printer, which is told
// where its elements lie and where its characters go.
import { BFLOAT16, FLOAT16, FLOAT32, FLOAT64, INT32, INT64 } from "../formats";
import { printFloat32s } from "./float32";
import { printHalves } from "./half";
import { fillLayout } from "./layout";
import { printInteger } from "./notation";
import { bytesOf, finiteRun, isFloat, printNull } from "./nulls";
import { beginRows, separate } from "./rows";
import { fillScales } from "./scale";
import { printFloat32, printFloat64 } from "./schubfach";
import { fillNonFinite } from "./texts";

export { listLengthsAt } from "./rows";

/** Where the loader has answers written before it copies them out. */
export const outputAt: usize = memory.data(66560, 16);
export const outputBytes: usize = 65536;

/** An element type of the printer alone: every element is an empty list. */
const EMPTY_LIST: i32 = 7;

/** Added to the element type: non-finite numbers are printed as null. */
const NULLS: i32 = 8;

/** Fills the printers' tables; the loader calls it once, after it has written the powers of ten. */
export function fillPrintTables(): void {
  fillLayout();
  fillScales();
  fillNonFinite();
}

/**
 * Prints `n` elements that begin at `from` and are number `index` and so on of a tensor, with the commas and brackets between
 * them that `levels` levels of lists have. Returns the address after the last character. An element takes at most 49 bytes:
 * 24 characters, and with 7 levels 15 of punctuation; 10 more are scratch.
 */
export function printElements(from: usize, type: i32, index: u32, n: u32, levels: i32, to: usize): usize {
  to = beginRows(index, levels, to);
  const dtype = type & (NULLS - 1);
  const isPlain = (type & NULLS) == 0 || !isFloat(dtype);
  // Behind the last element no comma stands.
  return (isPlain ? printRun(from, dtype, index, n, to) : printRuns(from, dtype, index, n, to)) - 1;
}

/** Prints elements, each with a comma behind it. */
function printRun(from: usize, dtype: i32, index: u32, n: u32, to: usize): usize {
  if (dtype == FLOAT32) return printFloat32s(from, index, n, to);
  if (dtype == FLOAT16 || dtype == BFLOAT16) return printHalves(from, dtype, index, n, to);
  return printEach(from, dtype, index, n, to);
}

/** Prints floats, each with a comma behind it, and null in the place of those that are non-finite. */
function printRuns(from: usize, dtype: i32, index: u32, n: u32, to: usize): usize {
  for (const end = index + n; index < end; ) {
    const run = finiteRun(from, dtype, end - index);
    if (run > 0) to = printRun(from, dtype, index, run, to);
    else to = printNull(index, to);
    const done = max<u32>(run, 1);
    index += done;
    from += usize(done) * bytesOf(dtype);
  }
  return to;
}

/** Prints elements of dtypes that have no printer of many at a time, each with a comma behind it. */
function printEach(from: usize, dtype: i32, index: u32, n: u32, to: usize): usize {
  const bytes: usize = dtype == FLOAT64 || dtype == INT64 ? 8 : dtype == INT32 ? 4 : 1;
  for (const end = index + n; index < end; index++, from += bytes) {
    to = printElement(from, dtype, separate(index, to));
    store<u8>(to++, 44);
  }
  return to;
}

function printElement(from: usize, dtype: i32, to: usize): usize {
  switch (dtype) {
    case FLOAT64: return printFloat64(load<u64>(from), to);
    case INT64: return printInteger(load<i64>(from), to);
    case INT32: return printInteger(i64(load<i32>(from)), to);
    case EMPTY_LIST: {
      store<u16>(to, 0x5d5b);
      return to + 2;
    }
    default: return printInteger(i64(load<u8>(from)), to);
  }
}

/** Prints `n` float32 or float64 as {@link printElements} does a flat list, but by the reference alone: for the tests. */
export function printReference(from: usize, dtype: i32, n: u32, to: usize): usize {
  const bytes: usize = dtype == FLOAT64 ? 8 : 4;
  for (const end = from + bytes * usize(n); from < end; from += bytes) {
    to = dtype == FLOAT64 ? printFloat64(load<u64>(from), to) : printFloat32(load<u32>(from), to);
    store<u8>(to++, 44);
  }
  return to - 1;
}
