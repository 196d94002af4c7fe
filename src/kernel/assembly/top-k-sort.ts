// Selection and sort of the entries of a line, in sweeps over all of them.
//
// If the memory is full, a selection by the digits of the keys leaves the k best, and in the end a radix sort orders them.
// All of this reads memory in sequence. A heap misses the cache at each of its levels once it is larger: 2 million of 4
// million classes took 2.0 s instead of 0.14 s.
import { ROW_BLOCK } from "./lines";
import { Picks } from "./picks";
import { COUNTS_BYTES, entryAt, entryBytes, indexOf, isOrdered, limitTo, storeEntry, valueOf, writePick } from "./top-k-entries";

/** Phases of a position. Each but the first is a sweep over all entries. */
export const SCAN: u32 = 0;
/** Counts the values of a digit, from the highest digit on to select, from the lowest on to sort. */
const COUNT: u32 = 1;
/** Keeps the k best. */
const KEEP: u32 = 2;
/** Moves entries in the order of a digit. */
const MOVE: u32 = 3;
const WRITE: u32 = 4;

/** Bits and values of a digit. */
const DIGIT: u32 = 8;
const VALUES: u32 = 256;
const HIGHEST: u32 = 56; // 64 - DIGIT

/** Entries that a sweep passes at once, and costs of one and of a position, in elements. */
const SWEEP: u32 = 4096;
const SWEEP_COST: i64 = 4;
export const LINE_COST: i64 = 16;

/** Returns the address of the count of an entry's current digit. */
// @ts-ignore: decorator
@inline
function countOf(picks: Picks, entry: usize): usize {
  return <usize>picks.entries + <usize>((load<u64>(entry) >> picks.shift) & (VALUES - 1)) * 4;
}

/** Begins the next phase after a block of classes. */
export function endScan(picks: Picks): void {
  const isLast = picks.at == picks.classes;
  if (isOrdered(picks)) {
    if (isLast) beginSweep(picks, WRITE);
    return;
  }
  const next = min(u32(ROW_BLOCK), picks.classes - picks.at);
  if (picks.held + next > picks.capacity || (isLast && picks.held > sortable(picks))) {
    picks.shift = HIGHEST;
    picks.threshold = 0;
    picks.missing = picks.picks;
    beginSweep(picks, COUNT);
  } else if (isLast) beginSort(picks);
}

/** Returns whether entries move to the line's output for class indices, because their own memory has not two halves. */
// @ts-ignore: decorator
@inline
function movesToOutput(picks: Picks): bool {
  return picks.capacity < 2 * halfOf(picks);
}

// @ts-ignore: decorator
@inline
function halfOf(picks: Picks): u32 {
  return picks.picks + u32(ROW_BLOCK);
}

/** Returns how many entries can be moved. */
function sortable(picks: Picks): u32 {
  return movesToOutput(picks) ? picks.picks : halfOf(picks);
}

/** Returns the address of the first entry, or of the first after a move. */
function firstEntry(picks: Picks, isMoved: u32): usize {
  if (isMoved && movesToOutput(picks)) return <usize>picks.index + ((<usize>picks.position * picks.picks) << 3);
  return entryAt(picks, isMoved * halfOf(picks));
}

function beginSort(picks: Picks): void {
  picks.shift = lowest(picks);
  beginSweep(picks, COUNT);
}

/** Returns the shift of the lowest digit. */
// @ts-ignore: decorator
@inline
function lowest(picks: Picks): u32 {
  return picks.wide ? 0 : 32;
}

function beginSweep(picks: Picks, phase: u32): void {
  picks.phase = phase;
  picks.swept = 0;
  picks.kept = 0;
  if (phase == COUNT) memory.fill(<usize>picks.entries, 0, COUNTS_BYTES);
}

export function nextPosition(picks: Picks): void {
  picks.position++;
  picks.at = 0;
  picks.held = 0;
  picks.phase = SCAN;
  picks.bounded = 0;
  picks.moved = 0;
}

