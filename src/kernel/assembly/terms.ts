// Sums over the classes of a block, of terms of losses or of their gradients with respect to the log-probabilities.
// vectors.ts describes blocks. In comments, g is the upstream gradient, w the weight of a class, q a smoothed probability.
import { FLOW, FLOW_REST, GRAD_OUTPUT, LOSS, LOSS_REST, arrayOf } from "./state";
import { Fold, keepOf, spreadOf } from "./struct";
import { addWithRest, takeRest } from "./sum";
import { addTo, groupsOf, isRunEnd, lower, positionVector, present, stepsOf, strideOf, upper, weightVector } from "./vectors";

/** Returns the address of the weights of the block's classes, 0 for none. */
// @ts-ignore: decorator
@inline
function blockWeights<K>(fold: Fold): usize {
  return fold.weight == 0 ? 0 : <usize>fold.weight + <usize>fold.classAt * sizeof<K>();
}

/** Adds the gradient `go` of the log-probabilities to FLOW. */
export function addFlow<K, L>(fold: Fold, go: usize, n: usize): void {
  const sums = arrayOf<L>(fold, FLOW), rests = arrayOf<L>(fold, FLOW_REST);
  const groups = groupsOf<K, L>(fold), steps = stepsOf<K, L>(n), stride = strideOf<K, L>(fold);
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
    addTo<K, L>(sums, rests, g, low, high, takeRest<K>());
  }
}

/** Adds the smooth term w * a to LOSS and sets `base` (0 for none) to its gradient, -eps / C * w * g. */
export function smoothTerm<K, L>(fold: Fold, a: usize, base: usize, n: usize): void {
  const sums = arrayOf<L>(fold, LOSS), rests = arrayOf<L>(fold, LOSS_REST);
  const gradOutputs = arrayOf<L>(fold, GRAD_OUTPUT);
  const weight = blockWeights<K>(fold);
  const groups = groupsOf<K, L>(fold), steps = stepsOf<K, L>(n), stride = strideOf<K, L>(fold);
  const one = v128.splat<K>(1);
  const share = v128.splat<K>(<K>-spreadOf(fold));
  for (let g: usize = 0; g < groups; g++) {
    const gradOutput = v128.mul<K>(positionVector<K, L>(gradOutputs, g), share);
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
    addTo<K, L>(sums, rests, g, low, high, takeRest<K>());
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
  const sums = arrayOf<L>(fold, FLOW), rests = arrayOf<L>(fold, FLOW_REST);
  const gradOutputs = arrayOf<L>(fold, GRAD_OUTPUT);
  const weight = blockWeights<K>(fold);
  const groups = groupsOf<K, L>(fold), steps = stepsOf<K, L>(n), stride = strideOf<K, L>(fold);
  const one = v128.splat<K>(1);
  const kept = v128.splat<K>(<K>keepOf(fold));
  const evenly = v128.splat<K>(<K>spreadOf(fold));
  for (let g: usize = 0; g < groups; g++) {
    const gradOutput = v128.neg<K>(positionVector<K, L>(gradOutputs, g));
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
    addTo<K, L>(sums, rests, g, low, high, takeRest<K>());
  }
}

/**
 * Adds the loss of soft targets a * q * w to LOSS, sets `base` to -g * w * q and `gradTarget` to -keep * g * w * a.
 * `base` and `gradTarget` may be 0, and `gradTarget` may equal `t`.
 */
export function softTerm<K, L>(fold: Fold, a: usize, t: usize, base: usize, gradTarget: usize, n: usize): void {
  const sums = arrayOf<L>(fold, LOSS), rests = arrayOf<L>(fold, LOSS_REST);
  const gradOutputs = arrayOf<L>(fold, GRAD_OUTPUT);
  const weight = blockWeights<K>(fold);
  const groups = groupsOf<K, L>(fold), steps = stepsOf<K, L>(n), stride = strideOf<K, L>(fold);
  const one = v128.splat<K>(1);
  const kept = v128.splat<K>(<K>keepOf(fold));
  const evenly = v128.splat<K>(<K>spreadOf(fold));
  for (let g: usize = 0; g < groups; g++) {
    const gradOutput = v128.neg<K>(positionVector<K, L>(gradOutputs, g));
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
    addTo<K, L>(sums, rests, g, low, high, takeRest<K>());
  }
}
