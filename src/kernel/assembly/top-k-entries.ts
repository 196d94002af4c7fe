// Entries of the classes that may be picks of a line, each a key and a class index. Keys ascend from the largest
// log-probability to the least.
//
// Few picks are kept in order by insertion. Many are collected in the order of their classes, and `top-k-sort.ts` selects
// and sorts them.
import { loadNumber, storeNumber, log2SizeOf } from "./formats";
import { Picks, elementAt } from "./picks";

/** Bytes of the counts of digits, see `top-k-sort.ts`, which precede the entries. */
export const COUNTS_BYTES: usize = 1024; // 256 * 4

/** Returns whether the entries are kept in order. */
// @ts-ignore: decorator
@inline
export function isOrdered(picks: Picks): bool {
  return picks.capacity == 0;
}

/** Returns the bytes of an entry, an u64 key and an u32 index, which is the key's lower half unless K is float64. */
// @ts-ignore: decorator
@inline
export function entryBytes(picks: Picks): usize {
  return 8 + (<usize>picks.wide << 2);
}

// @ts-ignore: decorator
@inline
export function entryAt(picks: Picks, i: u32): usize {
  return <usize>picks.entries + COUNTS_BYTES + <usize>i * entryBytes(picks);
}

// @ts-ignore: decorator
@inline
export function indexOf(picks: Picks, entry: usize): u32 {
  return load<u32>(entry + (<usize>picks.wide << 3));
}

// @ts-ignore: decorator
@inline
export function storeEntry(picks: Picks, entry: usize, key: u64, index: u32): void {
  store<u64>(entry, key);
  store<u32>(entry + (<usize>picks.wide << 3), index);
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

export function valueOf(picks: Picks, key: i64): f64 {
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

export function limitTo(picks: Picks, index: u32): void {
  const element = elementAt(picks, index, picks.classes);
  picks.limit = loadNumber(<usize>picks.x + (element << log2SizeOf(picks.dtype)), picks.dtype);
  picks.bounded = 1;
}

export function writePick(picks: Picks, rank: usize, value: f64, index: u32): void {
  const pick = elementAt(picks, rank, picks.picks);
  storeNumber(<usize>picks.values + (pick << log2SizeOf(picks.dtype)), picks.dtype, value);
  store<i64>(<usize>picks.index + (pick << 3), i64(index));
}
