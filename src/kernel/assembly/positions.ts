// Losses of single positions, and their terms beside the picked class: factors of the samples, z-losses (PaLM, arXiv 2204.02311), and the
// class of the largest logit.
import { elementOf } from "./elements";
import { FLOAT32, FLOAT64, loadNumber, roundNumber, storeNumber, log2SizeOf } from "./formats";
import { BEST, CLASS, FLOW, GRAD_OUTPUT, LOG, LOG_REST, LOSS, LSE_FLOW, MAX, TAIL, arrayBytes, padded, stateOf } from "./state";
import { Fold, keepOf, spreadOf } from "./struct";
import { accumulate } from "./sum";
import { Columns, isRows } from "./types";

/** Returns the factor of a position. */
export function sampleAt(fold: Fold, position: usize): f64 {
  const dtype = fold.wide ? FLOAT64 : FLOAT32;
  return loadNumber(<usize>fold.sampleWeight + (position << log2SizeOf(dtype)), dtype);
}

/** Returns the factor of position `j` of the group, 1 without sample weights. */
export function sampleOf(fold: Fold, j: usize): f64 {
  return fold.sampleWeight == 0 ? 1 : sampleAt(fold, <usize>fold.position + j);
}

/** Returns the logsumexp of position `j` of the group. */
function lseOf(fold: Fold, j: usize): f64 {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  if (fold.wide) return load<f64>(state + MAX * bytes + (j << 3)) + load<f64>(state + LOG * bytes + (j << 3));
  const at = state + (j << 2);
  return f64(load<f32>(at + MAX * bytes)) + f64(load<f32>(at + LOG * bytes)) + f64(load<f32>(at + LOG_REST * bytes));
}

/**
 * Keeps the logsumexp of each position in FLOW, which is free once FLOW_K has the sum, before the gradient overwrites
 * the logits. A line with NaN, with Infinity or of -Infinity alone has that, its maximum, as its logsumexp.
 */
export function keepLse(fold: Fold): void {
  const flow = stateOf(fold) + FLOW * arrayBytes(fold);
  for (let j: usize = 0; j < fold.width; j++) {
    let lse = lseOf(fold, j);
    if (lse != lse) {
      lse = -Infinity;
      for (let y: usize = 0; y < fold.classes; y++)
        lse = max(lse, elementOf<f64, Columns>(fold, <usize>fold.position + j, y));
    }
    store<f64>(flow + (j << 3), lse);
  }
}

/** Computes the gradient of the z-loss with respect to each logsumexp, 2 * scale * lse * g, in LSE_FLOW as float64. */
export function findLseFlow<K>(fold: Fold): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  for (let j: usize = 0; j < fold.width; j++) {
    const g = f64(load<K>(state + GRAD_OUTPUT * bytes + j * sizeof<K>()));
    store<f64>(state + LSE_FLOW * bytes + (j << 3), g == 0 ? 0 : 2 * fold.zLossScale * lseOf(fold, j) * g);
  }
}

/** Adds the z-loss of position `j` to a loss of that position, and its share to the sum of the z-losses. */
function addZLoss(fold: Fold, j: usize, loss: f64, sample: f64): f64 {
  const lse = load<f64>(stateOf(fold) + FLOW * arrayBytes(fold) + (j << 3));
  const zLoss = roundNumber(fold.zLossScale * lse * lse, fold.lossDtype);
  const weighted = roundNumber(zLoss * sample, fold.lossDtype);
  accumulate(changetype<usize>(fold) + offsetof<Fold>("zLossSum"), weighted);
  storeZLoss(fold, j, weighted);
  return roundNumber(loss + zLoss, fold.lossDtype);
}

/** Stores the z-loss of position `j`, if it is an output. */
function storeZLoss(fold: Fold, j: usize, value: f64): void {
  if (fold.zLosses == 0) return;
  storeNumber(<usize>fold.zLosses + ((<usize>fold.position + j) << log2SizeOf(fold.lossDtype)), fold.lossDtype, value);
}

