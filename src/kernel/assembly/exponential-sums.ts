// Sums of exponentials over a block of a row, beside the maximum. column-sums.ts has those of columns.
import { addExp, expConstant, expOf, unscale } from "./exp";
import { WIDEST } from "./halves";
import { PAIRED } from "./paired";
import { MAX, TAIL, TAIL_REST, arrayOf } from "./state";
import { Fold } from "./struct";
import { addWithRest, lostBy, takeRest } from "./sum";
import { Rows, lanes } from "./types";
import { lower, stepsOf, upper, largestLane } from "./vectors";

/**
 * Steps whose exponentials are added in K, in rows even and odd ones apart, before they are added to the float64 sum. With
 * eight, a gradient of 128 classes had 1.01 times the error of PyTorch, which adds eight in a lane of AVX-512. Rows of more
 * than SHORT_STEPS vectors use sixteen, which is 2 % faster. More would exceed the 64 bits of {@link findLargest}.
 */
const SHORT_RUN: usize = 4;
export const LONG_RUN: usize = 16;
const SHORT_STEPS: usize = 32;
/** Sums of the runs of a block, a vector for each, or two for pairs of columns. */
export const RUNS = memory.data(8192, 16);
/** Running maximum of a row's block after each run. */
const MAXIMA = memory.data(8192, 16);

// @ts-ignore: decorator
@inline
function runOfSteps(steps: usize): usize {
  return steps > SHORT_STEPS ? LONG_RUN : SHORT_RUN;
}

// Block of a row whose maximum is known, and its maximum. Finding it while the exponentials of the previous block are
// computed overlaps memory access with arithmetic, which is a quarter faster for rows from main memory.
let knownAt: usize = 0;
/** Whether MAXIMA holds the runs of that block, too. */
let runsKnown: bool = false;
const KNOWN = memory.data(16);

/** Forgets the known maximum because the memory may have changed. */
export function forgetKnown(): void {
  knownAt = 0;
}

/**
 * Adopts the maximum from widening `n` 16-bit floats to the row's block at `x`, which leaves out the last elements that
 * fill no block of eight.
 */
export function knowMaximum(x: usize, n: usize): void {
  let max = v128.load(WIDEST);
  for (let i = n & ~7; i < n; i += 4) max = v128.pmax<f32>(max, v128.load(x + (i << 2)));
  knownAt = x;
  runsKnown = false;
  v128.store(KNOWN, max);
}

/** Returns the maximum of each lane of a row's block, which {@link addRow} needs next. */
export function blockMaximum<K>(x: usize, n: usize): v128 {
  const steps = stepsOf<K, Rows>(n);
  if (x != knownAt) findMaximum<K>(x, x + (steps << 4), runOfSteps(steps) << 4);
  knownAt = x;
  return v128.load(KNOWN);
}

/** Sum above which the bits that a run loses beside a 1 no longer matter. */
const SAFE_SUM: f64 = 8;

/**
 * Adds a block of a row to the running maximum m and to the sum T of exp(x - m), which excludes the 1 of one largest
 * element. In float32, a small sum would be lost beside that 1, and so it would in log(1 + T) of float64. A larger
 * maximum rescales 1 + T. pmax ignores NaN, but the sum propagates it. `next` is the following block of the same
 * length, 0 for none. Float64 keeps the rounding errors of T, because those of 4 * 10^6 classes were up to 138 ulp.
 */
export function addRow<K>(fold: Fold, x: usize, next: usize, n: usize): void {
  const maximum = arrayOf<Rows>(fold, MAX), sumAt = arrayOf<Rows>(fold, TAIL);
  const steps = stepsOf<K, Rows>(n);
  const last = x + (steps << 4);
  const run = runOfSteps(steps) << 4;
  const before = v128.load_splat<K>(maximum);
  if (x != knownAt) findMaximum<K>(x, last, run);
  const max = largestLane<K>(v128.pmax<K>(before, v128.load(KNOWN)));
  v128.store(maximum, max);
  const largest = v128.extract_lane<K>(max, 0);
  const tail = load<f64>(sumAt);
  const from = f64(v128.extract_lane<K>(before, 0));
  const to = f64(largest);
  let kept: f64 = tail;
  let factor: f64 = 1;
  let sum: f64 = 0;
  if (to > from) {
    factor = tail == -1 ? 0 : expOf(from - to);
    kept = (1 + tail) * factor;
    if (runsKnown) sum = addOthers<K>(x, next, last, run, largest);
    else {
      sum = addRuns<K>(x, next, last, run, largest) - 1;
      if (kept + sum < SAFE_SUM) {
        findMaximum<K>(x, last, run);
        sum = addOthers<K>(x, next, last, run, largest);
      }
    }
  } else sum = addRuns<K>(x, next, last, run, largest);
  const total = kept + sum;
  store<f64>(sumAt, total);
  if (sizeof<K>() == 8) {
    const rest = arrayOf<Rows>(fold, TAIL_REST);
    store<f64>(rest, load<f64>(rest) * factor + lostBy(kept, sum, total));
  }
  knownAt = next;
  runsKnown = true;
}

