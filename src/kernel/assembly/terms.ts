// Terms of losses and of their gradients with respect to the log-probabilities, written to a block, and sums of blocks
// over the classes.
import { PAIRED } from "./paired";
import { FLOW, FLOW_REST, GRAD_OUTPUT, LOSS, LOSS_REST, arrayOf } from "./state";
import { Fold, keepOf, spreadOf } from "./struct";
import { addWithRest, takeRest } from "./sum";
import { isRows, lanes } from "./types";
import {
  addTo, groupsOf, lower, runOf, stepsOf, strideOf, upper,
} from "./vectors";

/** Vectors of float64 that are added before their sum is added with its rounding error, so that errors grow within a run only. */
const RUN: usize = 16;

/** Adds the classes of a block to the sums of their positions in the arrays `sum` and `rest`. A row's last vector ends with zeros. */
export function addBlock<K, L>(fold: Fold, block: usize, n: usize, sum: usize, rest: usize): void {
  const sums = arrayOf<L>(fold, sum), rests = arrayOf<L>(fold, rest);
  const groups = groupsOf<K, L>(fold), stride = strideOf<K, L>(fold);
  const bytes = stepsOf<K, L>(n) * stride;
  for (let g: usize = 0; g < groups; g++) {
    let at = block + (g << 4);
    const last = at + bytes;
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    if (sizeof<K>() == 4) {
      // Even and odd steps have sums of their own, because the next addition to a sum waits for the last one.
      let lowOdd = f64x2.splat(0);
      let highOdd = f64x2.splat(0);
      for (; at + stride < last; at += stride << 1) {
        const even = v128.load(at), odd = v128.load(at + stride);
        low = v128.add<f64>(low, lower<K>(even));
        high = v128.add<f64>(high, upper<K>(even));
        lowOdd = v128.add<f64>(lowOdd, lower<K>(odd));
        highOdd = v128.add<f64>(highOdd, upper<K>(odd));
      }
      if (at < last) {
        const even = v128.load(at);
        low = v128.add<f64>(low, lower<K>(even));
        high = v128.add<f64>(high, upper<K>(even));
      }
      low = v128.add<f64>(low, lowOdd);
      high = v128.add<f64>(high, highOdd);
    } else {
      while (at < last) {
        let run = f64x2.splat(0);
        for (const end = min(last, at + RUN * stride); at < end; at += stride) run = v128.add<f64>(run, v128.load(at));
        low = addWithRest(low, run);
      }
    }
    addTo<K, L>(sums, rests, g, low, high, takeRest<K>());
  }
}

/** Adds the smooth term w * a to LOSS and sets `base` (0 for none) to its gradient, -eps / C * w * g. Overwrites `scratch`. */
export function smoothTerm<K, L>(fold: Fold, a: usize, base: usize, scratch: usize, n: usize): void {
  if (fold.weight != 0) writeTerms<K, L>(fold, SMOOTH_LOSS, a, 0, scratch, n);
  addTerms<K, L>(fold, fold.weight == 0 ? a : scratch, n, LOSS, LOSS_REST);
  if (base != 0) writeTerms<K, L>(fold, SMOOTH_FLOW, 0, 0, base, n);
}

/** Adds -g * w * q, the gradient of soft targets with respect to the log-probabilities, to FLOW. Overwrites `scratch`. */
export function addSoftFlow<K, L>(fold: Fold, t: usize, scratch: usize, n: usize): void {
  writeSoftFlow<K, L>(fold, t, scratch, n);
  addTerms<K, L>(fold, scratch, n, FLOW, FLOW_REST);
}

/**
 * Adds the loss of soft targets a * q * w to LOSS, sets `base` to -g * w * q and `gradTarget` to -keep * g * w * a.
 * `base` and `gradTarget` may be 0, and `gradTarget` may equal `t`. Overwrites `scratch`.
 */
export function softTerm<K, L>(fold: Fold, a: usize, t: usize, base: usize, gradTarget: usize, scratch: usize, n: usize): void {
  writeTerms<K, L>(fold, SOFT_LOSS, a, t, scratch, n);
  addTerms<K, L>(fold, scratch, n, LOSS, LOSS_REST);
  if (base != 0) writeSoftFlow<K, L>(fold, t, base, n);
  if (gradTarget != 0) writeTerms<K, L>(fold, TARGET_GRAD, a, 0, gradTarget, n);
}

/** Writes -g * w * q to `to`. */
function writeSoftFlow<K, L>(fold: Fold, t: usize, to: usize, n: usize): void {
  writeTerms<K, L>(fold, SOFT_FLOW, 0, t, to, n);
}

/** Does {@link addBlock} after filling up a row's last vector, in place. */
function addTerms<K, L>(fold: Fold, block: usize, n: usize, sum: usize, rest: usize): void {
  if (isRows<L>()) for (let i = n; i & (lanes<K>() - 1); i++) store<K>(block + i * sizeof<K>(), 0);
  addBlock<K, L>(fold, block, n, sum, rest);
}

