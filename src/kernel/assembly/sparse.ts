// Sparse targets: some classes of each position with a weight each, such as the top k of a teacher. The loss of a
// position is minus the sum of weight * log-probability, as of a dense row of probabilities with these entries.
import { elementOf, rounded, weightOf } from "./elements";
import { loadIndex, loadNumber, storeNumber, log2SizeOf } from "./formats";
import { CLASS, GRAD_OUTPUT, LOG, LOG_REST, LOSS, MAX, arrayBytes, stateOf } from "./state";
import { Fold } from "./struct";
import { lostBy, withLost } from "./sum";
import { isRows } from "./types";

/** Returns the index of pick `k` of a position. Element (o, k, i) lies at (o * picks + k) * inner + i. */
// @ts-ignore: decorator
@inline
function pickAt(fold: Fold, position: usize, k: usize): usize {
  const inner = <usize>fold.inner;
  return ((position / inner) * fold.picks + k) * inner + (position % inner);
}

// @ts-ignore: decorator
@inline
function classAt(fold: Fold, at: usize): i64 {
  return loadIndex(<usize>fold.target + (at << log2SizeOf(fold.targetDtype)), fold.targetDtype);
}

// @ts-ignore: decorator
@inline
function targetWeightAt(fold: Fold, at: usize): f64 {
  return loadNumber(<usize>fold.targetWeight + (at << log2SizeOf(fold.targetWeightDtype)), fold.targetWeightDtype);
}

/** Sets the CLASS of positions without a kept class to -1, of others to 0. */
export function readPicks(fold: Fold): void {
  const classes = stateOf(fold) + CLASS * arrayBytes(fold);
  for (let j: usize = 0; j < fold.width; j++) {
    let kept = -1;
    for (let k: usize = 0; k < fold.picks; k++) {
      if (classAt(fold, pickAt(fold, <usize>fold.position + j, k)) != fold.ignoreIndex) kept = 0;
    }
    store<i32>(classes + (j << 2), kept);
  }
}

/** Returns the sum of the weights of position `j` of the group, each times the weight of its class. */
export function pickedWeight<K>(fold: Fold, j: usize): f64 {
  let sum: f64 = 0;
  let lost: f64 = 0;
  for (let k: usize = 0; k < fold.picks; k++) {
    const at = pickAt(fold, <usize>fold.position + j, k);
    const y = classAt(fold, at);
    if (y == fold.ignoreIndex) continue;
    const term = targetWeightAt(fold, at) * weightOf<K>(fold, usize(y));
    const total = sum + term;
    lost += lostBy(sum, term, total);
    sum = total;
  }
  return withLost(sum, lost);
}

/** Adds up weight * log-probability of the picks in LOSS, and writes the gradient with respect to each weight. */
export function addPicks<K, L>(fold: Fold): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const gradients = <usize>fold.gradTargetWeight;
  for (let j: usize = 0; j < fold.width; j++) {
    const per = state + j * sizeof<K>();
    const position = <usize>fold.position + j;
    const g: f64 = gradients == 0 ? 0 : f64(load<K>(per + GRAD_OUTPUT * bytes));
    let sum: f64 = 0;
    let lost: f64 = 0;
    for (let k: usize = 0; k < fold.picks; k++) {
      const at = pickAt(fold, position, k);
      const y = classAt(fold, at);
      let gradient: f64 = 0;
      if (y != fold.ignoreIndex) {
        let a = elementOf<K, L>(fold, position, usize(y)) - load<K>(per + MAX * bytes) - load<K>(per + LOG * bytes);
        if (sizeof<K>() == 4) a -= load<K>(per + LOG_REST * bytes);
        const factor = f64(rounded<K>(a, fold.xDtype)) * weightOf<K>(fold, usize(y));
        const term = targetWeightAt(fold, at) * factor;
        const total = sum + term;
        lost += lostBy(sum, term, total);
        sum = total;
        gradient = -g * factor;
      }
      if (gradients != 0) storeNumber(gradients + (at << log2SizeOf(fold.targetWeightDtype)), fold.targetWeightDtype, gradient);
    }
    store<f64>(state + LOSS * bytes + (j << 3), withLost(sum, lost));
  }
}

/** Adds the gradients of the picked log-probabilities to those of their classes in the block of `n` classes at `to`. */
export function addPickedPeaks<K, L>(fold: Fold, n: usize, to: usize, pitch: usize): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const step = isRows<L>() ? sizeof<K>() : pitch;
  for (let j: usize = 0; j < fold.width; j++) {
    const g = f64(load<K>(state + GRAD_OUTPUT * bytes + j * sizeof<K>()));
    if (load<i32>(state + CLASS * bytes + (j << 2)) < 0) continue;
    for (let k: usize = 0; k < fold.picks; k++) {
      const at = pickAt(fold, <usize>fold.position + j, k);
      const y = classAt(fold, at);
      if (y == fold.ignoreIndex || y < i64(fold.classAt) || y - i64(fold.classAt) >= i64(n)) continue;
      const place = to + usize(y - i64(fold.classAt)) * step + j * sizeof<K>();
      const peak = -g * targetWeightAt(fold, at) * weightOf<K>(fold, usize(y));
      store<K>(place, load<K>(place) + <K>peak);
    }
  }
}
