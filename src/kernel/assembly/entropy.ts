// Terms of the entropy of a block, H = log S + sum(e^d * -d) / S with d = x - m <= 0. All terms are positive, so nothing
// cancels.
import { exp, expConstant, nmadd, unscale } from "./exp";
import { FLOW, FLOW_REST, LOSS, LOSS_REST, MAX, arrayOf } from "./state";
import { Fold } from "./struct";
import { addWithRest, takeRest } from "./sum";
import { addTo, groupsOf, lower, positionVector, stepsOf, strideOf, upper } from "./vectors";

/** Steps whose terms are added in K before they are added to the float64 sum. */
const RUN: usize = 16;

/** Adds e^d * -d of all classes to LOSS. A term without probability is 0, even for d = -Infinity. */
export function addEntropy<K, L>(fold: Fold, x: usize, n: usize): void {
  const maxima = arrayOf<L>(fold, MAX), sums = arrayOf<L>(fold, LOSS), rests = arrayOf<L>(fold, LOSS_REST);
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const scale = f64x2.splat(unscale<K>());
  const groups = groupsOf<K, L>(fold), steps = stepsOf<K, L>(n), stride = strideOf<K, L>(fold);
  for (let g: usize = 0; g < groups; g++) {
    const m = positionVector<K, L>(maxima, g);
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    const last = x + (g << 4) + steps * stride;
    for (let at = x + (g << 4); at < last; ) {
      const end = min(last, at + RUN * stride);
      let sum = v128.splat<K>(0);
      for (; at < end; at += stride) {
        // Below c3, the exponential is 0.
        const d = v128.pmax<K>(v128.sub<K>(v128.load(at), m), c3);
        sum = nmadd<K>(exp<K>(d, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9), d, sum);
      }
      low = sizeof<K>() == 8 ? addWithRest(low, sum) : v128.add<f64>(low, lower<K>(sum));
      high = v128.add<f64>(high, upper<K>(sum));
    }
    const rest = v128.mul<f64>(takeRest<K>(), scale);
    addTo<K, L>(sums, rests, g, v128.mul<f64>(low, scale), v128.mul<f64>(high, scale), rest);
  }
}

/** Adds NaN to FLOW if a class is NaN, otherwise 0. */
export function addNaN<K, L>(fold: Fold, x: usize, n: usize): void {
  const sums = arrayOf<L>(fold, FLOW), rests = arrayOf<L>(fold, FLOW_REST);
  const groups = groupsOf<K, L>(fold), steps = stepsOf<K, L>(n), stride = strideOf<K, L>(fold);
  for (let g: usize = 0; g < groups; g++) {
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (let k: usize = 0; k < steps; k++) {
      const v = v128.load(x + (g << 4) + k * stride);
      const nan = v128.and(v, v128.ne<K>(v, v));
      low = v128.add<f64>(low, lower<K>(nan));
      high = v128.add<f64>(high, upper<K>(nan));
    }
    addTo<K, L>(sums, rests, g, low, high, f64x2.splat(0));
  }
}