/** Does {@link addRuns} without the first element that equals the maximum. */
function addOthers<K>(x: usize, next: usize, last: usize, run: usize, largest: K): f64 {
  const at = findLargest<K>(x, last, run, v128.splat<K>(largest));
  const element = load<K>(at);
  store<K>(at, <K>-Infinity);
  const sum = addRuns<K>(x, next, last, run, largest);
  store<K>(at, element);
  return sum;
}

/** Sums of the even and the odd vectors of a run, and their maxima. */
const EVEN_ODD = memory.data(64, 16);

/** Sums the exponentials of a block of a row. Also finds the maximum of the block at `next`. */
function addRuns<K>(x: usize, next: usize, last: usize, run: usize, largest: K): f64 {
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const max = v128.splat<K>(largest);
  const ahead: usize = next == 0 ? <usize>0 : next - x;
  // 0, or NaN for a maximum of Infinity.
  const none = v128.sub<K>(max, max);
  let coming = v128.splat<K>(-Infinity);
  let to: usize = RUNS;
  for (let at = x; at < last; to += 16) {
    const end = min(last, at + run);
    let even = none;
    let odd = none;
    if (PAIRED) {
      let maxEven = coming;
      let maxOdd = coming;
      for (; at + 16 < end; at += 32) {
        maxEven = v128.pmax<K>(maxEven, v128.load(at + ahead));
        maxOdd = v128.pmax<K>(maxOdd, v128.load(at + ahead, 16));
        even = addExp<K>(even, v128.sub<K>(v128.load(at), max), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
        odd = addExp<K>(odd, v128.sub<K>(v128.load(at, 16), max), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
      }
      v128.store(EVEN_ODD, even);
      v128.store(EVEN_ODD, odd, 16);
      v128.store(EVEN_ODD, maxEven, 32);
      v128.store(EVEN_ODD, maxOdd, 48);
      even = v128.load(EVEN_ODD);
      odd = v128.load(EVEN_ODD, 16);
      coming = v128.pmax<K>(v128.load(EVEN_ODD, 32), v128.load(EVEN_ODD, 48));
    } else {
      const start = at;
      for (; at + 16 < end; at += 32) {
        coming = v128.pmax<K>(coming, v128.load(at + ahead));
        even = addExp<K>(even, v128.sub<K>(v128.load(at), max), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
      }
      for (let other = start; other + 16 < end; other += 32) {
        coming = v128.pmax<K>(coming, v128.load(other + ahead, 16));
        odd = addExp<K>(odd, v128.sub<K>(v128.load(other, 16), max), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
      }
    }
    let sum = v128.add<K>(even, odd);
    if (at < end) {
      coming = v128.pmax<K>(coming, v128.load(at + ahead));
      sum = addExp<K>(sum, v128.sub<K>(v128.load(at), max), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
      at += 16;
    }
    v128.store(to, sum);
    v128.store(to + (MAXIMA - RUNS), coming);
  }
  v128.store(KNOWN, coming);
  return sumOfRuns<K>(to);
}

/** Adds the sums of the runs, which end at `to`, in float64, and with their rounding errors if they are float64. */
function sumOfRuns<K>(to: usize): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let at: usize = RUNS; at < to; at += 16) {
    const run = v128.load(at);
    if (sizeof<K>() == 8) low = addWithRest(low, run);
    else {
      low = v128.add<f64>(low, lower<K>(run));
      high = v128.add<f64>(high, upper<K>(run));
    }
  }
  const sums = v128.add<f64>(low, sizeof<K>() == 8 ? takeRest<K>() : high);
  return (v128.extract_lane<f64>(sums, 0) + v128.extract_lane<f64>(sums, 1)) * unscale<K>();
}

/** Finds the maximum of each lane of a block, stored in KNOWN, and the running maximum after each run. */
function findMaximum<K>(x: usize, last: usize, run: usize): void {
  let max = v128.splat<K>(-Infinity);
  let to: usize = MAXIMA;
  for (let at = x; at < last; to += 16) {
    for (const end = min(last, at + run); at < end; at += 16) max = v128.pmax<K>(max, v128.load(at));
    v128.store(to, max);
  }
  v128.store(KNOWN, max);
  runsKnown = true;
}

/**
 * Returns the address of the first element that equals the maximum, in the first run that contains it. Uses no
 * data-dependent branch because a misprediction costs as much as ten steps.
 */
function findLargest<K>(x: usize, last: usize, run: usize, max: v128): usize {
  let from = x;
  let known: usize = MAXIMA;
  for (let at = x; at + run < last; at += run, known += 16) {
    from += v128.any_true(v128.ge<K>(v128.load(known), max)) ? 0 : run;
  }
  // Has a bit for each element of the run.
  let bits: u64 = 0;
  let shift: u64 = 0;
  for (let at = from, end = min(last, from + run); at < end; at += 16, shift += lanes<K>()) {
    const hits = v128.eq<K>(v128.load(at), max);
    bits |= u64(sizeof<K>() == 4 ? i32x4.bitmask(hits) : i64x2.bitmask(hits)) << shift;
  }
  return from + usize(ctz(bits)) * sizeof<K>();
}
