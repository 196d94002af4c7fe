// Loops over one block beside the sums of exponentials: log-probabilities, losses and gradients. vectors.ts describes blocks.
import { exp, expConstant, madd, nmadd, unscale } from "./exp";
import { isRows } from "./lines";
import {
  FLOW, FLOW_K, FLOW_REST, GRAD_OUTPUT, LOG, LOG_REST, LOSS, LOSS_REST, LSE_FLOW, MAX, PEAK, TAIL, arrayBytes, padded, stateOf,
} from "./state";
import { Fold, keepOf, spreadOf } from "./struct";
import { addWithRest, takeRest } from "./sum";
import { addTo, groupsOf, isRunEnd, lower, positionVector, present, stepsOf, strideOf, upper, weightVector } from "./vectors";

/** Flows multiplied by {@link unscale} in advance to compensate the factor 2^SHIFT of the exponentials, which saves a step. */
export type Scaled = u8;
/** Flows too small for that. The exponentials are scaled instead and round to subnormal numbers as in PyTorch. */
export type Tiny = u16;
/** Flows of any size beside those of the logsumexp in LSE_FLOW. */
export type WithLse = u32;

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
export function subtractLogs<K, L>(fold: Fold, x: usize, to: usize, pitch: usize, n: usize): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const width = padded(fold);
  const maxima = state + MAX * bytes;
  const logs = state + LOG * bytes;
  const rests = state + LOG_REST * bytes;
  const m = positionVector<K, L>(maxima, 0), log = positionVector<K, L>(logs, 0), rest = positionVector<K, L>(rests, 0);
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
export function shareFlow<K, L, S>(fold: Fold, x: usize, to: usize, pitch: usize, n: usize): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const width = padded(fold);
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const maxima = state + MAX * bytes;
  const shares = state + FLOW_K * bytes;
  const m = positionVector<K, L>(maxima, 0), share = positionVector<K, L>(shares, 0);
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
 * Computes the gradients of the group's target classes, flow * (1 - p) with p = exp(x - m) / (1 + T), from x - m in PEAK
 * to PEAK, because 1 - p would lose all digits for p near 1. Adds LSE_FLOW * p with a z-loss. An infinite flow gives NaN,
 * as flow - flow * p does in PyTorch.
 */
export function gradientsOfTargets<K>(fold: Fold): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const hasLseFlow = fold.zLossScale > 0;
  const c0 = expConstant<f64>(0), c1 = expConstant<f64>(1), c2 = expConstant<f64>(2), c3 = expConstant<f64>(3);
  const c4 = expConstant<f64>(4), c5 = expConstant<f64>(5), c6 = expConstant<f64>(6), c7 = expConstant<f64>(7);
  const c8 = expConstant<f64>(8), c9 = expConstant<f64>(9);
  const one = f64x2.splat(1);
  for (let at: usize = 0, end = <usize>fold.width << 3; at < end; at += 16) {
    const flow = v128.load(state + FLOW * bytes + at);
    const tail = v128.load(state + TAIL * bytes + at);
    const peaks = state + PEAK * bytes + (sizeof<K>() == 4 ? at >> 1 : at);
    const x = sizeof<K>() == 4 ? f64x2.promote_low_f32x4(v128.load64_zero(peaks)) : v128.load(peaks);
    const e = v128.mul<f64>(exp<f64>(x, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9), f64x2.splat(unscale<f64>()));
    const rest = v128.add<f64>(v128.sub<f64>(one, e), tail);
    let product = v128.mul<f64>(flow, rest);
    if (hasLseFlow) product = v128.add<f64>(product, v128.mul<f64>(v128.load(state + LSE_FLOW * bytes + at), e));
    const gradient = v128.div<f64>(product, v128.add<f64>(one, tail));
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
 * Writes the gradient base - exp(a) * flow, flow being the sum of the gradient of the log-probabilities a. Adds exp(a) *
 * lseFlow with {@link WithLse}, because the difference may be 0. A `base` of 0 means zeros. `to`, whose classes are `pitch` bytes apart, may equal `a` or `base`.
 */
export function flowBack<K, L, S>(fold: Fold, a: usize, base: usize, to: usize, pitch: usize, n: usize): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const width = padded(fold);
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const flows = state + FLOW_K * bytes;
  const lseFlows = state + LSE_FLOW * bytes;
  const flow = positionVector<K, L>(flows, 0), lseFlow = positionVector<K, L>(lseFlows, 0);
  const run = runOf<K, L>(n, width);
  // Reads the same zeros for every step.
  const baseStep: usize = base == 0 ? 0 : 16;
  let from = base == 0 ? ZERO : base;
  for (const last = a + stepsOf<K, L>(n) * strideOf<K, L>(width); a < last; a += run, to += pitch) {
    for (let at: usize = 0; at < run; at += 16, from += baseStep) {
      const s = scaledFor<K, S>(exp<K>(v128.load(a + at), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9));
      const difference = nmadd<K>(s, own<L>(flow, flows, at), v128.load(from));
      v128.store(to + at, sizeof<S>() == 4 ? madd<K>(s, own<L>(lseFlow, lseFlows, at), difference) : difference);
    }
  }
}

/** Returns the address of the weights of the block's classes, 0 for none. */
// @ts-ignore: decorator
@inline
function blockWeights<K>(fold: Fold): usize {
  return fold.weight == 0 ? 0 : <usize>fold.weight + <usize>fold.classAt * sizeof<K>();
}

