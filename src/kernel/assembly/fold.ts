// Folds: compute each loss over the lines of a tensor, with its gradient in the same call. A step continues a fold for
// about `budget` elements in any shape and returns whether it is done, so that no slice blocks the event loop.
import { convert } from "./convert";
import { elementOf, rounded, weightOf } from "./elements";
import {
  BFLOAT16, FLOAT16, FLOAT32, FLOAT64, loadIndex, loadNumber, roundNumber, roundToBFloat16, roundToFloat16, storeNumber, log2SizeOf,
} from "./formats";
import { BLOCK, Columns, ROW_BLOCK, SHORT_BLOCK, SHORT_INNER, Rows, blockFor, codeOf, isRows, loadBlock, loadMaxima, pitchOf, placeFor,
  storeBlock,
} from "./lines";
import {
  Scaled, Tiny, addColumns, addFlow, addRow, addSoftFlow, flowBack, forgetKnown, gradientsOfTargets, knowWidest, scaleFlows, shareFlow, smoothTerm, softTerm, subtractLogs,
} from "./passes";
import { addEntropy, addNaN } from "./entropy";
import { lineGradient, shareLines } from "./line-grad";
import { emptyLines, keepMaximum, keepSums, loadSums, mustFindNaN, needsSweep, stopsAt, wantsEntropy } from "./line-sums";
import { addZLoss, addZLossFlow, findBest, keepLse, sampleAt, sampleOf, storePredictions, storeZLoss } from "./positions";
import { addPickedPeaks, addPicks, pickedWeight, readPicks } from "./sparse";
import {
  CLASS, FLOW, FLOW_K, LOG, LOG_REST, LOSS, MAX, MAX_WIDTH, PEAK, TAIL, GRAD_OUTPUT, arrayBytes, clearState, closeSums, padded, stateOf,
} from "./state";
import { FOLD_BYTES, Fold, OWN_WIDTH } from "./struct";
import { accumulate, lostBy, totalOf } from "./sum";

export const foldBytes: usize = FOLD_BYTES;
export const positionOffset: usize = offsetof<Fold>("position");
export const linesOffset: usize = offsetof<Fold>("lines");

/** Loss to compute. */
const LOG_SOFTMAX: i32 = 0;
const LOG_SOFTMAX_GRAD: i32 = 1;
const LINE_SUMS: i32 = 2;
const LINE_GRAD: i32 = 3;
const CROSS_ENTROPY: i32 = 4;
const SOFT_TARGET: i32 = 5;
const SPARSE_TARGET: i32 = 6;

// Blocks in K for logits (later log-probabilities), upstream gradient, soft targets and rounding.
const LOGITS = memory.data(262144, 16); // BLOCK * 8
const BASE = memory.data(262144, 16);
const TARGET = memory.data(262144, 16);
const ROUND = memory.data(262144, 16);

/** Classes above which columns are folded in parts, so that a step can stop within them. */
const LONG_LINE: usize = 65536;
/** Largest group of columns in elements, because no step divides a group. */
const MAX_GROUP_ELEMENTS: usize = 1 << 20;
/** Largest group of positions by the picks of sparse targets. */
const MAX_GROUP_PICKS: usize = 1 << 16;
/** Positions that justify a pass over the tensor, a run of 256 bytes per class. */
const MIN_WIDTH: usize = 64;

/** Overhead of a group, in elements. */
const GROUP_COST: i64 = 64;

/**
 * Rows of at most this many classes are processed together as columns, which share the cost of a maximum and a
 * logarithm. This is 1.5 times as fast for cross_entropy of 64 classes. At 96 classes a block of columns exceeds the
 * first-level cache, which halves the speed of log_softmax.
 */
const SMALL_ROW: u32 = 64;

export function logSoftmaxStep(at: usize, budget: i32): i32 {
  return step(changetype<Fold>(at), LOG_SOFTMAX, budget);
}

export function logSoftmaxGradStep(at: usize, budget: i32): i32 {
  return step(changetype<Fold>(at), LOG_SOFTMAX_GRAD, budget);
}

