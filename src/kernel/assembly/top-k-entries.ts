// Entries of the classes that may be picks of a line, each a key and a class index. Keys ascend from the largest
// log-probability to the least.
//
// - Few picks are kept in order by insertion.
// - Many are collected, in the order of their classes, until the memory is full. A selection by the digits of the keys
//   then leaves the k best, and in the end a radix sort orders them. All of this reads memory in sequence. A heap misses
//   the cache at each of its levels once it is larger: 2 million of 4 million classes took 2.0 s instead of 0.14 s.
import { loadNumber, storeNumber, log2SizeOf } from "./formats";
import { ROW_BLOCK } from "./lines";
import { Picks, elementAt } from "./picks";

/** Phases of a position. Each but the first is a sweep over all entries. */
export const SCAN: u32 = 0;
/** Counts the values of a digit, from the highest digit on to select, from the lowest on to sort. */
const COUNT: u32 = 1;
/** Keeps the k best. */
const KEEP: u32 = 2;
/** Moves entries in the order of a digit. */
const MOVE: u32 = 3;
const WRITE: u32 = 4;

/** Bits and values of a digit, and the bytes of their counts, which precede the entries. */
const DIGIT: u32 = 8;
const VALUES: u32 = 256;
const COUNTS_BYTES: usize = 1024; // VALUES * 4
const HIGHEST: u32 = 56; // 64 - DIGIT

/** Entries that a sweep passes at once, and costs of one and of a position, in elements. */
const SWEEP: u32 = 4096;
const SWEEP_COST: i64 = 4;
export const LINE_COST: i64 = 16;

/** Returns whether the entries are kept in order. */
// @ts-ignore: decorator
@inline
export function isOrdered(picks: Picks): bool {
  return picks.capacity == 0;
}

/** Returns the bytes of an entry, an u64 key and an u32 index, which is the key's lower half unless K is float64. */
// @ts-ignore: decorator
@inline
function entryBytes(picks: Picks): usize {
  return 8 + (<usize>picks.wide << 2);
}

// @ts-ignore: decorator
@inline
function entryAt(picks: Picks, i: u32): usize {
  return <usize>picks.entries + COUNTS_BYTES + <usize>i * entryBytes(picks);
}

// @ts-ignore: decorator
@inline
function indexOf(picks: Picks, entry: usize): u32 {
  return load<u32>(entry + (<usize>picks.wide << 3));
}

// @ts-ignore: decorator
@inline
function storeEntry(picks: Picks, entry: usize, key: u64, index: u32): void {
  store<u64>(entry, key);
  store<u32>(entry + (<usize>picks.wide << 3), index);
}

// @ts-ignore: decorator
@inline
function digitOf(picks: Picks, entry: usize): usize {
  return <usize>picks.entries + <usize>((load<u64>(entry) >> picks.shift) & (VALUES - 1)) * 4;
}

/** Turns the bits of a number into those of its key, and back. */
// @ts-ignore: decorator
@inline
function flip(bits: i64): i64 {
  return bits ^ (~(bits >> 63) & i64.MAX_VALUE);
}

/** Returns the key of a log-probability, which is behind those of equal ones that were entered before. */
export function keyOf(picks: Picks, value: f64): u64 {
  if (picks.wide) return flip(reinterpret<i64>(value));
  return flip(i64(reinterpret<i32>(f32(value))) << 32) | u64(u32.MAX_VALUE);
}

function valueOf(picks: Picks, key: i64): f64 {
  const bits = flip(key);
  return picks.wide ? reinterpret<f64>(bits) : f64(reinterpret<f32>(i32(bits >> 32)));
}

/** Adds an entry behind the last. */
// @ts-ignore: decorator
@inline
export function addEntry(picks: Picks, key: u64, index: u32): void {
  storeEntry(picks, entryAt(picks, picks.held++), key, index);
}

/** Inserts an entry in order and drops the last if there are too many. Returns false if that is the new one. */
export function insertEntry(picks: Picks, key: u64, index: u32): bool {
  const last = entryAt(picks, picks.picks - 1);
  let at = entryAt(picks, picks.held);
  if (picks.held == picks.picks) {
    if (key >= load<u64>(last)) return false;
    at = last;
  } else picks.held++;
  for (const first = entryAt(picks, 0), bytes = entryBytes(picks); at > first; at -= bytes) {
    const before = load<u64>(at - bytes);
    if (key >= before) break;
    storeEntry(picks, at, before, indexOf(picks, at - bytes));
  }
  storeEntry(picks, at, key, index);
  return true;
}

/** Sets the limit to the logit of the last of as many ordered entries as there are picks. */
export function limitToLast(picks: Picks): void {
  if (picks.held == picks.picks) limitTo(picks, indexOf(picks, entryAt(picks, picks.held - 1)));
}

function limitTo(picks: Picks, index: u32): void {
  const element = elementAt(picks, index, picks.classes);
  picks.limit = loadNumber(<usize>picks.x + (element << log2SizeOf(picks.dtype)), picks.dtype);
  picks.bounded = 1;
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
  else if (load<u32>(digitOf(picks, firstEntry(picks, picks.moved))) == picks.held) nextDigit(picks);
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
    const count = digitOf(picks, at);
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
    const place = digitOf(picks, at);
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

export function writePick(picks: Picks, rank: usize, value: f64, index: u32): void {
  const pick = elementAt(picks, rank, picks.picks);
  storeNumber(<usize>picks.values + (pick << log2SizeOf(picks.dtype)), picks.dtype, value);
  store<i64>(<usize>picks.index + (pick << 3), i64(index));
}
