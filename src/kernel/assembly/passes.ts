// Arithmetic on one block for rows and columns. K is the compute type, L the layout.
//
// A block is `groups` vectors of positions wide (1 for rows) and `steps` vectors of classes deep. `state` is the
// group's state, `bytes` the length of each of its arrays.
import { addExp, exp, expConstant, expOf, nmadd, scaledOne, unscale } from "./exp";
import { WIDEST } from "./formats";
import { Columns, Rows, isRows, lanes } from "./lines";
import { FLOW, FLOW_K, LOG, LOG_REST, LOSS, MAX, PEAK, TAIL, GRAD_OUTPUT, lowestOf } from "./state";

/** Returns the vectors of positions in a block. */
// @ts-ignore: decorator
@inline
export function groupsOf<K, L>(width: usize): usize {
  return isRows<L>() ? 1 : width / lanes<K>();
}

/** Returns the consecutive vectors that hold `n` classes. */
// @ts-ignore: decorator
@inline
export function stepsOf<K, L>(n: usize): usize {
  return isRows<L>() ? (n + (lanes<K>() - 1)) / lanes<K>() : n;
}

/** Returns the bytes from one step to the next. */
// @ts-ignore: decorator
@inline
export function strideOf<K, L>(width: usize): usize {
  return isRows<L>() ? 16 : width * sizeof<K>();
}

/** Loads per-position numbers of K for vector `g`: one for all lanes of a row, one per lane of columns. */
// @ts-ignore: decorator
@inline
export function each<K, L>(array: usize, g: usize): v128 {
  return isRows<L>() ? v128.load_splat<K>(array) : v128.load(array + (g << 4));
}

/** Loads per-class numbers of K for step `k`: one per lane of a row, one for all lanes of columns. */
// @ts-ignore: decorator
@inline
function classes<K, L>(array: usize, k: usize): v128 {
  return isRows<L>() ? v128.load(array + (k << 4)) : v128.load_splat<K>(array + k * sizeof<K>());
}

/** Loads the weights of step `k`, or 1. */
// @ts-ignore: decorator
@inline
function weights<K, L>(weight: usize, k: usize, one: v128): v128 {
  return weight == 0 ? one : classes<K, L>(weight, k);
}

/** Flows multiplied by {@link unscale} in advance to compensate the factor 2^SHIFT of the exponentials, which saves a step. */
export type Scaled = u8;
/** Flows too small for that. The exponentials are scaled instead and round to subnormal numbers as in PyTorch. */
export type Tiny = u16;

/** Multiplies `n` flows by {@link unscale}, or returns that they are {@link Tiny}. */
export function scaleFlows<K>(flows: usize, n: usize): bool {
  // 2^(-126 + SHIFT), 2^(-1022 + SHIFT)
  const least = sizeof<K>() == 4 ? <K>5.048709793414476e-29 : <K>4.1045368012983762e-289;
  for (let j: usize = 0; j < n; j++) {
    const flow = abs<K>(load<K>(flows + j * sizeof<K>()));
    if (flow < least && flow > 0) return false;
  }
  for (let j: usize = 0; j < n; j++) {
    const at = flows + j * sizeof<K>();
    store<K>(at, load<K>(at) * <K>unscale<K>());
  }
  return true;
}

/** Returns the exponential scaled for the flows of type S. */
// @ts-ignore: decorator
@inline
function scaledFor<K, S>(e: v128): v128 {
  return sizeof<S>() == 1 ? e : v128.mul<K>(e, v128.splat<K>(<K>unscale<K>()));
}

const TAILS = memory.data<i32>([-1, -1, -1, -1, 0, 0, 0, 0], 16);

/**
 * Returns a mask of the lanes of step `k` that hold one of the `n` classes, because the filler of a row's last vector
 * must not be added.
 */
// @ts-ignore: decorator
@inline
function present<K, L>(k: usize, n: usize): v128 {
  if (!isRows<L>()) return v128.load(TAILS);
  const left = n - k * lanes<K>();
  return v128.load(TAILS + (lanes<K>() - min(left, lanes<K>())) * sizeof<K>());
}