/** Sums each line, see {@link LineSums}. Also writes the log-probabilities if `out` is given. */
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
  fold.width = u32(isRows<L>() ? 1 : min(min(left, columnsAtOnce(fold)), positionsOfPicks(fold, op)));
  fold.phase = 0;
  fold.classAt = 0;
  clearState<K>(fold);
  if (op == LINE_GRAD) loadSums<K>(fold);
  if (op == CROSS_ENTROPY) readClasses(fold);
  if (op == SPARSE_TARGET) readPicks(fold);
  const hasGradient = (fold.out | fold.gradTarget | fold.gradTargetWeight) != 0;
  if (op >= CROSS_ENTROPY && hasGradient) readGradOutput<K>(fold, op);
}

/** Reads the target classes of the group, -1 for ignored ones. */
function readClasses(fold: Fold): void {
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

/**
 * Returns the positions per group of columns, as many as fill a block with all of their classes. Bounded below by runs
 * of whole cache lines and above by the largest undivided group. Takes whole outer positions if there are few inner
 * ones.
 */
function columnsAtOnce(fold: Fold): usize {
  const classes = max<usize>(fold.classes, 1);
  if (classes > LONG_LINE) return OWN_WIDTH;
  const inner = <usize>fold.inner;
  const width = min(min(max(blockOf(fold) / classes, MIN_WIDTH), MAX_WIDTH), MAX_GROUP_ELEMENTS / classes) & ~3;
  return inner < width && inner < SHORT_INNER ? width - (width % inner) : width;
}

/** Returns the positions whose picks a group may have, because no step divides it. Whole outer positions if there are few inner ones. */
function positionsOfPicks(fold: Fold, op: i32): usize {
  if (op != SPARSE_TARGET || fold.picks <= 1) return MAX_WIDTH;
  const inner = <usize>fold.inner;
  const most = max<usize>(MAX_GROUP_PICKS / fold.picks, 1);
  return inner < SHORT_INNER ? max(most - (most % inner), inner) : most;
}

/**
 * Returns the classes per block of columns. Independent of the group's width, so that a position's sum is the same in
 * any group.
 */
function classesAtOnce(fold: Fold): usize {
  return blockOf(fold) / ((columnsAtOnce(fold) + 3) & ~3);
}

/** Returns the elements per block of columns, fewer for short runs because these take longest. */
function blockOf(fold: Fold): usize {
  return <usize>fold.inner < SHORT_INNER || <usize>fold.classes > LONG_LINE ? SHORT_BLOCK : BLOCK;
}

// @ts-ignore: decorator
@inline
function keepOf(fold: Fold): f64 {
  return fold.smoothing > 0 ? 1 - fold.smoothing : 1;
}

// @ts-ignore: decorator
@inline
function spreadOf(fold: Fold): f64 {
  return fold.smoothing > 0 ? fold.smoothing / f64(fold.classes) : 0;
}

/** Returns the address of the weights of the block's classes, 0 for none. */
// @ts-ignore: decorator
@inline
function blockWeights<K>(fold: Fold): usize {
  return fold.weight == 0 ? 0 : <usize>fold.weight + <usize>fold.classAt * sizeof<K>();
}

/** Sums the exponentials and all other terms that the gradient needs, in the first sweep. */
function gather<K, L>(fold: Fold, op: i32, n: usize): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const width = padded(fold);
  if (op == LINE_GRAD && fold.target == 0) return;
  if (op == LOG_SOFTMAX_GRAD || op == LINE_GRAD) {
    const go = loadBlock<K, L>(fold, fold.target, fold.targetDtype, n, TARGET, 0);
    return addFlow<K, L>(go, n, width, state, bytes);
  }
  const found = !isRows<L>() && fold.classAt == 0
    && loadMaxima<K>(fold, fold.x, fold.xDtype, n, LOGITS, BASE, state + MAX * bytes);
  const x = found ? LOGITS : loadBlock<K, L>(fold, fold.x, fold.xDtype, n, LOGITS, <K>-Infinity);
  if (isRows<L>() && sizeof<K>() == 4 && (fold.xDtype == FLOAT16 || fold.xDtype == BFLOAT16)) knowWidest(x, n);
  if (isRows<L>() && op == LINE_SUMS) keepMaximum<K>(fold, x, n);
  if (isRows<L>()) addRow<K>(x, nextBlock<K, L>(fold, x, n), n, state, bytes);
  else addColumns<K>(x, BASE, n, width, state, bytes, found, fold.inner == 1);
  if ((fold.predictions | fold.correct) != 0) findBest<K, L>(fold, x, n);
  if (op == SOFT_TARGET && fold.out != 0) {
    const t = loadBlock<K, L>(fold, fold.target, fold.targetDtype, n, TARGET, 0);
    addSoftFlow<K, L>(t, blockWeights<K>(fold), keepOf(fold), spreadOf(fold), n, width, state, bytes);
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

/** Computes log S and the sum of the gradient in K between the sweeps. */
function closeGather<K, L>(fold: Fold, op: i32, held: bool): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  if (op == LINE_GRAD) return shareLines<K>(fold);
  if (op != LOG_SOFTMAX_GRAD) closeSums<K>(fold);
  if (op == CROSS_ENTROPY) pickLosses<K, L>(fold, held);
  if (op == SPARSE_TARGET) addPicks<K, L>(fold);
  if (op == LOG_SOFTMAX || op == LINE_SUMS) return;
  const hasZLoss = op >= CROSS_ENTROPY && fold.zLossScale > 0;
  if (fold.out != 0) {
    if (hasZLoss) addZLossFlow<K>(fold);
    if (picksOnly<K>(fold, op)) shareOut<K>(fold);
    else convert(state + FLOW * bytes, FLOAT64, state + FLOW_K * bytes, codeOf<K>(), fold.width);
    fold.scaled = scaleFlows<K>(state + FLOW_K * bytes, fold.width);
  }
  if (hasZLoss) keepLse(fold);
}

/** Returns whether the gradient is exp(x - m) times one factor per position, except for the target's class. */
// @ts-ignore: decorator
@inline
function picksOnly<K>(fold: Fold, op: i32): bool {
  // PyTorch rounds the log-probabilities of 16-bit types and computes the gradient from them.
  return op == CROSS_ENTROPY && fold.smoothing == 0 && fold.zLossScale == 0 && fold.xDtype == codeOf<K>();
}

/** Computes FLOW / S in K. */
function shareOut<K>(fold: Fold): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  for (let j: usize = 0; j < fold.width; j++) {
    const share = load<f64>(state + FLOW * bytes + (j << 3)) / (1 + load<f64>(state + TAIL * bytes + (j << 3)));
    store<K>(state + FLOW_K * bytes + j * sizeof<K>(), <K>share);
  }
}

