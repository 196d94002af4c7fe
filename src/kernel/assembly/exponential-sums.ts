// Sums of exponentials over a block, beside the maximum, for rows and columns.
import { addExp, exp, expConstant, expOf, scaledOne, unscale } from "./exp";
import { WIDEST } from "./halves";
import { MAX, TAIL, TAIL_REST, arrayOf, lowestOf } from "./state";
import { Fold } from "./struct";
import { addWithRest, lostBy, startRest, takeRest } from "./sum";
import { Columns, Rows, lanes } from "./types";
import { groupsOf, lower, stepsOf, strideOf, upper, largestLane } from "./vectors";

/**
 * Steps whose exponentials are added in K before they are added to the float64 sum. PyTorch adds as many in a lane of
 * AVX-512 for 128 classes. Rows of more than SHORT_STEPS vectors use sixteen, which is 2 % faster. More would exceed
 * the 64 bits of {@link findLargest}.
 */
const SHORT_RUN: usize = 8;
const LONG_RUN: usize = 16;
const SHORT_STEPS: usize = 32;
/** Run length for short rows transposed to columns, which PyTorch adds in a tree. PyTorch adds other columns one by one. */
const TURNED_RUN: usize = 2;
/** Sums of the runs of a block, a vector for each. */
const RUNS = memory.data(8192, 16);
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
  const tail = load<f64>(sumAt);
  const from = f64(v128.extract_lane<K>(before, 0));
  const to = f64(v128.extract_lane<K>(max, 0));
  let kept: f64 = tail;
  let factor: f64 = 1;
  let sum: f64 = 0;
  if (to > from) {
    factor = tail == -1 ? 0 : expOf(from - to);
    kept = (1 + tail) * factor;
    if (runsKnown) sum = addOthers<K>(x, next, last, run, max);
    else {
      sum = addRuns<K>(x, next, last, run, max) - 1;
      if (kept + sum < SAFE_SUM) {
        findMaximum<K>(x, last, run);
        sum = addOthers<K>(x, next, last, run, max);
      }
    }
  } else sum = addRuns<K>(x, next, last, run, max);
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
function addOthers<K>(x: usize, next: usize, last: usize, run: usize, max: v128): f64 {
  const largest = findLargest<K>(x, last, run, max);
  const element = load<K>(largest);
  store<K>(largest, <K>-Infinity);
  const sum = addRuns<K>(x, next, last, run, max);
  store<K>(largest, element);
  return sum;
}

/** Sums the exponentials of a block of a row. Also finds the maximum of the block at `next`. */
function addRuns<K>(x: usize, next: usize, last: usize, run: usize, max: v128): f64 {
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const ahead: usize = next == 0 ? <usize>0 : next - x;
  // 0, or NaN for a maximum of Infinity.
  const none = v128.sub<K>(max, max);
  let coming = v128.splat<K>(-Infinity);
  let to: usize = RUNS;
  for (let at = x; at < last; to += 16) {
    const end = min(last, at + run);
    let sum = none;
    for (; at < end; at += 16) {
      coming = v128.pmax<K>(coming, v128.load(at + ahead));
      sum = addExp<K>(sum, v128.sub<K>(v128.load(at), max), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
    }
    v128.store(to, sum);
    v128.store(to + (MAXIMA - RUNS), coming);
  }
  v128.store(KNOWN, coming);
  if (sizeof<K>() == 8) return sumOfRuns(to);
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let at: usize = RUNS; at < to; at += 16) {
    low = v128.add<f64>(low, lower<K>(v128.load(at)));
    high = v128.add<f64>(high, upper<K>(v128.load(at)));
  }
  const sums = v128.add<f64>(low, high);
  return (v128.extract_lane<f64>(sums, 0) + v128.extract_lane<f64>(sums, 1)) * unscale<K>();
}