/** Converts the first two lanes of K to float64. */
// @ts-ignore: decorator
@inline
export function lower<K>(v: v128): v128 {
  return sizeof<K>() == 4 ? f64x2.promote_low_f32x4(v) : v;
}

/** Converts the other two lanes of float32 to float64. Returns 0 for K = float64. */
// @ts-ignore: decorator
@inline
export function upper<K>(v: v128): v128 {
  return sizeof<K>() == 4 ? f64x2.promote_low_f32x4(i32x4.shuffle(v, v, 2, 3, 0, 1)) : f64x2.splat(0);
}

/** Adds two vectors of float64 sums to the sums of vector `g`. */
// @ts-ignore: decorator
@inline
export function addTo<K, L>(array: usize, g: usize, low: v128, high: v128): void {
  if (isRows<L>()) {
    const both = v128.add<f64>(low, high);
    const sum = v128.extract_lane<f64>(both, 0) + v128.extract_lane<f64>(both, 1);
    store<f64>(array, load<f64>(array) + sum);
  } else {
    const at = array + g * (lanes<K>() << 3);
    v128.store(at, v128.add<f64>(v128.load(at), low));
    if (sizeof<K>() == 4) v128.store(at, v128.add<f64>(v128.load(at, 16), high), 16);
  }
}

/** Broadcasts the largest lane. No lane is NaN. */
// @ts-ignore: decorator
@inline
function widest<K>(v: v128): v128 {
  const halves = v128.pmax<K>(v, i64x2.shuffle(v, v, 1, 0));
  return sizeof<K>() == 4 ? v128.pmax<K>(halves, i32x4.shuffle(halves, halves, 1, 0, 3, 2)) : halves;
}

/**
 * Steps whose exponentials are added in K before they are added to the float64 sum. PyTorch adds as many in a lane of
 * AVX-512 for 128 classes. Larger rows use sixteen, which is 2 % faster.
 */
