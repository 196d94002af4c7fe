// Folds: compute a loss over the lines of a tensor, with its gradient in the same call. A step continues a fold for
// about `budget` elements in any shape and returns whether it is done, so that no slice blocks the event loop.
import { readClasses } from "./class-targets";
import { weightOf } from "./elements";
import { forgetKnown } from "./exponential-sums";
import { SMALL_ROW, classesAtOnce, columnsAtOnce, positionsOfPicks } from "./groups";
import { emptyLines, keepSums, loadSums, needsSweep, stopsAt } from "./line-sums";
import { ROW_BLOCK } from "./lines";
import { endLoss, sampleOf, storePredictions } from "./positions";
import { pickedWeight, readPicks } from "./sparse";
import {
  CLASS, FLOW, LOSS, LOSS_REST, MAX_WIDTH, PEAK, GRAD_OUTPUT, addRests, arrayBytes, clearState, stateOf,
} from "./state";
import { FOLD_BYTES, Fold, OWN_WIDTH, keepOf, spreadOf } from "./struct";
import { accumulate, totalOf } from "./sum";
import {
  CROSS_ENTROPY, LINE_GRAD, LINE_SUMS, LOG_SOFTMAX, LOG_SOFTMAX_GRAD, SOFT_TARGET, SPARSE_TARGET, finishSums, sumBlock, writeBlock,
} from "./sweeps";
import { Columns, Rows, isRows } from "./types";

export const foldBytes: usize = FOLD_BYTES;
export const positionOffset: usize = offsetof<Fold>("position");
export const linesOffset: usize = offsetof<Fold>("lines");

/** Overhead of a group, in elements. */
const GROUP_COST: i64 = 64;

/** Phases of a group. */
const SUM: u32 = 0;
const WRITE: u32 = 1;
const DONE: u32 = 2;

export function logSoftmaxStep(at: usize, budget: i32): i32 {
  return step(changetype<Fold>(at), LOG_SOFTMAX, budget);
}

export function logSoftmaxGradStep(at: usize, budget: i32): i32 {
  return step(changetype<Fold>(at), LOG_SOFTMAX_GRAD, budget);
}

/** Sums each line, see line-sums.ts. Also writes the log-probabilities if `out` is given. */
export function lineSumsStep(at: usize, budget: i32): i32 {
  return step(changetype<Fold>(at), LINE_SUMS, budget);
}

/** Writes the gradient of lines whose sums are known to `out`. `target` is the gradient of the log-probabilities, 0 for none. */
export function lineGradStep(at: usize, budget: i32): i32 {
  return step(changetype<Fold>(at), LINE_GRAD, budget);
}

export function crossEntropyStep(at: usize, budget: i32): i32 {
  return step(changetype<Fold>(at), CROSS_ENTROPY, budget);
}

export function softTargetStep(at: usize, budget: i32): i32 {
  return step(changetype<Fold>(at), SOFT_TARGET, budget);
}

export function sparseTargetStep(at: usize, budget: i32): i32 {
  return step(changetype<Fold>(at), SPARSE_TARGET, budget);
}

function step(fold: Fold, op: i32, budget: i32): i32 {
  if (op == LINE_SUMS && fold.classes == 0) return emptyLines(fold, budget);
  // Skips lines without elements unless each position has a loss to write, or a target, whose bytes bound their number.
  const hasTargets = op == CROSS_ENTROPY || (op == SPARSE_TARGET && fold.picks != 0);
  if (fold.classes == 0 && fold.losses == 0 && !hasTargets) return 1;
  if (fold.inner == 1 && fold.classes > SMALL_ROW) {
    return fold.wide ? run<f64, Rows>(fold, op, budget) : run<f32, Rows>(fold, op, budget);
  }
  return fold.wide ? run<f64, Columns>(fold, op, budget) : run<f32, Columns>(fold, op, budget);
}

/** Processes group by group, each in a sweep that sums and, if {@link writes}, one that writes. */
function run<K, L>(fold: Fold, op: i32, budget: i32): i32 {
  const positions = <u64>fold.outer * fold.inner;
  let left: i64 = budget;
  forgetKnown();
  // Whether the sweeps have kept the logits of all classes of the group.
  let held = false;
  while (<u64>fold.position < positions) {
    if (fold.width == 0) {
      const weighted = op == CROSS_ENTROPY && fold.smoothing > 0 && fold.out != 0;
      if (weighted && !addWeights<K>(fold, usize(max<i64>(left, 1)))) return 0;
      beginGroup<K, L>(fold, op, usize(positions - fold.position));
      left -= picksCost(fold, op);
    }
    while (fold.phase < DONE) {
      while (fold.classAt < fold.classes) {
        // Finishes a wide group because its state is in shared scratch that the next fold overwrites.
        if (left <= 0 && <usize>fold.width <= OWN_WIDTH) return 0;
        const n = min<usize>(isRows<L>() ? ROW_BLOCK : classesAtOnce(fold), fold.classes - fold.classAt);
        if (fold.phase == SUM) {
          sumBlock<K, L>(fold, op, n);
          held = n == fold.classes && op != LOG_SOFTMAX_GRAD && op != LINE_GRAD;
        } else {
          writeBlock<K, L>(fold, op, n, held);
          held = false;
          left -= picksCost(fold, op);
        }
        fold.classAt += u32(n);
        left -= i64(n * fold.width);
      }
      if (fold.phase == SUM) {
        finishSums<K, L>(fold, op, held);
        left -= picksCost(fold, op);
      }
      fold.classAt = 0;
      fold.phase = fold.phase == SUM && writes<K>(fold, op) ? WRITE : DONE;
    }
    if (sizeof<K>() == 8) addRests(fold, LOSS, LOSS_REST);
    if (op == LINE_SUMS) keepSums<K>(fold);
    endGroup(fold, op);
    if (fold.lines != 0 && stopsAt(fold)) return 1;
    left -= GROUP_COST;
    if (left <= 0) return 0;
  }
  return 1;
}