// Kinds of terms. a is a log-probability, t an element of a soft target, w the weight of its class, g the upstream
// gradient of its position, and q = t * keep + spread.
/** w * a */
const SMOOTH_LOSS: i32 = 0;
/** -spread * g * w */
const SMOOTH_FLOW: i32 = 1;
/** a * q * w */
const SOFT_LOSS: i32 = 2;
/** -g * w * q, in PyTorch's order, because w * q may exceed float32 where the whole product does not */
const SOFT_FLOW: i32 = 3;
/** -g * keep * w * a */
const TARGET_GRAD: i32 = 4;

/** Returns the factor that kinds have for each position. */
// @ts-ignore: decorator
@inline
function factorOf<K>(kind: i32, g: K, keep: K, spread: K): K {
  if (kind == SMOOTH_FLOW) return g * -spread;
  return kind == TARGET_GRAD ? -g * keep : -g;
}

/** Does {@link factorOf} for a vector of positions. */
// @ts-ignore: decorator
@inline
function factorsOf<K>(kind: i32, g: v128, keep: v128, spread: v128): v128 {
  if (kind == SMOOTH_FLOW) return v128.neg<K>(v128.mul<K>(g, spread));
  return kind == TARGET_GRAD ? v128.mul<K>(v128.neg<K>(g), keep) : v128.neg<K>(g);
}

// @ts-ignore: decorator
@inline
function termOf<K>(kind: i32, a: v128, t: v128, w: v128, factor: v128, keep: v128, spread: v128): v128 {
  if (kind == SMOOTH_LOSS) return v128.mul<K>(w, a);
  if (kind == SMOOTH_FLOW) return v128.mul<K>(factor, w);
  if (kind == TARGET_GRAD) return v128.mul<K>(v128.mul<K>(factor, w), a);
  const q = v128.add<K>(v128.mul<K>(t, keep), spread);
  return kind == SOFT_LOSS ? v128.mul<K>(v128.mul<K>(a, q), w) : v128.mul<K>(v128.mul<K>(factor, w), q);
}

/** Weights of a fold without weights. */
const ONES32 = memory.data<f32>([1, 1, 1, 1, 1, 1, 1, 1], 16);
const ONES64 = memory.data<f64>([1, 1, 1, 1], 16);

/** Writes the terms of a block to `to`. `a` and `t` are 0 for kinds without them. */
// @ts-ignore: decorator
@inline
function writeTerms<K, L>(fold: Fold, kind: i32, a: usize, t: usize, to: usize, n: usize): void {
  const hasLogs = kind != SMOOTH_FLOW && kind != SOFT_FLOW;
  const hasTargets = kind == SOFT_LOSS || kind == SOFT_FLOW;
  const zero = v128.splat<K>(0);
  const keep = v128.splat<K>(<K>keepOf(fold));
  const spread = v128.splat<K>(<K>spreadOf(fold));
  const gradOutputs = arrayOf<L>(fold, GRAD_OUTPUT);
  // Broadcast as a number, see paired.ts.
  const factor = v128.splat<K>(factorOf<K>(kind, load<K>(gradOutputs), <K>keepOf(fold), <K>spreadOf(fold)));
  const isWeighted = fold.weight != 0;
  let weights: usize = isWeighted ? <usize>fold.weight + <usize>fold.classAt * sizeof<K>() : sizeof<K>() == 4 ? ONES32 : ONES64;
  // Without weights, every step reads the same ones.
  const mask: usize = isWeighted ? ~(<usize>0) : 0;
  const run = runOf<K, L>(fold, n);
  for (const last = to + stepsOf<K, L>(n) * strideOf<K, L>(fold); to < last; ) {
    const weight = v128.load_splat<K>(weights);
    let at: usize = 0;
    if (PAIRED) {
      for (; at + 16 < run; at += 32) {
        const v = termOf<K>(
          kind, hasLogs ? v128.load(a + at) : zero, hasTargets ? v128.load(t + at) : zero,
          isRows<L>() ? v128.load(weights + (at & mask)) : weight,
          isRows<L>() ? factor : factorsOf<K>(kind, v128.load(gradOutputs + at), keep, spread), keep, spread,
        );
        const w = termOf<K>(
          kind, hasLogs ? v128.load(a + at, 16) : zero, hasTargets ? v128.load(t + at, 16) : zero,
          isRows<L>() ? v128.load(weights + (at & mask), 16) : weight,
          isRows<L>() ? factor : factorsOf<K>(kind, v128.load(gradOutputs + at, 16), keep, spread), keep, spread,
        );
        v128.store(to + at, v);
        v128.store(to + at, w, 16);
      }
    }
    for (; at < run; at += 16) {
      const v = termOf<K>(
        kind, hasLogs ? v128.load(a + at) : zero, hasTargets ? v128.load(t + at) : zero,
        isRows<L>() ? v128.load(weights + (at & mask)) : weight,
        isRows<L>() ? factor : factorsOf<K>(kind, v128.load(gradOutputs + at), keep, spread), keep, spread,
      );
      v128.store(to + at, v);
    }
    a += run;
    t += run;
    to += run;
    weights += sizeof<K>() & mask;
  }
}
