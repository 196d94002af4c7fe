// Loops that write a block: log-probabilities and gradients. vectors.ts describes blocks.
import { exp, expConstant, madd, nmadd, unscale } from "./exp";
import { PAIRED } from "./paired";
import { FLOW_K, LOG, LOG_REST, LSE_FLOW, MAX, arrayOf } from "./state";
import { Fold } from "./struct";
import { nextOwn, own, positionVector, runOf, stepsOf, strideOf } from "./vectors";

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

/** Writes log-probabilities a = (x - m) - log S in K. `to`, whose classes are `pitch` bytes apart, may equal `x`. */
export function subtractLogs<K, L>(fold: Fold, x: usize, to: usize, pitch: usize, n: usize): void {
  const maxima = arrayOf<L>(fold, MAX);
  const logs = arrayOf<L>(fold, LOG);
  const rests = arrayOf<L>(fold, LOG_REST);
  const m = positionVector<K, L>(maxima, 0), log = positionVector<K, L>(logs, 0), rest = positionVector<K, L>(rests, 0);
  const run = runOf<K, L>(fold, n);
  for (const last = x + stepsOf<K, L>(n) * strideOf<K, L>(fold); x < last; x += run, to += pitch) {
    let at: usize = 0;
    if (PAIRED) {
      for (; at + 16 < run; at += 32) {
        const a = minusLog<K>(v128.load(x + at), own<L>(m, maxima, at), own<L>(log, logs, at), own<L>(rest, rests, at));
        const b = minusLog<K>(
          v128.load(x + at, 16), nextOwn<L>(m, maxima, at), nextOwn<L>(log, logs, at), nextOwn<L>(rest, rests, at),
        );
        v128.store(to + at, a);
        v128.store(to + at, b, 16);
      }
    }
    for (; at < run; at += 16) {
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
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const maxima = arrayOf<L>(fold, MAX);
  const shares = arrayOf<L>(fold, FLOW_K);
  const m = positionVector<K, L>(maxima, 0), share = positionVector<K, L>(shares, 0);
  const zero = v128.splat<K>(0);
  const run = runOf<K, L>(fold, n);
  for (const last = x + stepsOf<K, L>(n) * strideOf<K, L>(fold); x < last; x += run, to += pitch) {
    let at: usize = 0;
    if (PAIRED) {
      for (; at + 16 < run; at += 32) {
        const y = v128.sub<K>(v128.load(x + at), own<L>(m, maxima, at));
        const z = v128.sub<K>(v128.load(x + at, 16), nextOwn<L>(m, maxima, at));
        const e = scaledFor<K, S>(exp<K>(y, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9));
        const f = scaledFor<K, S>(exp<K>(z, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9));
        const g = nmadd<K>(e, own<L>(share, shares, at), zero);
        const h = nmadd<K>(f, nextOwn<L>(share, shares, at), zero);
        v128.store(to + at, g);
        v128.store(to + at, h, 16);
      }
    }
    for (; at < run; at += 16) {
      const y = v128.sub<K>(v128.load(x + at), own<L>(m, maxima, at));
      const e = scaledFor<K, S>(exp<K>(y, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9));
      v128.store(to + at, nmadd<K>(e, own<L>(share, shares, at), zero));
    }
  }
}

/** Zeros that stand for a missing base. */
export const ZERO = memory.data(32, 16);

/**
 * Writes the gradient base - exp(a) * flow, flow being the sum of the gradient of the log-probabilities a. Adds exp(a) *
 * lseFlow with {@link WithLse}, because the difference may be 0. A `base` of 0 means zeros. `to`, whose classes are `pitch`
 * bytes apart, may equal `a` or `base`.
 */
export function flowBack<K, L, S>(fold: Fold, a: usize, base: usize, to: usize, pitch: usize, n: usize): void {
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const flows = arrayOf<L>(fold, FLOW_K);
  const lseFlows = arrayOf<L>(fold, LSE_FLOW);
  const flow = positionVector<K, L>(flows, 0), lseFlow = positionVector<K, L>(lseFlows, 0);
  const run = runOf<K, L>(fold, n);
  // Reads the same zeros for every step.
  const baseStep: usize = base == 0 ? 0 : 16;
  let from = base == 0 ? ZERO : base;
  for (const last = a + stepsOf<K, L>(n) * strideOf<K, L>(fold); a < last; a += run, to += pitch) {
    let at: usize = 0;
    if (PAIRED) {
      for (; at + 16 < run; at += 32, from += baseStep << 1) {
        const s = scaledFor<K, S>(exp<K>(v128.load(a + at), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9));
        const t = scaledFor<K, S>(exp<K>(v128.load(a + at, 16), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9));
        let d = nmadd<K>(s, own<L>(flow, flows, at), v128.load(from));
        let e = nmadd<K>(t, nextOwn<L>(flow, flows, at), v128.load(from, 16));
        if (sizeof<S>() == 4) {
          d = madd<K>(s, own<L>(lseFlow, lseFlows, at), d);
          e = madd<K>(t, nextOwn<L>(lseFlow, lseFlows, at), e);
        }
        v128.store(to + at, d);
        v128.store(to + at, e, 16);
      }
    }
    for (; at < run; at += 16, from += baseStep) {
      const s = scaledFor<K, S>(exp<K>(v128.load(a + at), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9));
      const difference = nmadd<K>(s, own<L>(flow, flows, at), v128.load(from));
      v128.store(to + at, sizeof<S>() == 4 ? madd<K>(s, own<L>(lseFlow, lseFlows, at), difference) : difference);
    }
  }
}