/** Returns the elements that one pass over the picks of a group counts as. */
// @ts-ignore: decorator
@inline
function picksCost(fold: Fold, op: i32): i64 {
  return op == SPARSE_TARGET ? i64(fold.picks) * i64(fold.width) : 0;
}

/** Returns whether a second sweep is needed, for a result per class or a sum over log-probabilities. */
function writes<K>(fold: Fold, op: i32): bool {
  if (op == LINE_SUMS) return fold.out != 0 || needsSweep<K>(fold);
  if (op == CROSS_ENTROPY && fold.out == 0) return fold.smoothing > 0;
  return op != SPARSE_TARGET || fold.out != 0;
}

/** Adds up the weights of all classes before the first group, up to `budget` at a time, and returns whether that is done. */
function addWeights<K>(fold: Fold, budget: usize): bool {
  if (fold.position > 0) return true;
  if (fold.weight == 0) fold.weightSum = f64(fold.classes);
  if (fold.weight == 0 || fold.classAt == fold.classes) return true;
  const end = min<usize>(fold.classes, <usize>fold.classAt + budget);
  const sums = changetype<usize>(fold) + offsetof<Fold>("weightSum");
  for (let c: usize = fold.classAt; c < end; c++) accumulate(sums, f64(load<K>(<usize>fold.weight + c * sizeof<K>())));
  fold.classAt = u32(end);
  return end == fold.classes;
}

function beginGroup<K, L>(fold: Fold, op: i32, left: usize): void {
  fold.width = u32(isRows<L>() ? 1 : min(min(left, columnsAtOnce(fold)), op == SPARSE_TARGET ? positionsOfPicks(fold) : MAX_WIDTH));
  fold.phase = SUM;
  fold.classAt = 0;
  clearState<K>(fold);
  if (op == LINE_GRAD) loadSums<K>(fold);
  if (op == CROSS_ENTROPY) readClasses(fold);
  if (op == SPARSE_TARGET) readPicks(fold);
  const hasGradient = (fold.out | fold.gradTarget | fold.gradTargetWeight) != 0;
  if (op >= CROSS_ENTROPY && hasGradient) readGradOutput<K>(fold, op);
}

/** Reads the upstream gradients of the group. For class indices, also computes the gradient of the log-probabilities. */
function readGradOutput<K>(fold: Fold, op: i32): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const each: usize = fold.gradOutput == 0 ? <usize>0 : <usize>fold.gradOutput + <usize>fold.position * sizeof<K>();
  const smooth = spreadOf(fold) * totalOf(changetype<usize>(fold) + offsetof<Fold>("weightSum"));
  for (let j: usize = 0; j < fold.width; j++) {
    const k = j * sizeof<K>();
    let g = each == 0 ? fold.gradOutputScalar : f64(load<K>(each + k));
    if (fold.sampleWeight != 0) g *= sampleOf(fold, j);
    if (op == SPARSE_TARGET) {
      if (load<i32>(state + CLASS * bytes + (j << 2)) < 0) g = 0;
      store<f64>(state + FLOW * bytes + (j << 3), g == 0 ? 0 : -g * pickedWeight<K>(fold, j));
    } else if (op == CROSS_ENTROPY) {
      const y = load<i32>(state + CLASS * bytes + (j << 2));
      if (y < 0) g = 0;
      const peak = y < 0 ? 0 : -keepOf(fold) * g * weightOf<K>(fold, y);
      store<K>(state + PEAK * bytes + k, <K>peak);
      // Avoids peak - 0 * g without smoothing because an infinite g would give NaN.
      const flow = fold.smoothing > 0 ? peak - smooth * g : peak;
      store<f64>(state + FLOW * bytes + (j << 3), flow);
    }
    store<K>(state + GRAD_OUTPUT * bytes + k, <K>g);
  }
}

/** Writes the predictions and the losses that needed more than the picked class, and advances to the next group. */
function endGroup(fold: Fold, op: i32): void {
  if ((fold.predictions | fold.correct) != 0) storePredictions(fold, op == CROSS_ENTROPY);
  const isSum = op == SOFT_TARGET || op == SPARSE_TARGET;
  const isPlain = fold.smoothing == 0 && fold.zLossScale == 0 && fold.sampleWeight == 0;
  if (isSum || (op == CROSS_ENTROPY && !isPlain)) {
    for (let j: usize = 0; j < fold.width; j++) endLoss(fold, isSum, op == SOFT_TARGET, j);
  }
  fold.position += fold.width;
  fold.width = 0;
}
