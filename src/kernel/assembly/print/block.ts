// The block: float32 on their way from bits to text, in the memory between the three steps scale.ts, spell.ts and layout.ts.
//
// A step runs through the whole block before the next one begins. One number after the other through all steps would be a chain
// of dependent instructions longer than the window in which a processor looks for independent ones (256 instructions on Zen 3): 0.75 of
// the speed.

/** Numbers in a block; a word has a bit for each. */
export const BLOCK: u32 = 32;

/** After scaling: an integer of 6 to 8 digits (u32), the digit behind it (u64), and the layout row (u32) of each number. */
export const INTEGERS: usize = memory.data(128, 16);
export const NEXT_DIGITS: usize = memory.data(256, 16);
export const LAYOUTS: usize = memory.data(128, 16);

/** After spelling: 16 characters of each number, from which a layout picks. */
export const SPELLINGS: usize = memory.data(512, 16);
