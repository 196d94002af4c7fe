// The index of commas: where the tokens of the text ahead end.
//
// Reading one number after another waits for the length of each before the next can begin, about 16 cycles a number. So a block of
// text is searched for commas first, 64 characters at a time: four comparisons give 64 bits, and each bit that is set becomes an
// address. Numbers are then read from addresses that lie ready, and the processor works on several at once.
// Every comma is indexed, also one in a string behind the tensor: the reader of a token refuses what is no number.
// Source: G. Langdale and D. Lemire, "Parsing gigabytes of JSON per second" (2019), section 3.2 (flatten the bit sets).

/** Bytes of text of the first block, and of the largest: a small body pays for a small one. */
const MIN_BLOCK: usize = 512;
const MAX_BLOCK: usize = 4096;
/** Bytes of one address in the index. */
const ENTRY: usize = 4;
/** Entries that are written at a time, whether or not there are so many. */
const BATCH: usize = 4;

const INDEX = memory.data(4 * 4096 + 4 * 64 + 4 * 8, 16); // room for MAX_BLOCK commas, those kept, and a batch

/** The entries that lie ahead, as addresses in the index: each holds the address of a comma less 16, where a vector of the text before it begins. */
export let nextComma: usize = INDEX;
export let lastComma: usize = INDEX;
/** How far the text is indexed, and the bytes of the next block. */
let indexedTo: usize = 0;
let block: usize = MIN_BLOCK;

/** Forgets the index: the window holds other text. */
export function forgetCommas(): void {
  nextComma = INDEX;
  lastComma = INDEX;
  indexedTo = 0;
  block = MIN_BLOCK;
}

/** Makes the next block small: its commas may be of no use. */
export function smallBlock(): void {
  block = MIN_BLOCK;
}

/** Steps over entries that have been used. */
// @ts-ignore: decorator
@inline
export function useCommas(count: usize): void {
  nextComma += count * ENTRY;
}

/** Whether the index holds the commas of the next two tokens from `p` on, after indexing as much text of [p, end) as that takes. */
export function havePair(p: usize, end: usize): bool {
  // The scanner may have read numbers on its own.
  while (nextComma < lastComma && usize(load<u32>(nextComma)) + 16 < p) nextComma += ENTRY;
  while (lastComma - nextComma < 2 * ENTRY) {
    const from = max(p, indexedTo);
    if (from >= end) return false;
    // One is left at most.
    store<u32>(INDEX, load<u32>(nextComma));
    lastComma = INDEX + (lastComma - nextComma);
    nextComma = INDEX;
    indexedTo = min(from + block, end);
    lastComma = index(from, indexedTo, lastComma);
    block = min(block << 1, MAX_BLOCK);
  }
  return true;
}

/** Writes the entries of the commas in [from, to) at `at`; returns the end of them. */
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

/** Writes entries of the four lowest bits, whether or not there are so many, and returns the others. */
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
