// Types for which the loops are compiled: K, the compute type float32 or float64, and L, the layout of a block.
import { FLOAT32, FLOAT64 } from "./formats";

/** Layout of one position with contiguous classes. Vectors run along the classes. */
export type Rows = u8;
/** Layout of many positions. The block has a row of positions per class, and vectors run across the positions. */
export type Columns = u16;

// @ts-ignore: decorator
@inline
export function isRows<L>(): bool {
  return sizeof<L>() == 1;
}

/** Returns the dtype code of K. */
// @ts-ignore: decorator
@inline
export function codeOf<K>(): i32 {
  return sizeof<K>() == 4 ? FLOAT32 : FLOAT64;
}

/** Returns the elements per vector of K. */
// @ts-ignore: decorator
@inline
export function lanes<K>(): usize {
  return 16 / sizeof<K>();
}
