// Prints tensor elements as JSON numbers, the shortest that read back as the same number. Each dtype has a printer with
// the same parameters.
import { BFLOAT16, FLOAT16, FLOAT32, FLOAT64, INT32, INT64, UINT8, log2SizeOf } from "../formats";
import { fillRows64 } from "./block64";
import { printFloat32s } from "./float32";
import { printFloat64s } from "./float64";
import { printHalves } from "./half";
import { fillLayout } from "./layout";
import { fillLayout64 } from "./layout64";
import { printInteger } from "./notation";
import { bytesOf, finiteRun, isFloat, printNull } from "./nulls";
import { beginRows, separate } from "./rows";
import { fillScales } from "./scale";
import { fillScales64 } from "./scale64";
import { printFloat32, printFloat64 } from "./schubfach";
import { fillNonFinite } from "./texts";

export { listLengthsAt } from "./rows";

/** Output buffer, from which the loader copies responses. */
export const outputAt: usize = memory.data(66560, 16);
export const outputBytes: usize = 65536;

/** Element type of the printer alone, whose elements are empty lists. */
const EMPTY_LIST: i32 = 63;

/** Flag added to the element type to print non-finite numbers as null. */
const NULLS: i32 = 64;

/** Fills the printers' tables. Called once after the powers of ten have been written. */
export function fillPrintTables(): void {
  fillLayout();
  fillScales();
  fillLayout64();
  fillScales64();
  fillRows64();
  fillNonFinite();
}

/**
 * Prints `n` elements at `from`, starting with element `index` of a tensor, with commas and the brackets of `levels`
 * levels of lists. Returns the address after the last character. An element takes at most 49 bytes: 24 characters, 15
 * bytes of punctuation for 7 levels, and 10 bytes of scratch.
 */
export function printElements(from: usize, type: i32, index: u32, n: u32, levels: i32, to: usize): usize {
  to = beginRows(index, levels, to);
  const dtype = type & (NULLS - 1);
  const isPlain = (type & NULLS) == 0 || !isFloat(dtype);
  // Drops the comma after the last element.
  return (isPlain ? printRun(from, dtype, index, n, to) : printRuns(from, dtype, index, n, to)) - 1;
}

/** Prints elements, each followed by a comma. */
function printRun(from: usize, dtype: i32, index: u32, n: u32, to: usize): usize {
  if (dtype == FLOAT32) return printFloat32s(from, index, n, to);
  if (dtype == FLOAT64) return printFloat64s(from, index, n, to);
  if (dtype == FLOAT16 || dtype == BFLOAT16) return printHalves(from, dtype, index, n, to);
  return printEach(from, dtype, index, n, to);
}

/** Prints floats, each followed by a comma, with null for non-finite ones. */
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

/** Prints elements of dtypes without a vector printer, each followed by a comma. */
function printEach(from: usize, dtype: i32, index: u32, n: u32, to: usize): usize {
  const bytes: usize = dtype == EMPTY_LIST ? 0 : usize(1) << log2SizeOf(dtype);
  for (const end = index + n; index < end; index++, from += bytes) {
    to = printElement(from, dtype, separate(index, to));
    store<u8>(to++, 44);
  }
  return to;
}

function printElement(from: usize, dtype: i32, to: usize): usize {
  switch (dtype) {
    case INT64: return printInteger(load<i64>(from), to);
    case INT32: return printInteger(i64(load<i32>(from)), to);
    case EMPTY_LIST: {
      store<u16>(to, 0x5d5b);
      return to + 2;
    }
    case UINT8: return printInteger(i64(load<u8>(from)), to);
    default: return unreachable();
  }
}

/** Prints `n` float32 or float64 as a flat list with the scalar reference, for tests. */
export function printReference(from: usize, dtype: i32, n: u32, to: usize): usize {
  const bytes: usize = dtype == FLOAT64 ? 8 : 4;
  for (const end = from + bytes * usize(n); from < end; from += bytes) {
    to = dtype == FLOAT64 ? printFloat64(load<u64>(from), to) : printFloat32(load<u32>(from), to);
    store<u8>(to++, 44);
  }
  return to - 1;
}
