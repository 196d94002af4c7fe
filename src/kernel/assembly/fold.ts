// Folds: compute a loss over the lines of a tensor, with its gradient in the same call. A step continues a fold for
// about `budget` elements in any shape and returns whether it is done, so that no slice blocks the event loop.
import { addPeaks, pickLosses, picksOnly, readClasses } from "./class-targets";
import { convert, roundBlock } from "./convert";
import { weightOf } from "./elements";
import { addEntropy, addNaN } from "./entropy";
import { addColumns, addRow, forgetKnown, knowMaximum } from "./exponential-sums";
import { BFLOAT16, FLOAT16, FLOAT64 } from "./formats";
import { SMALL_ROW, classesAtOnce, columnsAtOnce, positionsOfPicks } from "./groups";
import { lineGradient, shareLines } from "./line-grad";
import { emptyLines, keepMaximum, keepSums, loadSums, mustFindNaN, needsSweep, stopsAt, wantsEntropy } from "./line-sums";
import { ROW_BLOCK, blockFor, loadBlock, loadMaxima, pitchOf, placeFor, storeBlock } from "./lines";
import { Scaled, Tiny, WithLse, flowBack, scaleFlows, shareFlow, subtractLogs } from "./passes";
import { endLoss, findBest, findLseFlow, keepLse, sampleOf, storePredictions } from "./positions";
import { addPickedPeaks, addPicks, pickedWeight, readPicks } from "./sparse";
import {
  CLASS, FLOW, FLOW_K, FLOW_REST, LOSS, LOSS_REST, MAX, MAX_WIDTH, PEAK, TAIL, GRAD_OUTPUT, LSE_FLOW, addRests, arrayBytes,
  clearState, closeSums, padded, stateOf,
} from "./state";
import { FOLD_BYTES, Fold, OWN_WIDTH, keepOf, spreadOf } from "./struct";
import { accumulate, totalOf } from "./sum";
import { addFlow, addSoftFlow, smoothTerm, softTerm } from "./terms";
import { Columns, Rows, codeOf, isRows } from "./types";

export const foldBytes: usize = FOLD_BYTES;
export const positionOffset: usize = offsetof<Fold>("position");
export const linesOffset: usize = offsetof<Fold>("lines");

/** Operation. Those from CROSS_ENTROPY on are losses of targets. */
const LOG_SOFTMAX: i32 = 0;
const LOG_SOFTMAX_GRAD: i32 = 1;
const LINE_SUMS: i32 = 2;
const LINE_GRAD: i32 = 3;
const CROSS_ENTROPY: i32 = 4;
const SOFT_TARGET: i32 = 5;
const SPARSE_TARGET: i32 = 6;

// Blocks in K for logits (later log-probabilities), terms of the gradient, targets or upstream gradients, and rounding.
const LOGITS = memory.data(262144, 16); // BLOCK * 8
const BASE = memory.data(262144, 16);
const TARGET = memory.data(262144, 16);
const ROUND = memory.data(262144, 16);

/** Overhead of a group, in elements. */
const GROUP_COST: i64 = 64;

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

