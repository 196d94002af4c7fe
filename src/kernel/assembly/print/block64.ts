// Block of float64 between the three steps scale64.ts, spell64.ts and layout64.ts, which run one after the other, as
// block.ts explains. A number has one row for the output of all steps.

/** Rows of a block, and one more because layouts copy bytes beyond the end of a row. */
export const ROWS64: usize = memory.data(33 * 48, 16);

/** Row: 16 zeros, 16 digits, the 17th digit, 7 zeros, the u32 address of the layout, and the count of digits. */
export const ROW64: usize = 48;
export const DIGITS: usize = 16;
export const SEVENTEENTH: usize = 32;
export const LAYOUT: usize = 40;
export const COUNT: usize = 44;

/** Before spelling, two u32 of 8 digits each take the place of the 16 digits. */
export const UPPER: usize = 16;
export const LOWER: usize = 20;

/** Fills the rows with zeros. Called once. */
export function fillRows64(): void {
  memory.fill(ROWS64, 48, 33 * ROW64);
}
