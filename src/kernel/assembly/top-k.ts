// The k largest log-probabilities of each line, in descending order. Equal ones, as rounded to the output's dtype, are in
// the order of their classes.
//
// A heap holds the k best so far, the worst on top. log_softmax is monotonic, so a logit up to the worst one's gives no
// larger log-probability, and a later class loses a tie. Comparing logits with that limit therefore suffices for nearly
// all classes.
import { convert } from "./convert";
import { loadNumber, storeNumber, widthOf } from "./formats";
import { ROW_BLOCK, codeOf, lanes } from "./lines";
import { LINE_LOG, logProbability, maximumAt } from "./line-sums";
import { Picks, elementAt, logitAt, sumsAt } from "./picks";

/** Phases of a position. */
const SCAN: u32 = 0;
const WRITE: u32 = 1;

/** Copy of a block that is not in place in K. */
const SCANNED = memory.data(16384, 16); // ROW_BLOCK * 8
/** Vectors that are compared with the limit at once. */
const RUN: usize = 16;

/** Costs of a change of a heap, of one beyond the second-level cache, and of a position, in elements. */
const HEAP_COST: i64 = 16;
const FAR_HEAP_COST: i64 = 128;
const CACHED_PICKS: u32 = 65536;
const LINE_COST: i64 = 16;

function heapCost(picks: Picks): i64 {
  return picks.picks > CACHED_PICKS ? FAR_HEAP_COST : HEAP_COST;
}

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
    if (log != log) left = writeNaN<K>(picks, left);
    else if (picks.phase == SCAN) left = scan<K>(picks, left);
    else left = unload<K>(picks, left);
  }
  return 1;
}

function nextPosition(picks: Picks): void {
  picks.position++;
  picks.at = 0;
  picks.held = 0;
  picks.phase = SCAN;
  picks.bounded = 0;
}

/** Writes the picks of a line of NaN, its first classes. */
function writeNaN<K>(picks: Picks, left: i64): i64 {
  for (; picks.at < picks.picks; picks.at++) {
    if (left-- <= 0) return left;
    writePick(picks, picks.at, NaN, picks.at);
  }
  nextPosition(picks);
  return left - LINE_COST;
}

// @ts-ignore: decorator
@inline
function writePick(picks: Picks, rank: usize, value: f64, index: u32): void {
  const pick = elementAt(picks, rank, picks.picks);
  storeNumber(<usize>picks.values + (pick << widthOf(picks.dtype)), picks.dtype, value);
  store<i64>(<usize>picks.index + (pick << 3), i64(index));
}

/** Offers the next block of classes to the heap. */
function scan<K>(picks: Picks, left: i64): i64 {
  const n = min<usize>(ROW_BLOCK, picks.classes - picks.at);
  const isFirst = picks.at == 0;
  if (isFirst && hasMaxima<K>(picks)) {
    const from = <usize>picks.maxima + maximumAt(picks.position - picks.first, picks.classes, 0);
    bound<K>(picks, from, from + maximumAt(1, picks.classes, 0));
  }
  let changes: i64 = 0;
  if (!isBelow<K>(picks)) {
    const block = loadLine<K>(picks, n);
    if (isFirst && !picks.bounded) bound<K>(picks, GROUPS, groupMaxima<K>(block, n));
    changes = scanBlock<K>(picks, block, n);
  }
  picks.at += u32(n);
  if (picks.at == picks.classes) picks.phase = WRITE;
  return left - i64(n) - changes * heapCost(picks) - LINE_COST;
}