/** Processes group by group. The first sweep gathers, the second writes. */
function run<K, L>(fold: Fold, op: i32, budget: i32): i32 {
  const positions = <u64>fold.outer * fold.inner;
  let left: i64 = budget;
  forgetKnown();
  // Whether LOGITS holds all classes of the group.
  let held = false;
  while (<u64>fold.position < positions) {
    if (fold.width == 0) {
      const weighted = op == CROSS_ENTROPY && fold.smoothing > 0 && fold.out != 0;
      if (weighted && !addWeights<K>(fold, usize(max<i64>(left, 1)))) return 0;
      beginGroup<K, L>(fold, op, usize(positions - fold.position));
      left -= picksCost(fold, op);
    }
    while (fold.phase < 2) {
      while (fold.classAt < fold.classes) {
        // Finishes a wide group because its state is in shared scratch that the next fold overwrites.
        if (left <= 0 && <usize>fold.width <= OWN_WIDTH) return 0;
        const n = min<usize>(isRows<L>() ? ROW_BLOCK : classesAtOnce(fold), fold.classes - fold.classAt);
        if (fold.phase == 0) {
          gather<K, L>(fold, op, n);
          held = n == fold.classes && op != LOG_SOFTMAX_GRAD && op != LINE_GRAD;
        } else {
          write<K, L>(fold, op, n, held);
          held = false;
          left -= picksCost(fold, op);
        }
        fold.classAt += u32(n);
        left -= i64(n * fold.width);
      }
      if (fold.phase == 0) {
        closeGather<K, L>(fold, op, held);
        left -= picksCost(fold, op);
      }
      fold.classAt = 0;
      fold.phase = fold.phase == 0 && writes<K>(fold, op) ? 1 : 2;
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
  fold.phase = 0;
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

/** Sums the exponentials and all other terms that the gradient needs, in the first sweep. */
function gather<K, L>(fold: Fold, op: i32, n: usize): void {
  if (op == LINE_GRAD && fold.target == 0) return;
  if (op == LOG_SOFTMAX_GRAD || op == LINE_GRAD) {
    const go = loadBlock<K, L>(fold, fold.target, fold.targetDtype, n, TARGET, 0);
    return addFlow<K, L>(fold, go, n);
  }
  const found = !isRows<L>() && fold.classAt == 0
    && loadMaxima<K>(fold, fold.x, fold.xDtype, n, LOGITS, BASE, stateOf(fold) + MAX * arrayBytes(fold));
  const x = found ? LOGITS : loadBlock<K, L>(fold, fold.x, fold.xDtype, n, LOGITS, <K>-Infinity);
  if (isRows<L>() && sizeof<K>() == 4 && (fold.xDtype == FLOAT16 || fold.xDtype == BFLOAT16)) knowMaximum(x, n);
  if (isRows<L>() && op == LINE_SUMS) keepMaximum<K>(fold, x, n);
  if (isRows<L>()) addRow<K>(fold, x, nextBlock<K, L>(fold, x, n), n);
  else addColumns<K>(fold, x, BASE, n, found);
  if ((fold.predictions | fold.correct) != 0) findBest<K, L>(fold, x, n);
  if (op == SOFT_TARGET && fold.out != 0) {
    const t = loadBlock<K, L>(fold, fold.target, fold.targetDtype, n, TARGET, 0);
    addSoftFlow<K, L>(fold, t, n);
  }
}

/**
 * Returns the block to gather next if it is contiguous with the block of `n` at `x`, in place and of the same length.
 * Otherwise 0.
 */
function nextBlock<K, L>(fold: Fold, x: usize, n: usize): usize {
  if (!isRows<L>() || x == LOGITS) return 0;
  const left = <usize>fold.classes - fold.classAt - n;
  const another = left == 0 && fold.classAt == 0 && fold.position + 1 < fold.outer;
  return left >= n || another ? x + n * sizeof<K>() : 0;
}

/** Returns the block's logits, which are in LOGITS already if they were copied and `held`. */
function logits<K, L>(fold: Fold, n: usize, held: bool): usize {
  const copied = blockFor<K, L>(fold, fold.x, fold.xDtype, n, LOGITS) == LOGITS;
  return held && copied ? LOGITS : loadBlock<K, L>(fold, fold.x, fold.xDtype, n, LOGITS, <K>-Infinity);
}

/** Computes log S, picked losses, the z-loss and the sum of the gradient in K between the sweeps. */
function closeGather<K, L>(fold: Fold, op: i32, held: bool): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  if (sizeof<K>() == 8) addRests(fold, FLOW, FLOW_REST);
  if (op == LINE_GRAD) return shareLines<K>(fold);
  if (op != LOG_SOFTMAX_GRAD) closeSums<K>(fold);
  const hasZLoss = op >= CROSS_ENTROPY && fold.zLossScale > 0;
  if (hasZLoss && fold.out != 0) findLseFlow<K>(fold);
  if (op == CROSS_ENTROPY) pickLosses<K, L>(fold, held ? LOGITS : 0);
  if (op == SPARSE_TARGET) addPicks<K, L>(fold);
  if (op == LOG_SOFTMAX || op == LINE_SUMS) return;
  if (fold.out != 0) {
    const isPicksOnly = op == CROSS_ENTROPY && picksOnly<K>(fold);
    if (isPicksOnly) shareOut<K>(fold);
    else convert(state + FLOW * bytes, FLOAT64, state + FLOW_K * bytes, codeOf<K>(), fold.width);
    if (isPicksOnly || !hasZLoss) fold.scaled = scaleFlows<K>(state + FLOW_K * bytes, fold.width);
    else convert(state + LSE_FLOW * bytes, FLOAT64, state + LSE_FLOW * bytes, codeOf<K>(), fold.width);
  }
  if (hasZLoss) keepLse(fold);
}

/** Computes FLOW / S in K, with LSE_FLOW, because both have the factor exp(x - m). */
function shareOut<K>(fold: Fold): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  for (let j: usize = 0; j < fold.width; j++) {
    let flow = load<f64>(state + FLOW * bytes + (j << 3));
    if (fold.zLossScale > 0) flow -= load<f64>(state + LSE_FLOW * bytes + (j << 3));
    store<K>(state + FLOW_K * bytes + j * sizeof<K>(), <K>(flow / (1 + load<f64>(state + TAIL * bytes + (j << 3)))));
  }
}

/** Writes what needs the sums in the second sweep: log-probabilities, gradients, and terms of losses and entropy. */
function write<K, L>(fold: Fold, op: i32, n: usize, held: bool): void {
  if (op == LOG_SOFTMAX) return writeLogs<K, L>(fold, logits<K, L>(fold, n, held), n);
  if (op == LINE_SUMS) return sweepLines<K, L>(fold, logits<K, L>(fold, n, held), n);
  const x = logits<K, L>(fold, n, held);
  const to: usize = fold.out == 0 ? <usize>0 : placeFor<K, L>(fold, fold.out, fold.xDtype, n, LOGITS);
  const pitch = pitchOf<K, L>(fold, to, LOGITS);
  if (op == LOG_SOFTMAX_GRAD) {
    const go = loadBlock<K, L>(fold, fold.target, fold.targetDtype, n, TARGET, 0);
    sendBack<K, L>(fold, x, go, to, pitch, n);
  } else if (op == LINE_GRAD) {
    const base: usize = fold.target == 0 ? <usize>0 : loadBlock<K, L>(fold, fold.target, fold.targetDtype, n, TARGET, 0);
    lineGradient<K, L>(fold, x, base, to, pitch, n);
  } else if (op == CROSS_ENTROPY && picksOnly<K>(fold)) {
    if (fold.scaled) shareFlow<K, L, Scaled>(fold, x, to, pitch, n);
    else shareFlow<K, L, Tiny>(fold, x, to, pitch, n);
    addPeaks<K, L>(fold, n, to, pitch, true);
  } else {
    const a = logProbabilities<K, L>(fold, x, n);
    const base: usize = fold.out == 0 ? <usize>0 : BASE;
    if (op == SOFT_TARGET) {
      const t = loadBlock<K, L>(fold, fold.target, fold.targetDtype, n, TARGET, 0);
      const dt: usize = fold.gradTarget == 0 ? <usize>0 : blockFor<K, L>(fold, fold.gradTarget, fold.targetDtype, n, TARGET);
      softTerm<K, L>(fold, a, t, base, dt, n);
      if (dt != 0) storeBlock<K, L>(fold, fold.gradTarget, fold.targetDtype, n, dt);
    } else if (fold.smoothing > 0) {
      smoothTerm<K, L>(fold, a, base, n);
    }
    if (to != 0) sendPicksBack<K, L>(fold, op, a, to, pitch, n);
  }
  if (to == LOGITS) storeBlock<K, L>(fold, fold.out, fold.xDtype, n, to);
}

/**
 * Writes the gradient of targets. With a z-loss, the picks are a part of the base, because the gradient without it may be
 * 0 and the rest small. The only class of a line has all of the flow, which is its base rounded alike, so its gradient is 0.
 */
function sendPicksBack<K, L>(fold: Fold, op: i32, a: usize, to: usize, pitch: usize, n: usize): void {
  const hasTerms = op == SOFT_TARGET || fold.smoothing > 0;
  const isAlone = fold.classes == 1;
  const hasBase = hasTerms || isAlone || fold.zLossScale > 0;
  const width = padded(fold);
  if (hasBase && !hasTerms) memory.fill(BASE, 0, (isRows<L>() ? (n + 3) & ~3 : n * width) * sizeof<K>());
  if (hasBase) addPicksTo<K, L>(fold, op, n, BASE, width * sizeof<K>());
  if (isAlone) {
    memory.copy(stateOf(fold) + FLOW_K * arrayBytes(fold), BASE, width * sizeof<K>());
    fold.scaled = false;
  }
  sendBack<K, L>(fold, a, hasBase ? BASE : <usize>0, to, pitch, n);
  if (!hasBase) addPicksTo<K, L>(fold, op, n, to, pitch);
}

/** Adds the gradients of the picked log-probabilities in the block of `n` classes at `to`. */
function addPicksTo<K, L>(fold: Fold, op: i32, n: usize, to: usize, pitch: usize): void {
  if (op == CROSS_ENTROPY) addPeaks<K, L>(fold, n, to, pitch, false);
  if (op == SPARSE_TARGET) addPickedPeaks<K, L>(fold, n, to, pitch);
}

function sendBack<K, L>(fold: Fold, a: usize, base: usize, to: usize, pitch: usize, n: usize): void {
  if (fold.zLossScale > 0) flowBack<K, L, WithLse>(fold, a, base, to, pitch, n);
  else if (fold.scaled) flowBack<K, L, Scaled>(fold, a, base, to, pitch, n);
  else flowBack<K, L, Tiny>(fold, a, base, to, pitch, n);
}

/** Adds the block's terms of the entropy, and writes its log-probabilities if requested. */
function sweepLines<K, L>(fold: Fold, x: usize, n: usize): void {
  if (wantsEntropy(fold)) addEntropy<K, L>(fold, x, n);
  if (mustFindNaN<K>(fold)) addNaN<K, L>(fold, x, n);
  if (fold.out != 0) writeLogs<K, L>(fold, x, n);
}

function writeLogs<K, L>(fold: Fold, x: usize, n: usize): void {
  const to = placeFor<K, L>(fold, fold.out, fold.xDtype, n, LOGITS);
  subtractLogs<K, L>(fold, x, to, pitchOf<K, L>(fold, to, LOGITS), n);
  if (to == LOGITS) storeBlock<K, L>(fold, fold.out, fold.xDtype, n, to);
}

/** Computes the block's log-probabilities, rounded to the dtype of the logits as PyTorch stores them. */
function logProbabilities<K, L>(fold: Fold, x: usize, n: usize): usize {
  subtractLogs<K, L>(fold, x, LOGITS, pitchOf<K, L>(fold, LOGITS, LOGITS), n);
  roundBlock<K>(LOGITS, fold.xDtype, isRows<L>() ? n : n * padded(fold), ROUND);
  return LOGITS;
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
