// Running state of a group of positions. Each array has one number per position, and `width` is rounded up to whole
// vectors.
import { demotePair } from "./convert";
import { log1p } from "./exp";
import { Fold, OWN_STATE, OWN_WIDTH } from "./struct";
import { isRows } from "./types";

/** Largest group in positions. A power of 2 would map all classes to the same few cache sets. */
export const MAX_WIDTH: usize = 1008;
const SCRATCH = memory.data(96768, 16); // MAX_WIDTH * STATE_ARRAYS * 8

/** Returns the group's state, in the record if a fold may stop within the group, otherwise in shared scratch. */
// @ts-ignore: decorator
@inline
export function stateOf(fold: Fold): usize {
  return <usize>fold.width <= OWN_WIDTH ? changetype<usize>(fold) + OWN_STATE : SCRATCH;
}

/** Positions of the group, rounded up to whole vectors. */
// @ts-ignore: decorator
@inline
export function padded(fold: Fold): usize {
  return (<usize>fold.width + (OWN_WIDTH - 1)) & ~(OWN_WIDTH - 1);
}

/** Bytes of one array of the state, eight per position for every element type. */
// @ts-ignore: decorator
@inline
export function arrayBytes(fold: Fold): usize {
  return padded(fold) << 3;
}

/** Returns the address of an array of the state, a constant offset in the record for a row. */
// @ts-ignore: decorator
@inline
export function arrayOf<L>(fold: Fold, index: usize): usize {
  if (isRows<L>()) return changetype<usize>(fold) + OWN_STATE + index * (OWN_WIDTH << 3);
  return stateOf(fold) + index * arrayBytes(fold);
}

// Arrays: float64 sums, then numbers of K, then class indices.
/** T, the sum of exp(x - m) without the 1 of the largest element. S = 1 + T is the whole sum. */
export const TAIL: usize = 0;
/** Sum of the loss's terms over the classes. */
export const LOSS: usize = 1;
/** Sum of the gradient with respect to the log-probabilities. */
export const FLOW: usize = 2;
/** m, the largest element. */
export const MAX: usize = 3;
/** log S, with its rest for float32. */
export const LOG: usize = 4;
export const LOG_REST: usize = 5;
// Rounding errors of sums in float64, in arrays that are free until {@link addRests} adds them to the sums.
/** Those of TAIL, until {@link closeSums}. Float64 has no LOG_REST. */
export const TAIL_REST: usize = LOG_REST;
/** Those of LOSS, from then on. */
export const LOSS_REST: usize = LOG_REST;
/** FLOW in K. */
export const FLOW_K: usize = 6;
/** Gradient with respect to the logsumexp: of a z-loss in float64 until the first sweep ends, then in K. */
export const LSE_FLOW: usize = 7;
/** Rounding errors of FLOW for float64 in the first sweep. */
export const FLOW_REST: usize = LSE_FLOW;
/** Upstream gradient. */
export const GRAD_OUTPUT: usize = 8;
/** Gradient of the target's own class. */
export const PEAK: usize = 9;
/** Class index as i32, -1 for an ignored target. A sparse target with a kept class has 0. */
export const CLASS: usize = 10;
/** Class of the largest logit so far as i32, -1 for none. */
export const BEST: usize = 11;

/** Lowest finite number in each lane. */
// @ts-ignore: decorator
@inline
export function lowestOf<K>(): v128 {
  return v128.splat<K>(sizeof<K>() == 4 ? <K>-f32.MAX_VALUE : <K>-f64.MAX_VALUE);
}

/** Starts a group with S = 0 and the lowest finite number as its maximum, so that -Infinity adds exp(-Infinity) = 0. */
export function clearState<K>(fold: Fold): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const zero = i32x4.splat(0);
  const none = f64x2.splat(-1);
  const lowest = lowestOf<K>();
  for (let at: usize = 0; at < bytes; at += 16) {
    v128.store(state + TAIL * bytes + at, none);
    if (sizeof<K>() == 8) {
      v128.store(state + TAIL_REST * bytes + at, zero);
      v128.store(state + FLOW_REST * bytes + at, zero);
    }
    v128.store(state + LOSS * bytes + at, zero);
    v128.store(state + FLOW * bytes + at, zero);
    v128.store(state + MAX * bytes + at, lowest);
    v128.store(state + BEST * bytes + at, i32x4.splat(-1));
  }
}

/** Computes log S of each position. NaN if no element of the line is finite (S = 0), or one is NaN or Infinity. */
export function closeSums<K>(fold: Fold): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  if (sizeof<K>() == 8) addRests(fold, TAIL, TAIL_REST);
  for (let at: usize = 0; at < bytes; at += 32) {
    const low = log1p(v128.load(state + at));
    const high = fold.width == 1 ? low : log1p(v128.load(state + at, 16));
    if (sizeof<K>() == 8) {
      v128.store(state + LOG * bytes + at, low);
      v128.store(state + LOG * bytes + at, high, 16);
    } else {
      const half = at >> 1;
      const near = demotePair(low, high);
      v128.store(state + LOG * bytes + half, near);
      const lowRest = v128.sub<f64>(low, f64x2.promote_low_f32x4(near));
      const highRest = v128.sub<f64>(high, f64x2.promote_low_f32x4(i32x4.shuffle(near, near, 2, 3, 0, 1)));
      v128.store(state + LOG_REST * bytes + half, demotePair(lowRest, highRest));
    }
  }
}

/**
 * Adds the array of rounding errors to that of their sums and clears it. Leaves out those of infinite sums, which are NaN,
 * and zeros, which would change the sum -0 and so the sign of a gradient of 0.
 */
export function addRests(fold: Fold, sumsIndex: usize, restsIndex: usize): void {
  const bytes = arrayBytes(fold);
  const sums = stateOf(fold) + sumsIndex * bytes;
  const rests = stateOf(fold) + restsIndex * bytes;
  for (let at: usize = 0; at < bytes; at += 16) {
    const sum = v128.load(sums + at);
    const rest = v128.load(rests + at);
    const counts = v128.gt<f64>(v128.abs<f64>(rest), f64x2.splat(0));
    v128.store(sums + at, v128.bitselect(v128.add<f64>(sum, rest), sum, counts));
    v128.store(rests + at, f64x2.splat(0));
  }
}
