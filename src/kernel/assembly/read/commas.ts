// Index of commas, at which the tokens ahead end.
//
// Reading numbers one after another takes about 16 cycles each, because each begins at the end of the previous one. So
// a block of text is first searched for commas, 64 characters at a time. Four comparisons give 64 bits, and each set bit becomes an address. Numbers can then be read from known addresses, several at once. Every comma is indexed,
// including commas in strings after the tensor, because the token reader stops at text that is not a number. Source: G.
// Langdale and D. Lemire, "Parsing gigabytes of JSON per second" (2019), section 3.2 (flatten the bit sets).

/** Sizes of the first and the largest block in bytes, small at first because bodies may be small. */
const MIN_BLOCK: usize = 512;
const MAX_BLOCK: usize = 4096;
/** Bytes per index entry. */
const ENTRY: usize = 4;
/** Entries written at a time, regardless of their count. */
const BATCH: usize = 4;

const INDEX = memory.data(4 * 4096 + 4 * 64 + 4 * 8, 16); // room for MAX_BLOCK commas, kept ones and a batch

/** Index address of the next entry. Each entry is a comma's address minus 16, the start of the vector before it. */
export let nextComma: usize = INDEX;
export let lastComma: usize = INDEX;
/** End of the indexed text, and size of the next block. */
let indexedTo: usize = 0;
let block: usize = MIN_BLOCK;

/** Clears the index because the input buffer holds other text. */
export function forgetCommas(): void {
  nextComma = INDEX;
  lastComma = INDEX;
  indexedTo = 0;
  block = MIN_BLOCK;
}

/** Makes the next block small because its commas may be useless. */
export function smallBlock(): void {
  block = MIN_BLOCK;
}

/** Skips used entries. */
// @ts-ignore: decorator
@inline
export function useCommas(count: usize): void {
  nextComma += count * ENTRY;
}

/**
 * Returns whether the index holds the commas of the next two tokens from `p` on, after indexing more of [p, end) if
 * necessary.
 */
export function havePair(p: usize, end: usize): bool {
  // Skips the commas of numbers that the scanner has read.
  while (nextComma < lastComma && usize(load<u32>(nextComma)) + 16 < p) nextComma += ENTRY;
  while (lastComma - nextComma < 2 * ENTRY) {
    const from = max(p, indexedTo);
    if (from >= end) return false;
    // Keeps at most one entry.
    store<u32>(INDEX, load<u32>(nextComma));
    lastComma = INDEX + (lastComma - nextComma);
    nextComma = INDEX;
    indexedTo = min(from + block, end);
    lastComma = index(from, indexedTo, lastComma);
    block = min(block << 1, MAX_BLOCK);
  }
  return true;
}

/** Writes the entries of the commas in [from, to) at `at` and returns their end. */
function index(from: usize, to: usize, at: usize): usize {
  for (; from < to; from += 64) {
    let commas = commasIn(from) | (commasIn(from + 16) << 16) | (commasIn(from + 32) << 32) | (commasIn(from + 48) << 48);
    if (to - from < 64) commas &= (u64(1) << (to - from)) - 1;
    const count = usize(popcnt(commas));
    for (let entry = at; commas != 0; entry += BATCH * ENTRY) commas = flatten(commas, from - 16, entry);
    at += count * ENTRY;
  }
  return at;
}

/** Writes entries for the four lowest bits, set or not, and returns the other bits. */
// @ts-ignore: decorator
@inline
function flatten(commas: u64, base: usize, at: usize): u64 {
  for (let k: usize = 0; k < BATCH; k++) {
    store<u32>(at + k * ENTRY, u32(base + usize(ctz(commas))));
    commas &= commas - 1;
  }
  return commas;
}

// @ts-ignore: decorator
@inline
function commasIn(p: usize): u64 {
  return u64(u32(i8x16.bitmask(i8x16.eq(v128.load(p), i8x16.splat(44)))));
}
