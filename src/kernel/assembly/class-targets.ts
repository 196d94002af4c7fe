// Targets of one class index for each position: their classes, and the losses and gradients of the picked classes.
import { elementOf, rounded, weightOf } from "./elements";
import { exp, expConstant, unscale } from "./exp";
import { loadIndex, log2SizeOf, roundNumber, storeNumber } from "./formats";
import { sampleOf } from "./positions";
import { CLASS, FLOW, LOG, LOG_REST, LSE_FLOW, MAX, PEAK, TAIL, arrayBytes, arrayOf, padded, stateOf } from "./state";
import { Fold } from "./struct";
import { lostBy } from "./sum";
import { codeOf, isRows } from "./types";

/** Reads the target classes of the group, -1 for ignored ones. */
export function readClasses(fold: Fold): void {
  const dtype = fold.targetDtype;
  const width = log2SizeOf(dtype);
  const ignored = fold.ignoreIndex;
  const classes = stateOf(fold) + CLASS * arrayBytes(fold);
  let from = <usize>fold.target + (<usize>fold.position << width);
  for (let j: usize = 0; j < fold.width; j++) {
    const y = loadIndex(from, dtype);
    store<i32>(classes + (j << 2), y == ignored ? -1 : i32(y));
    from += 1 << width;
  }
}

/** Returns whether the gradient is exp(x - m) times one factor per position, except for the target's class. */
// @ts-ignore: decorator
@inline
export function picksOnly<K>(fold: Fold): bool {
  // PyTorch rounds the log-probabilities of 16-bit types and computes the gradient from them.
  return fold.smoothing == 0 && fold.xDtype == codeOf<K>();
}

/**
 * Picks the losses of the targets' classes, -(a_y * w_y), rounding each stage as if it were stored. `held` has the
 * logits of all classes of the group, 0 if they are not in scratch.
 */
export function pickLosses<K, L>(fold: Fold, held: usize): void {
  const maxima = arrayOf<L>(fold, MAX), logs = arrayOf<L>(fold, LOG), rests = arrayOf<L>(fold, LOG_REST);
  const classes = arrayOf<L>(fold, CLASS);
  const losses = <usize>fold.losses;
  const width = log2SizeOf(fold.lossDtype);
  const peaks: usize = fold.out != 0 && picksOnly<K>(fold) ? arrayOf<L>(fold, PEAK) : 0;
  // Without rounding and weights, a loss is -a_y.
  const plain = fold.xDtype == codeOf<K>() && fold.lossDtype == codeOf<K>() && fold.weight == 0;
  const row = padded(fold) * sizeof<K>();
  const first = <usize>fold.position;
  const n = <usize>fold.width;
  let sum = fold.lossSum;
  let lost = fold.lossRest;
  for (let j: usize = 0; j < n; j++) {
    const y = load<i32>(classes + (j << 2));
    const k = j * sizeof<K>();
    let loss: f64 = 0;
    if (y >= 0) {
      const x = held != 0 && !isRows<L>() ? load<K>(held + <usize>y * row + k) : elementOf<K, L>(fold, first + j, y);
      const fromMax = x - load<K>(maxima + k);
      if (peaks != 0) store<K>(peaks + k, fromMax);
      let a = fromMax - load<K>(logs + k);
      if (sizeof<K>() == 4) a -= load<K>(rests + k);
      loss = plain
        ? f64(-a)
        : f64(rounded<K>(-(rounded<K>(a, fold.xDtype) * <K>weightOf<K>(fold, y)), fold.lossDtype));
    }
    const term = fold.sampleWeight == 0 ? loss : roundNumber(loss * (y < 0 ? 0 : sampleOf(fold, j)), fold.lossDtype);
    const total = sum + term;
    lost += lostBy(sum, term, total);
    sum = total;
    if (losses != 0) storeNumber(losses + ((first + j) << width), fold.lossDtype, loss);
  }
  fold.lossSum = sum;
  fold.lossRest = lost;
  if (peaks != 0) gradientsOfTargets<K, L>(fold);
}

/**
 * Computes the gradients of the group's target classes, flow * (1 - p) with p = exp(x - m) / (1 + T), from x - m in PEAK
 * to PEAK, because 1 - p would lose all digits for p near 1. Adds LSE_FLOW * p with a z-loss. An infinite flow gives NaN,
 * as flow - flow * p does in PyTorch.
 */
function gradientsOfTargets<K, L>(fold: Fold): void {
  const flows = arrayOf<L>(fold, FLOW), tails = arrayOf<L>(fold, TAIL), lseFlows = arrayOf<L>(fold, LSE_FLOW);
  const peaks = arrayOf<L>(fold, PEAK);
  const hasLseFlow = fold.zLossScale > 0;
  const c0 = expConstant<f64>(0), c1 = expConstant<f64>(1), c2 = expConstant<f64>(2), c3 = expConstant<f64>(3);
  const c4 = expConstant<f64>(4), c5 = expConstant<f64>(5), c6 = expConstant<f64>(6), c7 = expConstant<f64>(7);
  const c8 = expConstant<f64>(8), c9 = expConstant<f64>(9);
  const one = f64x2.splat(1);
  for (let at: usize = 0, end = <usize>fold.width << 3; at < end; at += 16) {
    const flow = v128.load(flows + at);
    const tail = v128.load(tails + at);
    const peak = peaks + (sizeof<K>() == 4 ? at >> 1 : at);
    const x = sizeof<K>() == 4 ? f64x2.promote_low_f32x4(v128.load64_zero(peak)) : v128.load(peak);
    const e = v128.mul<f64>(exp<f64>(x, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9), f64x2.splat(unscale<f64>()));
    const rest = v128.add<f64>(v128.sub<f64>(one, e), tail);
    let product = v128.mul<f64>(flow, rest);
    if (hasLseFlow) product = v128.add<f64>(product, v128.mul<f64>(v128.load(lseFlows + at), e));
    const gradient = v128.div<f64>(product, v128.add<f64>(one, tail));
    const stored = sizeof<K>() == 4 ? f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(flow)) : flow;
    // 0, or NaN.
    const checked = v128.add<f64>(gradient, v128.sub<f64>(stored, stored));
    if (sizeof<K>() == 4) v128.store64_lane(peak, f32x4.demote_f64x2_zero(checked), 0);
    else v128.store(peak, checked);
  }
}

/** Adds the gradient of the target's class if the block contains it. `whole` replaces the gradient instead. */
export function addPeaks<K, L>(fold: Fold, n: usize, to: usize, pitch: usize, whole: bool): void {
  const classes = arrayOf<L>(fold, CLASS), peaks = arrayOf<L>(fold, PEAK);
  const step = isRows<L>() ? sizeof<K>() : pitch;
  for (let j: usize = 0; j < fold.width; j++) {
    const y = load<i32>(classes + (j << 2));
    if (y < 0 || <u32>y < fold.classAt || <u32>y - fold.classAt >= <u32>n) continue;
    const at = to + <usize>(<u32>y - fold.classAt) * step + j * sizeof<K>();
    const peak = load<K>(peaks + j * sizeof<K>());
    store<K>(at, whole ? peak : load<K>(at) + peak);
  }
}
