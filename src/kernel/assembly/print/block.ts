// Block of float32 between the three steps scale.ts, spell.ts and layout.ts.
//
// Each step runs through the whole block before the next one begins. Taking each number through all steps would form a
// dependency chain longer than the processor's reorder window (256 instructions on Zen 3), at 0.75 of the speed.

/** Numbers in a block, one bit each in a word. */
export const BLOCK: u32 = 32;

/** Output of scaling: for each number an integer of 6 to 8 digits (u32), the next digit (u64), and the layout row (u32). */
export const INTEGERS: usize = memory.data(128, 16);
export const NEXT_DIGITS: usize = memory.data(256, 16);
export const LAYOUTS: usize = memory.data(128, 16);

/** Output of spelling: 16 characters of each number, from which a layout picks. */
export const SPELLINGS: usize = memory.data(512, 16);
