// Gradient of a line from the upstream gradients g of its log-probabilities, l of logsumexp and h of the entropy H:
// dx = (g - p * sum(g)) + p * (l - h * (log p + H)), with p = exp(x - m) / S. The difference may be 0, so it is computed by itself.
import { exp, expConstant, madd, nmadd, unscale } from "./exp";
import { differentiatesEntropy } from "./line-sums";
import { ZERO, minusLog } from "./passes";
import { FLOW, FLOW_K, GRAD_OUTPUT, LOG, LOG_REST, LOSS, LSE_FLOW, MAX, arrayBytes, arrayOf, stateOf } from "./state";
import { Fold } from "./struct";
import { own, positionVector, runOf, stepsOf, strideOf } from "./vectors";

/** Computes -sum(g) / S in FLOW_K, (l - h * H) / S in LSE_FLOW and h / S in GRAD_OUTPUT. */
export function shareLines<K>(fold: Fold): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  for (let j: usize = 0; j < fold.width; j++) {
    const k = j * sizeof<K>();
    const sum = f64(load<K>(state + FLOW_K * bytes + k));
    // Log-probabilities of NaN have gradients of NaN, also beside a logsumexp of Infinity.
    const flow = load<f64>(state + FLOW * bytes + (j << 3)) - 0 * f64(load<K>(state + LOG * bytes + k));
    store<K>(state + FLOW_K * bytes + k, fold.target == 0 ? 0 : <K>(-flow / sum));
    store<K>(state + LSE_FLOW * bytes + k, <K>(load<f64>(state + LOSS * bytes + (j << 3)) / sum));
    const h = f64(load<K>(state + GRAD_OUTPUT * bytes + k));
    store<K>(state + GRAD_OUTPUT * bytes + k, <K>(h / sum));
    // Without an entropy, a logarithm of NaN must not reach the gradient of a logsumexp of Infinity.
    if (!differentiatesEntropy(fold)) {
      store<K>(state + LOG * bytes + k, 0);
      store<K>(state + LOG_REST * bytes + k, 0);
    }
  }
}

/**
 * Writes the gradient of a block. `base` holds g, 0 for none. `to`, whose classes are `pitch` bytes apart, may equal `x`
 * or `base`.
 */
export function lineGradient<K, L>(fold: Fold, x: usize, base: usize, to: usize, pitch: usize, n: usize): void {
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const maxima = arrayOf<L>(fold, MAX);
  const logs = arrayOf<L>(fold, LOG);
  const rests = arrayOf<L>(fold, LOG_REST);
  const flows = arrayOf<L>(fold, FLOW_K);
  const lseFlows = arrayOf<L>(fold, LSE_FLOW);
  const slopes = arrayOf<L>(fold, GRAD_OUTPUT);
  const m = positionVector<K, L>(maxima, 0), log = positionVector<K, L>(logs, 0), rest = positionVector<K, L>(rests, 0);
  const flow = positionVector<K, L>(flows, 0), lseFlow = positionVector<K, L>(lseFlows, 0);
  const slope = positionVector<K, L>(slopes, 0);
  const scale = v128.splat<K>(<K>unscale<K>());
  const run = runOf<K, L>(fold, n);
  // Reads the same zeros for every step.
  const baseStep: usize = base == 0 ? 0 : 16;
  let from = base == 0 ? ZERO : base;
  for (const last = x + stepsOf<K, L>(n) * strideOf<K, L>(fold); x < last; x += run, to += pitch) {
    for (let at: usize = 0; at < run; at += 16, from += baseStep) {
      const d = v128.sub<K>(v128.load(x + at), own<L>(m, maxima, at));
      const e = v128.mul<K>(exp<K>(d, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9), scale);
      // Keeps log p finite where p is 0.
      const a = v128.pmax<K>(minusLog<K>(v128.load(x + at), own<L>(m, maxima, at), own<L>(log, logs, at), own<L>(rest, rests, at)), c3);
      const share = nmadd<K>(own<L>(slope, slopes, at), a, own<L>(lseFlow, lseFlows, at));
      const difference = madd<K>(e, own<L>(flow, flows, at), v128.load(from));
      v128.store(to + at, madd<K>(e, share, difference));
    }
  }
}