/**
 * Finds the largest logits of the block of `n` classes at `x` that exceed those of the blocks before. NaN exceeds every
 * number, and the first of equal logits counts, as in `torch.argmax`.
 */
export function findBest<K, L>(fold: Fold, x: usize, n: usize): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const step = isRows<L>() ? sizeof<K>() : padded(fold) * sizeof<K>();
  for (let j: usize = 0; j < fold.width; j++) {
    const best = state + BEST * bytes + (j << 2);
    const known = load<i32>(best);
    const max = load<K>(state + MAX * bytes + j * sizeof<K>());
    const isNaN = load<f64>(state + TAIL * bytes + (j << 3)) != load<f64>(state + TAIL * bytes + (j << 3));
    if (known >= 0) {
      const before = elementOf<K, L>(fold, <usize>fold.position + j, known);
      if (before != before || (before == max && !isNaN)) continue;
    }
    const from = x + j * sizeof<K>();
    let found: i32 = -1;
    for (let c: usize = 0; c < n; c++) {
      const logit = load<K>(from + c * step);
      if (isNaN && logit != logit) {
        found = i32(c);
        break;
      }
      if (found < 0 && logit == max) {
        found = i32(c);
        if (!isNaN) break;
      }
    }
    if (found < 0) continue;
    // Of a block without NaN in a line with one, keeps a class as good as the maximum from before.
    const logit = load<K>(from + <usize>found * step);
    if (known >= 0 && logit == logit && elementOf<K, L>(fold, <usize>fold.position + j, known) == logit) continue;
    store<i32>(best, found + i32(fold.classAt));
  }
}

/** Stores the predictions of the group. A line of -Infinity has the class 0. `isIndex` marks targets of class indices. */
export function storePredictions(fold: Fold, isIndex: bool): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  for (let j: usize = 0; j < fold.width; j++) {
    const best = max(load<i32>(state + BEST * bytes + (j << 2)), 0);
    const at = <usize>fold.position + j;
    if (fold.predictions != 0) store<i64>(<usize>fold.predictions + (at << 3), best);
    if (fold.correct == 0 || !isIndex) continue;
    store<u8>(<usize>fold.correct + at, u8(load<i32>(state + CLASS * bytes + (j << 2)) == best));
  }
}

/** Ends the loss of position `j` of the group, rounding each stage as if it were stored. */
export function endLoss(fold: Fold, isSum: bool, isDense: bool, j: usize): void {
  const bytes = arrayBytes(fold);
  const dtype = fold.lossDtype;
  const at = <usize>fold.losses + ((<usize>fold.position + j) << log2SizeOf(dtype));
  const ignored = !isDense && load<i32>(stateOf(fold) + CLASS * bytes + (j << 2)) < 0;
  const sample: f64 = ignored ? 1 : sampleOf(fold, j);
  const sum: f64 = ignored ? 0 : roundNumber(-load<f64>(stateOf(fold) + LOSS * bytes + (j << 3)), dtype);
  let loss = sum;
  if (isSum) accumulate(changetype<usize>(fold) + offsetof<Fold>("lossSum"), roundNumber(sum * sample, dtype));
  else {
    loss = fold.losses == 0 ? 0 : loadNumber(at, dtype);
    if (fold.smoothing > 0) {
      accumulate(changetype<usize>(fold) + offsetof<Fold>("smoothSum"), roundNumber(sum * sample, dtype));
      const hard = roundNumber(keepOf(fold) * loss, dtype);
      loss = roundNumber(hard + roundNumber(spreadOf(fold) * sum, dtype), dtype);
    }
  }
  if (ignored) storeZLoss(fold, j, 0);
  else if (fold.zLossScale > 0) loss = addZLoss(fold, j, loss, sample);
  if (fold.losses != 0) storeNumber(at, dtype, loss * sample);
}