const SHORT_RUN: usize = 8;
const LONG_RUN: usize = 16;
const SHORT_STEPS: usize = 32;
/** Run length for short rows transposed to columns, which PyTorch adds in a tree. PyTorch adds other columns one by one. */
const TURNED_RUN: usize = 2;
/** Sums of the runs of a block. */
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
export function knowWidest(x: usize, n: usize): void {
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
 * length, 0 for none.
 */
export function addRow<K>(x: usize, next: usize, n: usize, state: usize, bytes: usize): void {
  const steps = stepsOf<K, Rows>(n);
  const last = x + (steps << 4);
  const run = runOfSteps(steps) << 4;
  const before = v128.load_splat<K>(state + MAX * bytes);
  if (x != knownAt) findMaximum<K>(x, last, run);
  const max = widest<K>(v128.pmax<K>(before, v128.load(KNOWN)));
  v128.store(state + MAX * bytes, max);
  const tail = load<f64>(state + TAIL * bytes);
  const from = f64(v128.extract_lane<K>(before, 0));
  const to = f64(v128.extract_lane<K>(max, 0));
  if (to > from) {
    const scaled: f64 = tail == -1 ? 0 : (1 + tail) * expOf(from - to);
    let sum: f64 = 0;
    if (runsKnown) sum = addOthers<K>(x, next, last, run, max);
    else {
      sum = addRuns<K>(x, next, last, run, max) - 1;
      if (scaled + sum < SAFE_SUM) {
        findMaximum<K>(x, last, run);
        sum = addOthers<K>(x, next, last, run, max);
      }
    }
    store<f64>(state + TAIL * bytes, scaled + sum);
  } else store<f64>(state + TAIL * bytes, tail + addRuns<K>(x, next, last, run, max));
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
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let at: usize = RUNS; at < to; at += 16) {
    low = v128.add<f64>(low, lower<K>(v128.load(at)));
    high = v128.add<f64>(high, upper<K>(v128.load(at)));
  }
  const sums = v128.add<f64>(low, high);
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

/**
 * Does {@link addRow} for a block of columns, for each vector of positions. Excludes the maximum by adding the lesser
 * of each element and the maximum before it, starting with the maximum before the block. `found` marks a first block
 * after {@link loadMaxima}, `turned` marks short rows as columns.
 */
export function addColumns<K>(
  x: usize, smaller: usize, n: usize, width: usize, state: usize, bytes: usize, found: bool, turned: bool,
): void {
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const groups = groupsOf<K, Columns>(width);
  const stride = strideOf<K, Columns>(width);
  const step = found ? stride : 16;
  const run = (turned ? TURNED_RUN : LONG_RUN) * step;
  for (let g: usize = 0; g < groups; g++) {
    const before = v128.load(state + MAX * bytes + (g << 4));
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
      v128.store(state + MAX * bytes + (g << 4), max);
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
    addToTails<K>(state + TAIL * bytes + g * (lanes<K>() << 3), to, factor);
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

/** Computes a = (x - m) - log S. */
// @ts-ignore: decorator
@inline
export function minusLog<K>(x: v128, m: v128, log: v128, rest: v128): v128 {
  const a = v128.sub<K>(v128.sub<K>(x, m), log);
  return sizeof<K>() == 4 ? v128.sub<K>(a, rest) : a;
}

// Writing passes process columns class by class, so that each run of memory is written at once. The classes of one
// position would compete for the same few cache sets.

/** Returns the contiguous steps for {@link subtractLogs} and similar passes: all of a row, one of columns. */
// @ts-ignore: decorator
@inline
export function runOf<K, L>(n: usize, width: usize): usize {
  return isRows<L>() ? stepsOf<K, L>(n) << 4 : strideOf<K, L>(width);
}

/** Returns the number of `array` for the positions at `at`, or `fixed` for a row. */
// @ts-ignore: decorator
@inline
export function own<L>(fixed: v128, array: usize, at: usize): v128 {
  return isRows<L>() ? fixed : v128.load(array + at);
}

/** Writes log-probabilities a = (x - m) - log S in K. `to`, whose classes are `pitch` bytes apart, may equal `x`. */
export function subtractLogs<K, L>(
  x: usize, to: usize, pitch: usize, n: usize, width: usize, state: usize, bytes: usize,
): void {
  const maxima = state + MAX * bytes;
  const logs = state + LOG * bytes;
  const rests = state + LOG_REST * bytes;
  const m = each<K, L>(maxima, 0), log = each<K, L>(logs, 0), rest = each<K, L>(rests, 0);
  const run = runOf<K, L>(n, width);
  for (const last = x + stepsOf<K, L>(n) * strideOf<K, L>(width); x < last; x += run, to += pitch) {
    for (let at: usize = 0; at < run; at += 16) {
      const a = minusLog<K>(v128.load(x + at), own<L>(m, maxima, at), own<L>(log, logs, at), own<L>(rest, rests, at));
      v128.store(to + at, a);
    }
  }
}

/**
 * Writes the gradient of a loss that picks its target's class, without that pick: 0 - exp(x - m) * share, share = flow
 * / S in FLOW_K. Needs no log-probabilities. `to`, whose classes are `pitch` bytes apart, may equal `x`.
 */
export function shareFlow<K, L, S>(
  x: usize, to: usize, pitch: usize, n: usize, width: usize, state: usize, bytes: usize,
): void {
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const maxima = state + MAX * bytes;
  const shares = state + FLOW_K * bytes;
  const m = each<K, L>(maxima, 0), share = each<K, L>(shares, 0);
  const run = runOf<K, L>(n, width);
  for (const last = x + stepsOf<K, L>(n) * strideOf<K, L>(width); x < last; x += run, to += pitch) {
    for (let at: usize = 0; at < run; at += 16) {
      const y = v128.sub<K>(v128.load(x + at), own<L>(m, maxima, at));
      const e = scaledFor<K, S>(exp<K>(y, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9));
      v128.store(to + at, nmadd<K>(e, own<L>(share, shares, at), v128.splat<K>(0)));
    }
  }
}

/**
 * Computes the gradients of `n` targets' classes, flow * (1 - p) with p = exp(x - m) / (1 + T), from x - m in PEAK to
 * PEAK, because 1 - p would lose all digits for p near 1. An infinite flow gives NaN, as flow - flow * p does in
 * PyTorch.
 */
export function gradientsOfTargets<K>(state: usize, bytes: usize, n: usize): void {
  const c0 = expConstant<f64>(0), c1 = expConstant<f64>(1), c2 = expConstant<f64>(2), c3 = expConstant<f64>(3);
  const c4 = expConstant<f64>(4), c5 = expConstant<f64>(5), c6 = expConstant<f64>(6), c7 = expConstant<f64>(7);
  const c8 = expConstant<f64>(8), c9 = expConstant<f64>(9);
  const one = f64x2.splat(1);
  for (let at: usize = 0; at < n << 3; at += 16) {
    const flow = v128.load(state + FLOW * bytes + at);
    const tail = v128.load(state + TAIL * bytes + at);
    const peaks = state + PEAK * bytes + (sizeof<K>() == 4 ? at >> 1 : at);
    const x = sizeof<K>() == 4 ? f64x2.promote_low_f32x4(v128.load64_zero(peaks)) : v128.load(peaks);
    const e = v128.mul<f64>(exp<f64>(x, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9), f64x2.splat(unscale<f64>()));
    const rest = v128.add<f64>(v128.sub<f64>(one, e), tail);
    const gradient = v128.div<f64>(v128.mul<f64>(flow, rest), v128.add<f64>(one, tail));
    const stored = sizeof<K>() == 4 ? f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(flow)) : flow;
    // 0, or NaN.
    const checked = v128.add<f64>(gradient, v128.sub<f64>(stored, stored));
    if (sizeof<K>() == 4) v128.store64_lane(peaks, f32x4.demote_f64x2_zero(checked), 0);
    else v128.store(peaks, checked);
  }
}

/** Zeros that stand for a missing base. */
export const ZERO = memory.data(16, 16);

/**
 * Writes the gradient base - exp(a) * flow, flow being the sum of the gradient of the log-probabilities a. A `base` of
 * 0 means zeros. `to`, whose classes are `pitch` bytes apart, may equal `a` or `base`.
 */
export function flowBack<K, L, S>(
  a: usize, base: usize, to: usize, pitch: usize, n: usize, width: usize, state: usize, bytes: usize,
): void {
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const flows = state + FLOW_K * bytes;
  const flow = each<K, L>(flows, 0);
  const run = runOf<K, L>(n, width);
  // Reads the same zeros for every step.
  const baseStep: usize = base == 0 ? 0 : 16;
  let from = base == 0 ? ZERO : base;
  for (const last = a + stepsOf<K, L>(n) * strideOf<K, L>(width); a < last; a += run, to += pitch) {
    for (let at: usize = 0; at < run; at += 16, from += baseStep) {
      const s = scaledFor<K, S>(exp<K>(v128.load(a + at), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9));
      v128.store(to + at, nmadd<K>(s, own<L>(flow, flows, at), v128.load(from)));
    }
  }
}

/** Adds the gradient `go` of the log-probabilities to FLOW. */
export function addFlow<K, L>(go: usize, n: usize, width: usize, state: usize, bytes: usize): void {
  const groups = groupsOf<K, L>(width);
  const steps = stepsOf<K, L>(n);
  const stride = strideOf<K, L>(width);
  for (let g: usize = 0; g < groups; g++) {
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (let k: usize = 0; k < steps; k++) {
      const v = v128.and(v128.load(go + (g << 4) + k * stride), present<K, L>(k, n));
      low = v128.add<f64>(low, lower<K>(v));
      high = v128.add<f64>(high, upper<K>(v));
    }
    addTo<K, L>(state + FLOW * bytes, g, low, high);
  }
}

/** Adds the smooth term w * a to LOSS and sets `base` (0 for none) to its gradient, `share` * w * g. `share` is -eps / C. */
export function smoothTerm<K, L>(
  a: usize, base: usize, weight: usize, share: f64, n: usize, width: usize, state: usize, bytes: usize,
): void {
  const groups = groupsOf<K, L>(width);
  const steps = stepsOf<K, L>(n);
  const stride = strideOf<K, L>(width);
  const one = v128.splat<K>(1);
  for (let g: usize = 0; g < groups; g++) {
    const gradOutput = v128.mul<K>(each<K, L>(state + GRAD_OUTPUT * bytes, g), v128.splat<K>(<K>share));
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (let k: usize = 0; k < steps; k++) {
      const at = (g << 4) + k * stride;
      const w = weights<K, L>(weight, k, one);
      const term = v128.and(v128.mul<K>(w, v128.load(a + at)), present<K, L>(k, n));
      low = v128.add<f64>(low, lower<K>(term));
      high = v128.add<f64>(high, upper<K>(term));
      if (base != 0) v128.store(base + at, v128.mul<K>(gradOutput, w));
    }
    addTo<K, L>(state + LOSS * bytes, g, low, high);
  }
}

/** Smooths probabilities: q = t * keep + spread. */
// @ts-ignore: decorator
@inline
function smoothed<K>(t: v128, keep: v128, spread: v128): v128 {
  return v128.add<K>(v128.mul<K>(t, keep), spread);
}

/**
 * Adds -g * w * q, the gradient of soft targets with respect to the log-probabilities, to FLOW. Multiplies in PyTorch's
 * order, because w * q may exceed float32 where the whole product does not.
 */
export function addSoftFlow<K, L>(
  t: usize, weight: usize, keep: f64, spread: f64, n: usize, width: usize, state: usize, bytes: usize,
): void {
  const groups = groupsOf<K, L>(width);
  const steps = stepsOf<K, L>(n);
  const stride = strideOf<K, L>(width);
  const one = v128.splat<K>(1);
  const kept = v128.splat<K>(<K>keep);
  const evenly = v128.splat<K>(<K>spread);
  for (let g: usize = 0; g < groups; g++) {
    const gradOutput = v128.neg<K>(each<K, L>(state + GRAD_OUTPUT * bytes, g));
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (let k: usize = 0; k < steps; k++) {
      const q = smoothed<K>(v128.load(t + (g << 4) + k * stride), kept, evenly);
      const upstream = v128.mul<K>(gradOutput, weights<K, L>(weight, k, one));
      const term = v128.and(v128.mul<K>(upstream, q), present<K, L>(k, n));
      low = v128.add<f64>(low, lower<K>(term));
      high = v128.add<f64>(high, upper<K>(term));
    }
    addTo<K, L>(state + FLOW * bytes, g, low, high);
  }
}

/**
 * Adds the loss of soft targets a * q * w to LOSS, sets `base` to -g * w * q and `gradTarget` to -keep * g * w * a.
 * `base` and `gradTarget` may be 0, and `gradTarget` may equal `t`.
 */
export function softTerm<K, L>(
  a: usize, t: usize, base: usize, gradTarget: usize, weight: usize, keep: f64, spread: f64,
  n: usize, width: usize, state: usize, bytes: usize,
): void {
  const groups = groupsOf<K, L>(width);
  const steps = stepsOf<K, L>(n);
  const stride = strideOf<K, L>(width);
  const one = v128.splat<K>(1);
  const kept = v128.splat<K>(<K>keep);
  const evenly = v128.splat<K>(<K>spread);
  for (let g: usize = 0; g < groups; g++) {
    const gradOutput = v128.neg<K>(each<K, L>(state + GRAD_OUTPUT * bytes, g));
    const toTarget = v128.mul<K>(gradOutput, kept);
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (let k: usize = 0; k < steps; k++) {
      const at = (g << 4) + k * stride;
      const w = weights<K, L>(weight, k, one);
      const q = smoothed<K>(v128.load(t + at), kept, evenly);
      const logProbability = v128.load(a + at);
      const term = v128.and(v128.mul<K>(v128.mul<K>(logProbability, q), w), present<K, L>(k, n));
      low = v128.add<f64>(low, lower<K>(term));
      high = v128.add<f64>(high, upper<K>(term));
      if (base != 0) v128.store(base + at, v128.mul<K>(v128.mul<K>(gradOutput, w), q));
      if (gradTarget != 0) v128.store(gradTarget + at, v128.mul<K>(v128.mul<K>(toTarget, w), logProbability));
    }
    addTo<K, L>(state + LOSS * bytes, g, low, high);
  }
}
