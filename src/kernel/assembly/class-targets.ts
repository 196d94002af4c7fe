// Targets of one class index for each position: their classes, and the losses and gradients of the picked classes.
import { elementOf, rounded, weightOf } from "./elements";
import { loadIndex, log2SizeOf, roundNumber, storeNumber } from "./formats";
import { codeOf, isRows } from "./lines";
import { gradientsOfTargets } from "./passes";
import { sampleOf } from "./positions";
import { CLASS, LOG, LOG_REST, MAX, PEAK, arrayBytes, padded, stateOf } from "./state";
import { Fold } from "./struct";
import { lostBy } from "./sum";

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
  const bytes = arrayBytes(fold);
  const maxima = stateOf(fold) + MAX * bytes;
  const logs = stateOf(fold) + LOG * bytes;
  const rests = stateOf(fold) + LOG_REST * bytes;
  const classes = stateOf(fold) + CLASS * bytes;
  const losses = <usize>fold.losses;
  const width = log2SizeOf(fold.lossDtype);
  const peaks: usize = fold.out != 0 && picksOnly<K>(fold) ? stateOf(fold) + PEAK * bytes : 0;
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
  if (peaks != 0) gradientsOfTargets<K>(fold);
}

/** Adds the gradient of the target's class if the block contains it. `whole` replaces the gradient instead. */
export function addPeaks<K, L>(fold: Fold, n: usize, to: usize, pitch: usize, whole: bool): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const step = isRows<L>() ? sizeof<K>() : pitch;
  for (let j: usize = 0; j < fold.width; j++) {
    const y = load<i32>(state + CLASS * bytes + (j << 2));
    if (y < 0 || <u32>y < fold.classAt || <u32>y - fold.classAt >= <u32>n) continue;
    const at = to + <usize>(<u32>y - fold.classAt) * step + j * sizeof<K>();
    const peak = load<K>(state + PEAK * bytes + j * sizeof<K>());
    store<K>(at, whole ? peak : load<K>(at) + peak);
  }
}
