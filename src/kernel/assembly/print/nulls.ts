// Prints non-finite floats as null, for clients whose numbers cannot be strings.
//
// Runs of finite elements go to the printer of their dtype, single non-finite ones between them become null. A float is
// non-finite if its exponent has all bits set.
import { BFLOAT16, FLOAT16, FLOAT32, FLOAT64 } from "../formats";
import { separate } from "./rows";

/** Counts the finite elements at the start of `n` elements. */
export function finiteRun(from: usize, dtype: i32, n: u32): u32 {
  const bytes = bytesOf(dtype);
  let run: u32 = 0;
  while (run < n && !isNonFinite(from + usize(run) * bytes, dtype)) run++;
  return run;
}

/** Prints null for element `index`, followed by a comma. */
export function printNull(index: u32, to: usize): usize {
  to = separate(index, to);
  store<u32>(to, 0x6c6c756e);
  store<u8>(to + 4, 44);
  return to + 5;
}

export function bytesOf(dtype: i32): usize {
  return dtype == FLOAT64 ? 8 : dtype == FLOAT32 ? 4 : 2;
}

export function isFloat(dtype: i32): bool {
  return dtype <= BFLOAT16;
}

function isNonFinite(from: usize, dtype: i32): bool {
  switch (dtype) {
    case FLOAT64: return (load<u64>(from) & 0x7ff0000000000000) == 0x7ff0000000000000;
    case FLOAT32: return (load<u32>(from) & 0x7f800000) == 0x7f800000;
    case FLOAT16: return (load<u16>(from) & 0x7c00) == 0x7c00;
    default: return (load<u16>(from) & 0x7f80) == 0x7f80;
  }
}