/** Adds the sums of the runs of float64, which end at `to`, with their rounding errors. */
function sumOfRuns(to: usize): f64 {
  let sum = f64x2.splat(0);
  for (let at: usize = RUNS; at < to; at += 16) sum = addWithRest(sum, v128.load(at));
  const sums = v128.add<f64>(sum, takeRest<f64>());
  return (v128.extract_lane<f64>(sums, 0) + v128.extract_lane<f64>(sums, 1)) * unscale<f64>();
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

/**
 * Does {@link addRow} for a block of columns, for each vector of positions. Excludes the maximum by adding the lesser
 * of each element and the maximum before it, starting with the maximum before the block. `found` marks a first block
 * after {@link loadMaxima}.
 */
export function addColumns<K>(fold: Fold, x: usize, smaller: usize, n: usize, found: bool): void {
  const maxima = arrayOf<Columns>(fold, MAX), sums = arrayOf<Columns>(fold, TAIL), rests = arrayOf<Columns>(fold, TAIL_REST);
  // Marks short rows as columns.
  const turned = fold.inner == 1;
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const groups = groupsOf<K, Columns>(fold);
  const stride = strideOf<K, Columns>(fold);
  const step = found ? stride : 16;
  const run = (turned ? TURNED_RUN : LONG_RUN) * step;
  for (let g: usize = 0; g < groups; g++) {
    const before = v128.load(maxima + (g << 4));
    let max = before;
    let first = smaller + (g << 4);
    if (!found) {
      first = smaller;
      let at = x + (g << 4);
      for (let to = first, end = first + (n << 4); to < end; to += 16, at += stride) {
        const v = v128.load(at);
        v128.store(to, v128.pmin<K>(v, max));
        max = v128.pmax<K>(max, v);
      }
      v128.store(maxima + (g << 4), max);
    }
    const last = first + n * step;
    const none = v128.sub<K>(max, max);
    let to: usize = RUNS;
    for (let at = first; at < last; to += 16) {
      const end = min(last, at + run);
      let sum = none;
      for (; at < end; at += step) {
        sum = addExp<K>(sum, v128.sub<K>(v128.load(at), max), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
      }
      v128.store(to, sum);
    }
    // For a first block, 1 without finite elements, otherwise 0.
    const factor = found
      ? v128.and(v128.eq<K>(max, lowestOf<K>()), v128.splat<K>(scaledOne<K>()))
      : exp<K>(v128.sub<K>(before, max), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
    const tails = sums + g * (lanes<K>() << 3);
    if (sizeof<K>() == 4 || turned) addToTails<K>(tails, to, factor);
    else addExactly(tails, rests + (g << 4), to, factor);
  }
}

/** Adds the sums of the runs, which end at `to`, to T scaled by `factor`. */
// @ts-ignore: decorator
@inline
function addToTails<K>(tails: usize, to: usize, factor: v128): void {
  const scale = f64x2.splat(unscale<K>());
  let low = v128.mul<f64>(v128.load(tails), lower<K>(factor));
  let high = f64x2.splat(0);
  if (sizeof<K>() == 4) high = v128.mul<f64>(v128.load(tails, 16), upper<K>(factor));
  for (let at: usize = RUNS; at < to; at += 16) {
    low = v128.add<f64>(low, lower<K>(v128.load(at)));
    if (sizeof<K>() == 4) high = v128.add<f64>(high, upper<K>(v128.load(at)));
  }
  v128.store(tails, v128.mul<f64>(low, scale));
  if (sizeof<K>() == 4) v128.store(tails, v128.mul<f64>(high, scale), 16);
}

/**
 * Does {@link addToTails} for long columns of float64, and adds the rounding error of each addition to `rests`, because
 * those of 10^6 classes were up to 111 ulp. `rests` are scaled, too. Short rows have too few runs to need it.
 */
function addExactly(tails: usize, rests: usize, to: usize, factor: v128): void {
  const scale = f64x2.splat(unscale<f64>());
  let sum = v128.mul<f64>(v128.load(tails), factor);
  startRest(v128.mul<f64>(v128.load(rests), factor));
  for (let at: usize = RUNS; at < to; at += 16) sum = addWithRest(sum, v128.load(at));
  v128.store(tails, v128.mul<f64>(sum, scale));
  v128.store(rests, v128.mul<f64>(takeRest<f64>(), scale));
}