/** Returns whether the maxima of the block do not exceed the limit. */
function isBelow<K>(picks: Picks): bool {
  if (picks.maxima == 0 || (picks.held < picks.picks && !picks.bounded)) return false;
  const at = maximumAt(picks.position - picks.first, picks.classes, picks.at / ROW_BLOCK);
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

/** Offers the `n` classes of a block to the heap, and returns the number of changes. */
function scanBlock<K>(picks: Picks, block: usize, n: usize): i64 {
  let changes: i64 = 0;
  let i: usize = 0;
  if (!picks.bounded) {
    for (; i < n && picks.held < picks.picks; i++, changes++) push<K>(picks, load<K>(block + i * sizeof<K>()), picks.at + u32(i));
  }
  const run = RUN * lanes<K>();
  const aligned = min((i + run - 1) & ~(run - 1), n);
  changes += offerEach<K>(picks, block, i, aligned);
  const last = n & ~(run - 1);
  for (i = aligned; i < last; i += run) {
    const from = block + i * sizeof<K>();
    const limit = v128.splat<K>(<K>picks.limit);
    let max = v128.load(from);
    for (let at = from + 16, end = from + (RUN << 4); at < end; at += 16) max = v128.pmax<K>(max, v128.load(at));
    if (v128.any_true(v128.gt<K>(max, limit))) changes += offerRun<K>(picks, block, i, i + run);
  }
  if (i < n) changes += offerEach<K>(picks, block, i, n);
  return changes;
}

/** Offers whole vectors of elements. */
function offerRun<K>(picks: Picks, block: usize, i: usize, end: usize): i64 {
  let changes: i64 = 0;
  for (; i < end; i += lanes<K>()) {
    const hits = v128.gt<K>(v128.load(block + i * sizeof<K>()), v128.splat<K>(<K>picks.limit));
    if (v128.any_true(hits)) changes += offerEach<K>(picks, block, i, i + lanes<K>());
  }
  return changes;
}

/** Returns the next `n` logits of the current position in K, in place if possible. */
function loadLine<K>(picks: Picks, n: usize): usize {
  const from = <usize>picks.x + (elementAt(picks, picks.at, picks.classes) << widthOf(picks.dtype));
  if (picks.inner == 1) {
    if (picks.dtype == codeOf<K>()) return from;
    convert(from, picks.dtype, SCANNED, codeOf<K>(), n);
    return SCANNED;
  }
  const step = <usize>picks.inner << widthOf(picks.dtype);
  for (let i: usize = 0, at = from; i < n; i++, at += step) {
    store<K>(SCANNED + i * sizeof<K>(), picks.dtype == codeOf<K>() ? load<K>(at) : <K>loadNumber(at, picks.dtype));
  }
  return SCANNED;
}

/** Offers elements from `i` to `end` of a block to a heap that is full or bounded, and returns the number of changes. */
function offerEach<K>(picks: Picks, block: usize, i: usize, end: usize): i64 {
  let changes: i64 = 0;
  for (; i < end; i++) {
    const x = load<K>(block + i * sizeof<K>());
    if (!(x > <K>picks.limit)) continue;
    if (picks.held < picks.picks) push<K>(picks, x, picks.at + u32(i));
    else {
      const value = logProbability<K>(x, sumsAt<K>(picks), picks.pitch, picks.dtype);
      if (!(value > load<K>(picks.heap))) {
        picks.limit = f64(x);
        continue;
      }
      replace<K>(picks, value, picks.at + u32(i));
      picks.limit = f64(logitAt<K>(picks, load<u32>(indices<K>(picks))));
    }
    changes++;
  }
  return changes;
}

/** Returns the address of the heap's class indices. */
// @ts-ignore: decorator
@inline
function indices<K>(picks: Picks): usize {
  return <usize>picks.heap + <usize>picks.picks * sizeof<K>();
}

/** Returns whether one pick ranks behind another. */
// @ts-ignore: decorator
@inline
function isWorse<K>(value: K, index: u32, other: K, otherIndex: u32): bool {
  return value < other || (value == other && index > otherIndex);
}

// @ts-ignore: decorator
@inline
function put<K>(picks: Picks, at: usize, value: K, index: u32): void {
  store<K>(<usize>picks.heap + at * sizeof<K>(), value);
  store<u32>(indices<K>(picks) + (at << 2), index);
}

/**
 * Picks that are kept in order, the worst first, which is a heap, too. Moving a few is faster than the unpredictable
 * branches of a heap.
 */
const ORDERED: u32 = 32;

/** Adds a pick to a heap that is not full. */
function push<K>(picks: Picks, x: K, index: u32): void {
  const value = logProbability<K>(x, sumsAt<K>(picks), picks.pitch, picks.dtype);
  const keys = <usize>picks.heap;
  const ids = indices<K>(picks);
  const ordered = picks.picks <= ORDERED;
  let at = <usize>picks.held;
  picks.held++;
  while (at > 0) {
    const parent = ordered ? at - 1 : (at - 1) >> 1;
    const key = load<K>(keys + parent * sizeof<K>());
    const id = load<u32>(ids + (parent << 2));
    if (!isWorse<K>(value, index, key, id)) break;
    put<K>(picks, at, key, id);
    at = parent;
  }
  put<K>(picks, at, value, index);
  if (picks.held == picks.picks) picks.limit = f64(logitAt<K>(picks, load<u32>(ids)));
}

/** Replaces the worst pick. */
function replace<K>(picks: Picks, value: K, index: u32): void {
  const keys = <usize>picks.heap;
  const ids = indices<K>(picks);
  const n = <usize>picks.held;
  if (picks.picks > ORDERED) return sink<K>(picks, value, index);
  let at: usize = 0;
  for (; at + 1 < n; at++) {
    const key = load<K>(keys + (at + 1) * sizeof<K>());
    const id = load<u32>(ids + ((at + 1) << 2));
    if (!isWorse<K>(key, id, value, index)) break;
    put<K>(picks, at, key, id);
  }
  put<K>(picks, at, value, index);
}

/** Puts a pick in the place of the worst or below. */
function sink<K>(picks: Picks, value: K, index: u32): void {
  const keys = <usize>picks.heap;
  const ids = indices<K>(picks);
  const n = <usize>picks.held;
  let at: usize = 0;
  for (;;) {
    let child: usize = 2 * at + 1;
    if (child >= n) break;
    let key = load<K>(keys + child * sizeof<K>());
    let id = load<u32>(ids + (child << 2));
    if (child + 1 < n) {
      const nextKey = load<K>(keys + (child + 1) * sizeof<K>());
      const nextId = load<u32>(ids + ((child + 1) << 2));
      if (isWorse<K>(nextKey, nextId, key, id)) {
        child++;
        key = nextKey;
        id = nextId;
      }
    }
    if (!isWorse<K>(key, id, value, index)) break;
    put<K>(picks, at, key, id);
    at = child;
  }
  put<K>(picks, at, value, index);
}

/** Writes the picks from the worst to the best. */
function unload<K>(picks: Picks, left: i64): i64 {
  const keys = <usize>picks.heap;
  const ids = indices<K>(picks);
  if (picks.picks <= ORDERED) {
    for (let at: usize = 0, n = <usize>picks.held; at < n; at++) {
      writePick(picks, n - 1 - at, f64(load<K>(keys + at * sizeof<K>())), load<u32>(ids + (at << 2)));
    }
    nextPosition(picks);
    return left - HEAP_COST - LINE_COST;
  }
  while (picks.held > 0) {
    if (left <= 0) return left;
    const rank = <usize>picks.held - 1;
    picks.held = u32(rank);
    writePick(picks, rank, f64(load<K>(keys)), load<u32>(ids));
    if (rank > 0) sink<K>(picks, load<K>(keys + rank * sizeof<K>()), load<u32>(ids + (rank << 2)));
    left -= heapCost(picks);
  }
  nextPosition(picks);
  return left - LINE_COST;
}
