// Terms of losses and of their gradients with respect to the log-probabilities, written to a block, and sums of blocks
// over the classes. In comments, a is a log-probability, t an element of a soft target, w the weight of its class, g the
// upstream gradient of its position, and q a smoothed probability.
import { PAIRED } from "./paired";
import { FLOW, FLOW_REST, GRAD_OUTPUT, LOSS, LOSS_REST, arrayOf } from "./state";
import { Fold, keepOf, spreadOf } from "./struct";
import { addWithRest, takeRest } from "./sum";
import { isRows, lanes } from "./types";
import {
  addTo, groupsOf, lower, nextOwn, own, positionVector, runOf, stepsOf, strideOf, upper,
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

/** Adds the smooth term a * w to LOSS and sets `base` (0 for none) to its gradient, -eps / C * g * w. Overwrites `scratch`. */
export function smoothTerm<K, L>(fold: Fold, a: usize, base: usize, scratch: usize, n: usize): void {
  if (fold.weight != 0) writeLosses<K, L>(fold, a, 0, scratch, n);
  addTerms<K, L>(fold, fold.weight == 0 ? a : scratch, n, LOSS, LOSS_REST);
  if (base != 0) writeGradients<K, L>(fold, -spreadOf(fold), 0, 1, -0.0, base, n);
}

/** Adds -g * w * q, the gradient of soft targets with respect to the log-probabilities, to FLOW. Overwrites `scratch`. */
export function addSoftFlow<K, L>(fold: Fold, t: usize, scratch: usize, n: usize): void {
  writeGradients<K, L>(fold, -1, t, keepOf(fold), spreadOf(fold), scratch, n);
  addTerms<K, L>(fold, scratch, n, FLOW, FLOW_REST);
}

/**
 * Adds the loss of soft targets a * q * w to LOSS, sets `base` to -g * w * q and `gradTarget` to -keep * g * w * a.
 * `base` and `gradTarget` may be 0, and `gradTarget` may equal `t`. Overwrites `scratch`.
 */
export function softTerm<K, L>(fold: Fold, a: usize, t: usize, base: usize, gradTarget: usize, scratch: usize, n: usize): void {
  writeLosses<K, L>(fold, a, t, scratch, n);
  addTerms<K, L>(fold, scratch, n, LOSS, LOSS_REST);
  if (base != 0) writeGradients<K, L>(fold, -1, t, keepOf(fold), spreadOf(fold), base, n);
  if (gradTarget != 0) writeGradients<K, L>(fold, -keepOf(fold), a, 1, -0.0, gradTarget, n);
}

/** Does {@link addBlock} after filling up a row's last vector, in place. */
function addTerms<K, L>(fold: Fold, block: usize, n: usize, sum: usize, rest: usize): void {
  if (isRows<L>()) for (let i = n; i & (lanes<K>() - 1); i++) store<K>(block + i * sizeof<K>(), 0);
  addBlock<K, L>(fold, block, n, sum, rest);
}

// In the loops below, an absent operand is read as ones, the same ones in every step.
const ONES32 = memory.data<f32>([1, 1, 1, 1, 1, 1, 1, 1], 16);
const ONES64 = memory.data<f64>([1, 1, 1, 1], 16);

/** Returns `operand`, or the ones if it is 0. */
// @ts-ignore: decorator
@inline
function orOnes<K>(operand: usize): usize {
  return operand != 0 ? operand : sizeof<K>() == 4 ? ONES32 : ONES64;
}

/** Returns the bits of an offset that count for an operand. */
// @ts-ignore: decorator
@inline
function maskOf(operand: usize): usize {
  return operand == 0 ? 0 : ~(<usize>0);
}

/** Returns the address of the weights of the block's classes, 0 for none. */
// @ts-ignore: decorator
@inline
function blockWeights<K>(fold: Fold): usize {
  return fold.weight == 0 ? 0 : <usize>fold.weight + <usize>fold.classAt * sizeof<K>();
}

/** Loads the weights of a row at an address, or returns the weight of a class of columns. */
// @ts-ignore: decorator
@inline
function weightAt<L>(ofClass: v128, address: usize): v128 {
  return isRows<L>() ? v128.load(address) : ofClass;
}

/** Does {@link weightAt} for the next vector. */
// @ts-ignore: decorator
@inline
function nextWeight<L>(ofClass: v128, address: usize): v128 {
  return isRows<L>() ? v128.load(address, 16) : ofClass;
}

/** Writes the losses a * q * w of a block to `to`, q = t * keep + spread, or q = 1 if `t` is 0. */
function writeLosses<K, L>(fold: Fold, a: usize, t: usize, to: usize, n: usize): void {
  const weight = blockWeights<K>(fold), weightMask = maskOf(weight), targetMask = maskOf(t);
  const keep = v128.splat<K>(<K>(t == 0 ? 1 : keepOf(fold)));
  const spread = v128.splat<K>(<K>(t == 0 ? -0.0 : spreadOf(fold)));
  const run = runOf<K, L>(fold, n);
  let targets = orOnes<K>(t), weights = orOnes<K>(weight);
  for (const last = to + stepsOf<K, L>(n) * strideOf<K, L>(fold); to < last; to += run) {
    const w = v128.load_splat<K>(weights);
    let at: usize = 0;
    if (PAIRED) {
      for (; at + 16 < run; at += 32) {
        const target = targets + (at & targetMask), ofRow = weights + (at & weightMask);
        const p = v128.add<K>(v128.mul<K>(v128.load(target), keep), spread);
        const q = v128.add<K>(v128.mul<K>(v128.load(target, 16), keep), spread);
        const low = v128.mul<K>(v128.mul<K>(v128.load(a + at), p), weightAt<L>(w, ofRow));
        const high = v128.mul<K>(v128.mul<K>(v128.load(a + at, 16), q), nextWeight<L>(w, ofRow));
        v128.store(to + at, low);
        v128.store(to + at, high, 16);
      }
    }
    for (; at < run; at += 16) {
      const q = v128.add<K>(v128.mul<K>(v128.load(targets + (at & targetMask)), keep), spread);
      const loss = v128.mul<K>(v128.mul<K>(v128.load(a + at), q), weightAt<L>(w, weights + (at & weightMask)));
      v128.store(to + at, loss);
    }
    a += run;
    targets += run & targetMask;
    weights += sizeof<K>() & weightMask;
  }
}

/**
 * Writes the gradients g * factor * w * (x * scale + shift) of a block to `to`, in PyTorch's order, because w * x may exceed
 * float32 where the whole product does not. x is 1 if `x` is 0. A shift of -0 keeps -0.
 */
function writeGradients<K, L>(fold: Fold, factor: f64, x: usize, scale: f64, shift: f64, to: usize, n: usize): void {
  const weight = blockWeights<K>(fold), weightMask = maskOf(weight), mask = maskOf(x);
  const scales = v128.splat<K>(<K>scale), shifts = v128.splat<K>(<K>shift), factors = v128.splat<K>(<K>factor);
  const gradOutputs = arrayOf<L>(fold, GRAD_OUTPUT);
  const g = positionVector<K, L>(gradOutputs, 0);
  const run = runOf<K, L>(fold, n);
  let from = orOnes<K>(x), weights = orOnes<K>(weight);
  for (const last = to + stepsOf<K, L>(n) * strideOf<K, L>(fold); to < last; to += run) {
    const w = v128.load_splat<K>(weights);
    let at: usize = 0;
    if (PAIRED) {
      for (; at + 16 < run; at += 32) {
        const operand = from + (at & mask), ofRow = weights + (at & weightMask);
        const p = v128.mul<K>(v128.mul<K>(own<L>(g, gradOutputs, at), factors), weightAt<L>(w, ofRow));
        const q = v128.mul<K>(v128.mul<K>(nextOwn<L>(g, gradOutputs, at), factors), nextWeight<L>(w, ofRow));
        const low = v128.mul<K>(p, v128.add<K>(v128.mul<K>(v128.load(operand), scales), shifts));
        const high = v128.mul<K>(q, v128.add<K>(v128.mul<K>(v128.load(operand, 16), scales), shifts));
        v128.store(to + at, low);
        v128.store(to + at, high, 16);
      }
    }
    for (; at < run; at += 16) {
      const upstream = v128.mul<K>(own<L>(g, gradOutputs, at), factors);
      const value = v128.add<K>(v128.mul<K>(v128.load(from + (at & mask)), scales), shifts);
      v128.store(to + at, v128.mul<K>(v128.mul<K>(upstream, weightAt<L>(w, weights + (at & weightMask))), value));
    }
    from += run & mask;
    weights += sizeof<K>() & weightMask;
  }
}
