// The k largest log-probabilities of each line, in descending order. Equal ones, as rounded to the output's dtype, are in
// the order of their classes.
//
// log_softmax is monotonic, so a logit up to that of the k-th best class so far gives no larger log-probability, and a
// later class loses a tie. Comparing logits with that limit therefore suffices for nearly all classes. The others become
// entries, see `top-k-entries.ts`.
import { convert } from "./convert";
import { loadNumber, log2SizeOf } from "./formats";
import { ROW_BLOCK } from "./lines";
import { LINE_LOG, logProbability, maximumAt } from "./line-sums";
import { Picks, elementAt, sumsAt } from "./picks";
import { addEntry, insertEntry, isOrdered, keyOf, limitToLast, writePick } from "./top-k-entries";
import { LINE_COST, SCAN, endScan, nextPosition, sweep } from "./top-k-sort";
import { codeOf, lanes } from "./types";

/** Copy of a block that is not in place in K. */
const SCANNED = memory.data(16384, 16); // ROW_BLOCK * 8
/** Vectors that are compared with the limit at once. */
const RUN: usize = 16;

/** Cost of an entry, in elements. */
const ENTRY_COST: i64 = 8;

/** Writes values and int64 indices. */
export function topKStep(at: usize, budget: i32): i32 {
  const picks = changetype<Picks>(at);
  return picks.wide ? select<f64>(picks, budget) : select<f32>(picks, budget);
}

function select<K>(picks: Picks, budget: i32): i32 {
  let left: i64 = budget;
  while (picks.position < picks.end) {
    if (left <= 0) return 0;
    const log = load<K>(sumsAt<K>(picks) + LINE_LOG * <usize>picks.pitch);
    if (log != log) left = writeNaN(picks, left);
    else if (picks.phase == SCAN) left = scan<K>(picks, left);
    else left = sweep(picks, left);
  }
  return 1;
}

/** Writes the picks of a line of NaN, its first classes. */
function writeNaN(picks: Picks, left: i64): i64 {
  for (; picks.at < picks.picks; picks.at++) {
    if (left-- <= 0) return left;
    writePick(picks, picks.at, NaN, picks.at);
  }
  nextPosition(picks);
  return left - LINE_COST;
}

/** Enters the next block of classes. */
function scan<K>(picks: Picks, left: i64): i64 {
  const n = min<usize>(ROW_BLOCK, picks.classes - picks.at);
  const isFirst = picks.at == 0;
  if (isFirst && hasMaxima<K>(picks)) {
    const from = <usize>picks.maxima + maximumAt(picks.position - picks.first, picks.classes, 0);
    bound<K>(picks, from, from + maximumAt(1, picks.classes, 0));
  }
  let entries: i64 = 0;
  if (!isBelow<K>(picks)) {
    const block = loadLine<K>(picks, n);
    if (isFirst && !picks.bounded) bound<K>(picks, GROUPS, groupMaxima<K>(block, n));
    entries = enterBlock<K>(picks, block, n);
  }
  picks.at += u32(n);
  endScan(picks);
  return left - i64(n) - entries * ENTRY_COST - LINE_COST;
}

/** Returns whether the maxima of the block do not exceed the limit. */
function isBelow<K>(picks: Picks): bool {
  if (picks.maxima == 0 || !picks.bounded) return false;
  const at = maximumAt(picks.position - picks.first, picks.classes, <usize>picks.at / ROW_BLOCK);
  return !v128.any_true(v128.gt<K>(v128.load(<usize>picks.maxima + at), v128.splat<K>(<K>picks.limit)));
}

/** Returns whether there are maxima of at least as many lanes as picks. */
function hasMaxima<K>(picks: Picks): bool {
  return picks.maxima != 0 && maximumAt(1, picks.classes, 0) / sizeof<K>() >= <usize>picks.picks;
}

/** Vectors of maxima of the first block. */
const GROUP_COUNT: usize = 64;
const GROUPS = memory.data(1024, 16); // GROUP_COUNT * 16

/** Finds the maxima of the lanes of groups of vectors of a block, and returns their end. */
function groupMaxima<K>(block: usize, n: usize): usize {
  const steps = n / lanes<K>();
  const size = ((steps + (GROUP_COUNT - 1)) / GROUP_COUNT) << 4;
  let to: usize = GROUPS;
  for (let at = block, last = block + (steps << 4); at < last; to += 16) {
    let max = v128.load(at);
    for (const end = min(last, at + size); at < end; at += 16) max = v128.pmax<K>(max, v128.load(at));
    v128.store(to, max);
  }
  return to;
}

/**
 * Sets the limit to a logit below the k-th largest of the maxima, if there are as many. At least k classes have a
 * larger log-probability than the limit's, so no class up to it is a pick.
 */
function bound<K>(picks: Picks, from: usize, end: usize): void {
  const k = <i32>picks.picks;
  if (i32((end - from) / sizeof<K>()) < k) return;
  const least = leastOfLargest<K>(from, end, k);
  const value = logProbability<K>(least, sumsAt<K>(picks), picks.pitch, picks.dtype);
  if (!(value > <K>-Infinity)) return;
  let limit = least;
  // Widens the gap until it changes the log-probability.
  for (let gap = max<K>(max<K>(abs<K>(least), abs<K>(value)) * <K>1.1920929e-7, <K>1e-30); ; gap *= 8) {
    limit = least - gap;
    if (logProbability<K>(limit, sumsAt<K>(picks), picks.pitch, picks.dtype) < value) break;
  }
  picks.limit = f64(limit);
  picks.bounded = 1;
}

