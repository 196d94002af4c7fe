// The arithmetic on one block, the same for rows and columns: K is the compute type, L the layout.
//
// A block is `groups` vectors of positions wide (1 for rows) and `steps` vectors of classes deep. `state` is the group's state,
// `bytes` the length of each of its arrays.
import { addExp, exp, expConstant, nmadd } from "./exp";
import { WIDEST } from "./formats";
import { isRows, lanes } from "./lines";
import { FLOW, FLOW_K, LOG, LOG_REST, LOSS, MAX, SUM, UPSTREAM } from "./state";

/** Vectors of positions in a block. */
// @ts-ignore: decorator
@inline
function groupsOf<K, L>(width: usize): usize {
  return isRows<L>() ? 1 : width / lanes<K>();
}

/** Vectors, one after another, in which `n` classes lie. */
// @ts-ignore: decorator
@inline
function stepsOf<K, L>(n: usize): usize {
  return isRows<L>() ? (n + (lanes<K>() - 1)) / lanes<K>() : n;
}

/** Bytes from one step to the next. */
// @ts-ignore: decorator
@inline
function strideOf<K, L>(width: usize): usize {
  return isRows<L>() ? 16 : width * sizeof<K>();
}

/** Numbers of K that belong to the positions of vector `g`: one for all lanes of a row, one for each lane of columns. */
// @ts-ignore: decorator
@inline
function each<K, L>(array: usize, g: usize): v128 {
  return isRows<L>() ? v128.load_splat<K>(array) : v128.load(array + (g << 4));
}

/** Numbers of K that belong to the classes of step `k`: one for each lane of a row, one for all lanes of columns. */
// @ts-ignore: decorator
@inline
function classes<K, L>(array: usize, k: usize): v128 {
  return isRows<L>() ? v128.load(array + (k << 4)) : v128.load_splat<K>(array + k * sizeof<K>());
}

/** The weights of step `k`, or 1. */
// @ts-ignore: decorator
@inline
function weights<K, L>(weight: usize, k: usize, one: v128): v128 {
  return weight == 0 ? one : classes<K, L>(weight, k);
}

const TAILS = memory.data<i32>([-1, -1, -1, -1, 0, 0, 0, 0], 16);

/** All bits in the lanes of step `k` that hold one of the `n` classes. What fills the last vector of a row must not be added. */
// @ts-ignore: decorator
@inline
function present<K, L>(k: usize, n: usize): v128 {
  if (!isRows<L>()) return v128.load(TAILS);
  const left = n - k * lanes<K>();
  return v128.load(TAILS + (lanes<K>() - min(left, lanes<K>())) * sizeof<K>());
}

/** The first two lanes of K as float64. */
// @ts-ignore: decorator
@inline
function lower<K>(v: v128): v128 {
  return sizeof<K>() == 4 ? f64x2.promote_low_f32x4(v) : v;
}

/** The other two lanes of float32 as float64; 0 for K = float64. */
// @ts-ignore: decorator
@inline
function upper<K>(v: v128): v128 {
  return sizeof<K>() == 4 ? f64x2.promote_low_f32x4(i32x4.shuffle(v, v, 2, 3, 0, 1)) : f64x2.splat(0);
}