/** Adds the gradient `go` of the log-probabilities to FLOW. */
export function addFlow<K, L>(fold: Fold, go: usize, n: usize): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const width = padded(fold);
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
      if (isRunEnd<K>(k)) {
        high = addWithRest(high, low);
        low = f64x2.splat(0);
      }
    }
    addTo<K, L>(state + FLOW * bytes, state + FLOW_REST * bytes, g, low, high, takeRest<K>());
  }
}

/** Adds the smooth term w * a to LOSS and sets `base` (0 for none) to its gradient, -eps / C * w * g. */
export function smoothTerm<K, L>(fold: Fold, a: usize, base: usize, n: usize): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const width = padded(fold);
  const weight = blockWeights<K>(fold);
  const groups = groupsOf<K, L>(width);
  const steps = stepsOf<K, L>(n);
  const stride = strideOf<K, L>(width);
  const one = v128.splat<K>(1);
  const share = v128.splat<K>(<K>-spreadOf(fold));
  for (let g: usize = 0; g < groups; g++) {
    const gradOutput = v128.mul<K>(positionVector<K, L>(state + GRAD_OUTPUT * bytes, g), share);
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (let k: usize = 0; k < steps; k++) {
      const at = (g << 4) + k * stride;
      const w = weightVector<K, L>(weight, k, one);
      const term = v128.and(v128.mul<K>(w, v128.load(a + at)), present<K, L>(k, n));
      low = v128.add<f64>(low, lower<K>(term));
      high = v128.add<f64>(high, upper<K>(term));
      if (isRunEnd<K>(k)) {
        high = addWithRest(high, low);
        low = f64x2.splat(0);
      }
      if (base != 0) v128.store(base + at, v128.mul<K>(gradOutput, w));
    }
    addTo<K, L>(state + LOSS * bytes, state + LOSS_REST * bytes, g, low, high, takeRest<K>());
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
export function addSoftFlow<K, L>(fold: Fold, t: usize, n: usize): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const width = padded(fold);
  const weight = blockWeights<K>(fold);
  const groups = groupsOf<K, L>(width);
  const steps = stepsOf<K, L>(n);
  const stride = strideOf<K, L>(width);
  const one = v128.splat<K>(1);
  const kept = v128.splat<K>(<K>keepOf(fold));
  const evenly = v128.splat<K>(<K>spreadOf(fold));
  for (let g: usize = 0; g < groups; g++) {
    const gradOutput = v128.neg<K>(positionVector<K, L>(state + GRAD_OUTPUT * bytes, g));
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (let k: usize = 0; k < steps; k++) {
      const q = smoothed<K>(v128.load(t + (g << 4) + k * stride), kept, evenly);
      const upstream = v128.mul<K>(gradOutput, weightVector<K, L>(weight, k, one));
      const term = v128.and(v128.mul<K>(upstream, q), present<K, L>(k, n));
      low = v128.add<f64>(low, lower<K>(term));
      high = v128.add<f64>(high, upper<K>(term));
      if (isRunEnd<K>(k)) {
        high = addWithRest(high, low);
        low = f64x2.splat(0);
      }
    }
    addTo<K, L>(state + FLOW * bytes, state + FLOW_REST * bytes, g, low, high, takeRest<K>());
  }
}

/**
 * Adds the loss of soft targets a * q * w to LOSS, sets `base` to -g * w * q and `gradTarget` to -keep * g * w * a.
 * `base` and `gradTarget` may be 0, and `gradTarget` may equal `t`.
 */
export function softTerm<K, L>(fold: Fold, a: usize, t: usize, base: usize, gradTarget: usize, n: usize): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const width = padded(fold);
  const weight = blockWeights<K>(fold);
  const groups = groupsOf<K, L>(width);
  const steps = stepsOf<K, L>(n);
  const stride = strideOf<K, L>(width);
  const one = v128.splat<K>(1);
  const kept = v128.splat<K>(<K>keepOf(fold));
  const evenly = v128.splat<K>(<K>spreadOf(fold));
  for (let g: usize = 0; g < groups; g++) {
    const gradOutput = v128.neg<K>(positionVector<K, L>(state + GRAD_OUTPUT * bytes, g));
    const toTarget = v128.mul<K>(gradOutput, kept);
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (let k: usize = 0; k < steps; k++) {
      const at = (g << 4) + k * stride;
      const w = weightVector<K, L>(weight, k, one);
      const q = smoothed<K>(v128.load(t + at), kept, evenly);
      const logProbability = v128.load(a + at);
      const term = v128.and(v128.mul<K>(v128.mul<K>(logProbability, q), w), present<K, L>(k, n));
      low = v128.add<f64>(low, lower<K>(term));
      high = v128.add<f64>(high, upper<K>(term));
      if (isRunEnd<K>(k)) {
        high = addWithRest(high, low);
        low = f64x2.splat(0);
      }
      if (base != 0) v128.store(base + at, v128.mul<K>(v128.mul<K>(gradOutput, w), q));
      if (gradTarget != 0) v128.store(gradTarget + at, v128.mul<K>(v128.mul<K>(toTarget, w), logProbability));
    }
    addTo<K, L>(state + LOSS * bytes, state + LOSS_REST * bytes, g, low, high, takeRest<K>());
  }
}