/** Passes the next entries of a phase. */
export function sweep(picks: Picks, left: i64): i64 {
  const total = picks.phase == WRITE ? picks.picks : picks.held;
  const n = min(SWEEP, total - picks.swept);
  const from = firstEntry(picks, picks.moved) + <usize>picks.swept * entryBytes(picks);
  const end = from + <usize>n * entryBytes(picks);
  if (picks.phase == COUNT) countDigits(picks, from, end);
  else if (picks.phase == KEEP) keepBest(picks, from, end);
  else if (picks.phase == MOVE) moveEntries(picks, from, end);
  else writeEntries(picks, from, end);
  picks.swept += n;
  if (picks.swept == total) endSweep(picks);
  return left - i64(n) * SWEEP_COST - LINE_COST;
}

function endSweep(picks: Picks): void {
  if (picks.phase == WRITE) nextPosition(picks);
  else if (picks.phase == KEEP) endSelection(picks);
  else if (picks.phase == MOVE) {
    picks.moved ^= 1;
    nextDigit(picks);
  } else if (picks.missing > 0) narrow(picks);
  else if (load<u32>(countOf(picks, firstEntry(picks, picks.moved))) == picks.held) nextDigit(picks);
  else {
    sumCounts(picks);
    beginSweep(picks, MOVE);
  }
}

/** Counts the values of a digit of entries, in a selection of those with the threshold's higher digits. */
function countDigits(picks: Picks, from: usize, end: usize): void {
  const mask: u64 = picks.missing > 0 ? (<u64>-1 << picks.shift) << DIGIT : 0;
  for (let at = from, bytes = entryBytes(picks); at < end; at += bytes) {
    if ((load<u64>(at) ^ picks.threshold) & mask) continue;
    const count = countOf(picks, at);
    store<u32>(count, load<u32>(count) + 1);
  }
}

/** Adds the digit of the k-th best entry to the threshold. */
function narrow(picks: Picks): void {
  let count = <usize>picks.entries;
  for (; load<u32>(count) < picks.missing; count += 4) picks.missing -= load<u32>(count);
  picks.threshold |= u64((count - <usize>picks.entries) >> 2) << picks.shift;
  if (picks.shift == lowest(picks)) return beginSweep(picks, KEEP);
  picks.shift -= DIGIT;
  beginSweep(picks, COUNT);
}

/** Keeps entries below the threshold and the first missing ones at it. */
function keepBest(picks: Picks, from: usize, end: usize): void {
  const bytes = entryBytes(picks);
  let to = entryAt(picks, picks.kept);
  for (let at = from; at < end; at += bytes) {
    const key = (load<u64>(at) >> lowest(picks)) << lowest(picks);
    if (key > picks.threshold) continue;
    const index = indexOf(picks, at);
    if (key == picks.threshold) {
      if (picks.missing == 0) continue;
      picks.missing--;
      picks.worst = index;
    }
    storeEntry(picks, to, load<u64>(at), index);
    to += bytes;
    picks.kept++;
  }
}

function endSelection(picks: Picks): void {
  limitTo(picks, picks.worst);
  picks.held = picks.kept;
  picks.phase = SCAN;
  if (picks.at == picks.classes) beginSort(picks);
}

/** Turns the counts into the places of the first entry of each value. */
function sumCounts(picks: Picks): void {
  let sum: u32 = 0;
  for (let at = <usize>picks.entries, end = at + COUNTS_BYTES; at < end; at += 4) {
    const count = load<u32>(at);
    store<u32>(at, sum);
    sum += count;
  }
}

function moveEntries(picks: Picks, from: usize, end: usize): void {
  const to = firstEntry(picks, picks.moved ^ 1);
  for (let at = from, bytes = entryBytes(picks); at < end; at += bytes) {
    const place = countOf(picks, at);
    const rank = load<u32>(place);
    store<u32>(place, rank + 1);
    storeEntry(picks, to + <usize>rank * bytes, load<u64>(at), indexOf(picks, at));
  }
}

function nextDigit(picks: Picks): void {
  if (picks.shift == HIGHEST) return beginSweep(picks, WRITE);
  picks.shift += DIGIT;
  beginSweep(picks, COUNT);
}

/** Writes picks, which may replace the entries. */
function writeEntries(picks: Picks, from: usize, end: usize): void {
  let rank = <usize>picks.swept;
  for (let at = from, bytes = entryBytes(picks); at < end; at += bytes, rank++) {
    writePick(picks, rank, valueOf(picks, load<i64>(at)), indexOf(picks, at));
  }
}