/** Adds two vectors of float64 sums to the sums of the positions of vector `g`. */
// @ts-ignore: decorator
@inline
function addTo<K, L>(array: usize, g: usize, low: v128, high: v128): void {
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

/** The largest lane in all lanes. There is no NaN among them. */
// @ts-ignore: decorator
@inline
function widest<K>(v: v128): v128 {
  const halves = v128.pmax<K>(v, i64x2.shuffle(v, v, 1, 0));
  return sizeof<K>() == 4 ? v128.pmax<K>(halves, i32x4.shuffle(halves, halves, 1, 0, 3, 2)) : halves;
}

/**
 * Steps whose exponentials are added in K before float64 takes the sum over. 256 were 2 % faster, but the worst error of a gradient was 2.1
 * times PyTorch's instead of 0.7.
 */
const RUN: usize = 64;

// The block of a row whose maximum is known, and that maximum. It is found while the exponentials of the block before are
// computed, so that memory works at the same time: a quarter faster than block after block where rows come from main memory.
let knownAt: usize = 0;
const KNOWN = memory.data(16);

/** Forgets the maximum that is known: what lies in memory may have changed. */
export function forgetKnown(): void {
  knownAt = 0;
}

/** Takes over the maximum that widening `n` 16-bit floats to the block of a row at `x` has left; the last ones were no whole eight. */
export function knowWidest(x: usize, n: usize): void {
  let max = v128.load(WIDEST);
  for (let i = n & ~7; i < n; i += 4) max = v128.pmax<f32>(max, v128.load(x + (i << 2)));
  knownAt = x;
  v128.store(KNOWN, max);
}

/**
 * The running maximum m and sum S of exp(x - m). A larger maximum scales S down. pmax lets NaN pass unseen; the sum does not.
 * `next` is a block of a row, as long as this one, that will follow; 0 for none. `found`: m is there and S is 0.
 */
export function addExponentials<K, L>(
  x: usize, next: usize, n: usize, width: usize, state: usize, bytes: usize, found: bool,
): void {
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const groups = groupsOf<K, L>(width);
  const stride = strideOf<K, L>(width);
  const length = stepsOf<K, L>(n) * stride;
  const ahead: usize = next == 0 ? <usize>0 : next - x;
  for (let g: usize = 0; g < groups; g++) {
    const first = x + (g << 4);
    const last = first + length;
    const before = each<K, L>(state + MAX * bytes, g);
    let max = before;
    if (!found) {
      if (isRows<L>() && x == knownAt) max = v128.pmax<K>(max, v128.load(KNOWN));
      else for (let at = first; at < last; at += stride) max = v128.pmax<K>(max, v128.load(at));
      if (isRows<L>()) max = widest<K>(max);
      v128.store(state + MAX * bytes + (g << 4), max);
      const factor = exp<K>(v128.sub<K>(before, max), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
      scaleSums<K, L>(state + SUM * bytes, g, factor);
    }
    let coming = v128.splat<K>(-Infinity);
    for (let at = first; at < last; ) {
      const end = min(last, at + RUN * stride);
      let sum = v128.splat<K>(0);
      for (; at < end; at += stride) {
        if (isRows<L>()) coming = v128.pmax<K>(coming, v128.load(at + ahead));
        sum = addExp<K>(sum, v128.sub<K>(v128.load(at), max), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
      }
      addTo<K, L>(state + SUM * bytes, g, lower<K>(sum), upper<K>(sum));
    }
    if (isRows<L>()) {
      knownAt = next;
      v128.store(KNOWN, coming);
    }
  }
}

// @ts-ignore: decorator
@inline
function scaleSums<K, L>(sums: usize, g: usize, factor: v128): void {
  const at = isRows<L>() ? sums : sums + g * (lanes<K>() << 3);
  v128.store(at, v128.mul<f64>(v128.load(at), lower<K>(factor)));
  if (!isRows<L>() && sizeof<K>() == 4) v128.store(at, v128.mul<f64>(v128.load(at, 16), upper<K>(factor)), 16);
}

/** a = (x - m) - log S. */
// @ts-ignore: decorator
@inline
function minusLog<K>(x: v128, m: v128, log: v128, rest: v128): v128 {
  const a = v128.sub<K>(v128.sub<K>(x, m), log);
  return sizeof<K>() == 4 ? v128.sub<K>(a, rest) : a;
}

// The passes that write take columns class by class, so that each run of memory is written at once: the classes of one position
// lie in the same few sets of the cache.

/** Steps that follow each other without a gap, for {@link subtractLogs} and its neighbours: all of a row, one of columns. */
// @ts-ignore: decorator
@inline
function runOf<K, L>(n: usize, width: usize): usize {
  return isRows<L>() ? stepsOf<K, L>(n) << 4 : strideOf<K, L>(width);
}

/** The number of `array` for the positions at `at`: `fixed` for all of a row. */
// @ts-ignore: decorator
@inline
function own<L>(fixed: v128, array: usize, at: usize): v128 {
  return isRows<L>() ? fixed : v128.load(array + at);
}

/** Log-probabilities: a = (x - m) - log S, in K. `to`, whose classes are `pitch` bytes apart, may equal `x`. */
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
 * The gradient of a loss that only picks the class of its target, but for that pick: 0 - exp(x - m) * share, share = flow / S
 * in FLOW_K. It needs no log-probabilities. `to`, whose classes are `pitch` bytes apart, may equal `x`.
 */
export function shareFlow<K, L>(
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
      const e = exp<K>(y, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
      v128.store(to + at, nmadd<K>(e, own<L>(share, shares, at), v128.splat<K>(0)));
    }
  }
}

const ZERO = memory.data(16, 16);

/**
 * The last step of a gradient: base - exp(a) * flow, flow the sum of the gradient that reaches the log-probabilities a.
 * `base` 0 is zeros. `to`, whose classes are `pitch` bytes apart, may equal `a` or `base`.
 */
export function flowBack<K, L>(
  a: usize, base: usize, to: usize, pitch: usize, n: usize, width: usize, state: usize, bytes: usize,
): void {
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const flows = state + FLOW_K * bytes;
  const flow = each<K, L>(flows, 0);
  const run = runOf<K, L>(n, width);
  // Zeros are read from one place again and again.
  const baseStep: usize = base == 0 ? 0 : 16;
  let from = base == 0 ? ZERO : base;
  for (const last = a + stepsOf<K, L>(n) * strideOf<K, L>(width); a < last; a += run, to += pitch) {
    for (let at: usize = 0; at < run; at += 16, from += baseStep) {
      const s = exp<K>(v128.load(a + at), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
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

/**
 * The smooth term: adds w * a to LOSS, and sets `base` (0: none) to the gradient that it sends to a, `share` * w * g.
 * `share` is -eps / C.
 */
export function smoothTerm<K, L>(
  a: usize, base: usize, weight: usize, share: f64, n: usize, width: usize, state: usize, bytes: usize,
): void {
  const groups = groupsOf<K, L>(width);
  const steps = stepsOf<K, L>(n);
  const stride = strideOf<K, L>(width);
  const one = v128.splat<K>(1);
  for (let g: usize = 0; g < groups; g++) {
    const upstream = v128.mul<K>(each<K, L>(state + UPSTREAM * bytes, g), v128.splat<K>(<K>share));
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (let k: usize = 0; k < steps; k++) {
      const at = (g << 4) + k * stride;
      const w = weights<K, L>(weight, k, one);
      const term = v128.and(v128.mul<K>(w, v128.load(a + at)), present<K, L>(k, n));
      low = v128.add<f64>(low, lower<K>(term));
      high = v128.add<f64>(high, upper<K>(term));
      if (base != 0) v128.store(base + at, v128.mul<K>(upstream, w));
    }
    addTo<K, L>(state + LOSS * bytes, g, low, high);
  }
}

/** Smoothed probabilities: q = t * keep + spread. */
// @ts-ignore: decorator
@inline
function smoothed<K>(t: v128, keep: v128, spread: v128): v128 {
  return v128.add<K>(v128.mul<K>(t, keep), spread);
}

/** Adds -g * w * q, the gradient that soft targets send to the log-probabilities, to FLOW. */
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
    const upstream = v128.neg<K>(each<K, L>(state + UPSTREAM * bytes, g));
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (let k: usize = 0; k < steps; k++) {
      const q = smoothed<K>(v128.load(t + (g << 4) + k * stride), kept, evenly);
      const wq = v128.mul<K>(weights<K, L>(weight, k, one), q);
      const term = v128.and(v128.mul<K>(upstream, wq), present<K, L>(k, n));
      low = v128.add<f64>(low, lower<K>(term));
      high = v128.add<f64>(high, upper<K>(term));
    }
    addTo<K, L>(state + FLOW * bytes, g, low, high);
  }
}

/**
 * The loss of soft targets: adds a * q * w to LOSS, sets `base` to -g * w * q and `gradTarget` to -keep * g * w * a.
 * `base` and `gradTarget` may be 0; `gradTarget` may equal `t`.
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
    const upstream = v128.neg<K>(each<K, L>(state + UPSTREAM * bytes, g));
    const toTarget = v128.mul<K>(upstream, kept);
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
      if (base != 0) v128.store(base + at, v128.mul<K>(upstream, v128.mul<K>(w, q)));
      if (gradTarget != 0) v128.store(gradTarget + at, v128.mul<K>(v128.mul<K>(toTarget, w), logProbability));
    }
    addTo<K, L>(state + LOSS * bytes, g, low, high);
  }
}