/** Range below the largest logit in which the k-th largest is expected, and steps of halving it. */
const SPREAD: f64 = 32;
const HALVINGS: i32 = 16;

/** Returns a number up to which there are at least `k` of the maxima, and not many more. */
function leastOfLargest<K>(from: usize, end: usize, k: i32): K {
  let top = v128.splat<K>(-Infinity);
  for (let at = from; at < end; at += 16) top = v128.pmax<K>(top, v128.load(at));
  let high = largestLane<K>(top);
  let low: K = high - <K>SPREAD;
  if (countFrom<K>(from, end, low) < k) return <K>-Infinity;
  for (let i = 0; i < HALVINGS; i++) {
    const middle: K = low + (high - low) / 2;
    const n = countFrom<K>(from, end, middle);
    if (n < k) high = middle;
    else low = middle;
    if (n >= k && n <= k + (k >> 3)) break;
  }
  return low;
}

// @ts-ignore: decorator
@inline
function largestLane<K>(v: v128): K {
  let largest = v128.extract_lane<K>(v, 0);
  if (sizeof<K>() == 4) {
    largest = max<K>(largest, v128.extract_lane<K>(v, 1));
    largest = max<K>(largest, v128.extract_lane<K>(v, 2));
    return max<K>(largest, v128.extract_lane<K>(v, 3));
  }
  return max<K>(largest, v128.extract_lane<K>(v, 1));
}

/** Counts the maxima from `least` on. */
function countFrom<K>(from: usize, end: usize, least: K): i32 {
  const bar = v128.splat<K>(least);
  let counts = i32x4.splat(0);
  // Subtracts -1 for each, twice in float64.
  for (let at = from; at < end; at += 16) counts = v128.sub<i32>(counts, v128.ge<K>(v128.load(at), bar));
  const sum = v128.extract_lane<i32>(counts, 0) + v128.extract_lane<i32>(counts, 1)
    + v128.extract_lane<i32>(counts, 2) + v128.extract_lane<i32>(counts, 3);
  return sizeof<K>() == 4 ? sum : sum >> 1;
}

/** Enters the `n` classes of a block that exceed the limit, and returns their number. */
function enterBlock<K>(picks: Picks, block: usize, n: usize): i64 {
  let entries: i64 = 0;
  let i: usize = 0;
  for (; i < n && !picks.bounded; i++, entries++) enter<K>(picks, load<K>(block + i * sizeof<K>()), picks.at + u32(i));
  const run = RUN * lanes<K>();
  const aligned = min((i + run - 1) & ~(run - 1), n);
  entries += enterEach<K>(picks, block, i, aligned);
  const last = n & ~(run - 1);
  for (i = aligned; i < last; i += run) {
    const from = block + i * sizeof<K>();
    const limit = v128.splat<K>(<K>picks.limit);
    let max = v128.load(from);
    for (let at = from + 16, end = from + (RUN << 4); at < end; at += 16) max = v128.pmax<K>(max, v128.load(at));
    if (v128.any_true(v128.gt<K>(max, limit))) entries += enterRun<K>(picks, block, i, i + run);
  }
  if (i < n) entries += enterEach<K>(picks, block, i, n);
  return entries;
}

/** Enters elements of whole vectors. */
function enterRun<K>(picks: Picks, block: usize, i: usize, end: usize): i64 {
  let entries: i64 = 0;
  for (; i < end; i += lanes<K>()) {
    const hits = v128.gt<K>(v128.load(block + i * sizeof<K>()), v128.splat<K>(<K>picks.limit));
    if (v128.any_true(hits)) entries += enterEach<K>(picks, block, i, i + lanes<K>());
  }
  return entries;
}

/** Returns the next `n` logits of the current position in K, in place if possible. */
function loadLine<K>(picks: Picks, n: usize): usize {
  const from = <usize>picks.x + (elementAt(picks, picks.at, picks.classes) << log2SizeOf(picks.dtype));
  if (picks.inner == 1) {
    if (picks.dtype == codeOf<K>()) return from;
    convert(from, picks.dtype, SCANNED, codeOf<K>(), n);
    return SCANNED;
  }
  const step = <usize>picks.inner << log2SizeOf(picks.dtype);
  for (let i: usize = 0, at = from; i < n; i++, at += step) {
    store<K>(SCANNED + i * sizeof<K>(), picks.dtype == codeOf<K>() ? load<K>(at) : <K>loadNumber(at, picks.dtype));
  }
  return SCANNED;
}

/** Enters the elements from `i` to `end` of a block that exceed the limit, and returns their number. */
function enterEach<K>(picks: Picks, block: usize, i: usize, end: usize): i64 {
  let entries: i64 = 0;
  for (; i < end; i++) {
    const x = load<K>(block + i * sizeof<K>());
    if (!(x > <K>picks.limit)) continue;
    enter<K>(picks, x, picks.at + u32(i));
    entries++;
  }
  return entries;
}

/** Enters a class, unless it is behind as many ordered ones as there are picks. */
function enter<K>(picks: Picks, x: K, index: u32): void {
  const key = keyOf(picks, f64(logProbability<K>(x, sumsAt<K>(picks), picks.pitch, picks.dtype)));
  if (!isOrdered(picks)) addEntry(picks, key, index);
  else if (!insertEntry(picks, key, index)) picks.limit = f64(x);
  else limitToLast(picks);
}