/** Picks the losses of the targets' classes, -(a_y * w_y), rounding each stage as if it were stored. */
function pickLosses<K, L>(fold: Fold, held: bool): void {
  const bytes = arrayBytes(fold);
  const maxima = stateOf(fold) + MAX * bytes;
  const logs = stateOf(fold) + LOG * bytes;
  const rests = stateOf(fold) + LOG_REST * bytes;
  const classes = stateOf(fold) + CLASS * bytes;
  const losses = <usize>fold.losses;
  const width = log2SizeOf(fold.lossDtype);
  const peaks: usize = fold.out != 0 && picksOnly<K>(fold, CROSS_ENTROPY) ? stateOf(fold) + PEAK * bytes : 0;
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
      const x = held && !isRows<L>() ? load<K>(LOGITS + <usize>y * row + k) : elementOf<K, L>(fold, first + j, y);
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
  if (peaks != 0) gradientsOfTargets<K>(stateOf(fold), bytes, n);
}

/** Writes log-probabilities and gradients in the second sweep. */
function write<K, L>(fold: Fold, op: i32, n: usize, held: bool): void {
  if (op == LOG_SOFTMAX) return writeLogs<K, L>(fold, logits<K, L>(fold, n, held), n);
  if (op == LINE_SUMS) return sweepLines<K, L>(fold, logits<K, L>(fold, n, held), n);
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const width = padded(fold);
  const x = logits<K, L>(fold, n, held);
  const to: usize = fold.out == 0 ? <usize>0 : placeFor<K, L>(fold, fold.out, fold.xDtype, n, LOGITS);
  const pitch = pitchOf<K, L>(fold, to, LOGITS);
  if (op == LOG_SOFTMAX_GRAD) {
    const go = loadBlock<K, L>(fold, fold.target, fold.targetDtype, n, TARGET, 0);
    sendBack<K, L>(fold, x, go, to, pitch, n);
  } else if (op == LINE_GRAD) {
    const base: usize = fold.target == 0 ? <usize>0 : loadBlock<K, L>(fold, fold.target, fold.targetDtype, n, TARGET, 0);
    lineGradient<K, L>(x, base, to, pitch, n, width, state, bytes);
  } else if (picksOnly<K>(fold, op)) {
    if (fold.scaled) shareFlow<K, L, Scaled>(x, to, pitch, n, width, state, bytes);
    else shareFlow<K, L, Tiny>(x, to, pitch, n, width, state, bytes);
    addPeaks<K, L>(fold, n, to, pitch, true);
  } else {
    const a = logProbabilities<K, L>(fold, x, n, width, state, bytes);
    const base: usize = fold.out == 0 ? <usize>0 : BASE;
    const weight = blockWeights<K>(fold);
    if (op == SOFT_TARGET) {
      const t = loadBlock<K, L>(fold, fold.target, fold.targetDtype, n, TARGET, 0);
      const dt: usize = fold.gradTarget == 0 ? <usize>0 : blockFor<K, L>(fold, fold.gradTarget, fold.targetDtype, n, TARGET);
      softTerm<K, L>(a, t, base, dt, weight, keepOf(fold), spreadOf(fold), n, width, state, bytes);
      if (dt != 0) storeBlock<K, L>(fold, fold.gradTarget, fold.targetDtype, n, dt);
    } else if (fold.smoothing > 0) {
      smoothTerm<K, L>(a, base, weight, -spreadOf(fold), n, width, state, bytes);
    }
    if (to != 0) {
      const smooth = op == SOFT_TARGET || fold.smoothing > 0;
      sendBack<K, L>(fold, a, smooth ? base : <usize>0, to, pitch, n);
      if (op == CROSS_ENTROPY) addPeaks<K, L>(fold, n, to, pitch, false);
      if (op == SPARSE_TARGET) addPickedPeaks<K, L>(fold, n, to, pitch);
    }
  }
  if (to == LOGITS) storeBlock<K, L>(fold, fold.out, fold.xDtype, n, to);
}

function sendBack<K, L>(fold: Fold, a: usize, base: usize, to: usize, pitch: usize, n: usize): void {
  const width = padded(fold);
  if (fold.scaled) flowBack<K, L, Scaled>(a, base, to, pitch, n, width, stateOf(fold), arrayBytes(fold));
  else flowBack<K, L, Tiny>(a, base, to, pitch, n, width, stateOf(fold), arrayBytes(fold));
}

/** Adds the block's terms of the entropy, and writes its log-probabilities if requested. */
function sweepLines<K, L>(fold: Fold, x: usize, n: usize): void {
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  if (wantsEntropy(fold)) addEntropy<K, L>(x, n, padded(fold), state, bytes);
  if (mustFindNaN<K>(fold)) addNaN<K, L>(x, n, padded(fold), state, bytes);
  if (fold.out != 0) writeLogs<K, L>(fold, x, n);
}

function writeLogs<K, L>(fold: Fold, x: usize, n: usize): void {
  const to = placeFor<K, L>(fold, fold.out, fold.xDtype, n, LOGITS);
  subtractLogs<K, L>(x, to, pitchOf<K, L>(fold, to, LOGITS), n, padded(fold), stateOf(fold), arrayBytes(fold));
  if (to == LOGITS) storeBlock<K, L>(fold, fold.out, fold.xDtype, n, to);
}

/** Computes the block's log-probabilities, rounded to the dtype of the logits as PyTorch stores them. */
function logProbabilities<K, L>(fold: Fold, x: usize, n: usize, width: usize, state: usize, bytes: usize): usize {
  subtractLogs<K, L>(x, LOGITS, pitchOf<K, L>(fold, LOGITS, LOGITS), n, width, state, bytes);
  const dtype = fold.xDtype;
  const count = isRows<L>() ? n : n * width;
  if (sizeof<K>() == 4) {
    if (dtype == FLOAT16) roundToFloat16(LOGITS, count);
    else if (dtype == BFLOAT16) roundToBFloat16(LOGITS, count);
  } else if (dtype != FLOAT64) {
    convert(LOGITS, FLOAT64, ROUND, dtype, count);
    convert(ROUND, dtype, LOGITS, FLOAT64, count);
  }
  return LOGITS;
}

/** Adds the gradient of the target's class if the block contains it. `whole` replaces the gradient instead. */
function addPeaks<K, L>(fold: Fold, n: usize, to: usize, pitch: usize, whole: bool): void {
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

/** Ends the loss of position `j` of the group, rounding each stage as if it were stored. */
function endLoss(fold: Fold, isSum: bool, isDense: bool, j: usize): void {
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

// ---- nll_loss needs no sums over the classes. Each outer position reads the losses, then clears and writes the gradient.

const NLL_READ: u32 = 0;
const NLL_CLEAR: u32 = 1;
const NLL_WRITE: u32 = 2;

/** Bytes to clear in one step. */
const CLEAR_BYTES: usize = 65536;

export function nllStep(at: usize, budget: i32): i32 {
  const fold = changetype<Fold>(at);
  return fold.wide ? nll<f64>(fold, budget) : nll<f32>(fold, budget);
}

/** `position` counts outer positions, `classAt` the inner positions (or bytes) done in the phase. */
function nll<K>(fold: Fold, budget: i32): i32 {
  if (fold.inner == 0) return 1;
  let left: i64 = budget;
  const slab = (<usize>fold.classes * fold.inner) << log2SizeOf(fold.xDtype);
  while (fold.position < fold.outer) {
    if (left <= 0) return 0;
    if (fold.phase == NLL_CLEAR) {
      const n = min(CLEAR_BYTES, slab - fold.classAt);
      memory.fill(<usize>fold.out + slab * fold.position + fold.classAt, 0, n);
      fold.classAt += u32(n);
      left -= i64(n >> 5);
      if (<usize>fold.classAt < slab) continue;
    } else {
      while (fold.classAt < fold.inner && left > 0) {
        if (fold.phase == NLL_READ) readLoss<K>(fold);
        else writeGradient<K>(fold);
        fold.classAt++;
        left -= 4;
      }
      if (fold.classAt < fold.inner) continue;
    }
    fold.classAt = 0;
    left -= 4;
    if (fold.out != 0 && fold.phase != NLL_WRITE) fold.phase++;
    else {
      fold.phase = NLL_READ;
      fold.position++;
    }
  }
  return 1;
}

function readLoss<K>(fold: Fold): void {
  const p = <usize>fold.position * fold.inner + fold.classAt;
  const y = loadIndex(<usize>fold.target + (p << log2SizeOf(fold.targetDtype)), fold.targetDtype);
  let loss: f64 = 0;
  if (y != fold.ignoreIndex) {
    const x = <K>loadNumber(<usize>fold.x + (scoreAt(fold, y) << log2SizeOf(fold.xDtype)), fold.xDtype);
    loss = roundNumber(f64(-(x * <K>weightOf<K>(fold, usize(y)))), fold.lossDtype);
    if (fold.sampleWeight != 0) loss = roundNumber(loss * sampleAt(fold, p), fold.lossDtype);
  }
  accumulate(changetype<usize>(fold) + offsetof<Fold>("lossSum"), loss);
  if (fold.losses != 0) storeNumber(<usize>fold.losses + (p << log2SizeOf(fold.lossDtype)), fold.lossDtype, loss);
}

function writeGradient<K>(fold: Fold): void {
  const p = <usize>fold.position * fold.inner + fold.classAt;
  const y = loadIndex(<usize>fold.target + (p << log2SizeOf(fold.targetDtype)), fold.targetDtype);
  if (y == fold.ignoreIndex) return;
  const g = fold.gradOutput == 0 ? <K>fold.gradOutputScalar : load<K>(<usize>fold.gradOutput + p * sizeof<K>());
  let gradient = -(<K>weightOf<K>(fold, usize(y)) * g);
  if (fold.sampleWeight != 0) gradient *= <K>sampleAt(fold, p);
  storeNumber(<usize>fold.out + (scoreAt(fold, y) << log2SizeOf(fold.xDtype)), fold.xDtype, f64(gradient));
}

/** Returns the element of class `y` at the current position. */
// @ts-ignore: decorator
@inline
function scoreAt(fold: Fold, y: i64): usize {
  return (<usize>fold.position * fold.classes + usize(y)) * fold.inner + fold.classAt;
}

// ---- targets

/**
 * Checks `n` targets and adds the weights of those kept, each times its class's and its sample's weight (1 without), to
 * the sum at `result`, two f64. Returns the index of the first invalid target, or -1.
 */
export function checkTargets(
  target: usize, dtype: i32, n: usize, classes: u32, ignoreIndex: i64, weight: usize, samples: usize, wide: i32, result: usize,
): i32 {
  const width = log2SizeOf(dtype);
  const type = wide ? FLOAT64 : FLOAT32;
  let kept: u32 = 0;
  for (let i: usize = 0; i < n; i++) {
    const y = loadIndex(target + (i << width), dtype);
    if (y == ignoreIndex) continue;
    if (<u64>y >= <u64>classes) return i32(i);
    if ((weight | samples) == 0) {
      kept++;
      continue;
    }
    const factor: f64 = weight == 0 ? 1 : loadNumber(weight + (usize(y) << log2SizeOf(type)), type);
    accumulate(result, samples == 0 ? factor : factor * loadNumber(samples + (i << log2SizeOf(type)), type));
  }
  if ((weight | samples) == 0) accumulate(result, f64(kept));
  return -1;
}

/**
 * Adds the sample weights (1 each without) of `n` positions from `first` on to the sum at `result`, two f64. With a
 * `target` of `picks` classes per position, leaves out positions without a kept one.
 */
export function addSamples(
  target: usize, dtype: i32, first: usize, n: usize, picks: usize, inner: usize, ignoreIndex: i64, samples: usize, wide: i32, result: usize,
): void {
  const type = wide ? FLOAT64 : FLOAT32;
  for (let p = first; p < first + n; p++) {
    let isKept = target == 0;
    for (let k: usize = 0; k < picks && !isKept; k++) {
      const at = ((p / inner) * picks + k) * inner + (p % inner);
      isKept = loadIndex(target + (at << log2SizeOf(dtype)), dtype) != ignoreIndex;
    }
    if (isKept) accumulate(result, samples == 0 ? 1 : loadNumber(samples + (p << log2SizeOf(type)), type));
  }
}

/**
 * Multiplies `n` unweighted losses by the weights of their classes, rounding each stage as if it were stored, and adds
 * them to the sum at `result`, two f64. Ignored targets have the loss 0 already.
 */
export function weighLosses(
  losses: usize, dtype: i32, target: usize, targetDtype: i32, n: usize, ignoreIndex: i64, weight: usize, wide: i32, result: usize,
): void {
  if (wide) weigh<f64>(losses, dtype, target, targetDtype, n, ignoreIndex, weight, result);
  else weigh<f32>(losses, dtype, target, targetDtype, n, ignoreIndex, weight, result);
}

function weigh<K>(
  losses: usize, dtype: i32, target: usize, targetDtype: i32, n: usize, ignoreIndex: i64, weight: usize, result: usize,
): void {
  for (let i: usize = 0; i < n; i++) {
    const y = loadIndex(target + (i << log2SizeOf(targetDtype)), targetDtype);
    if (y == ignoreIndex) continue;
    const at = losses + (i << log2SizeOf(dtype));
    const loss = <K>loadNumber(at, dtype) * load<K>(weight + usize(y) * sizeof<K>());
    const stored = roundNumber(f64(loss), dtype);
    storeNumber(at, dtype, stored);
    accumulate(result, stored);
  }
}
