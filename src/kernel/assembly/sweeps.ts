// The two sweeps over the classes of a group, a block at a time. The first sums, and the second writes results that need
// the sums at every class.
import { addPeaks, pickLosses, picksOnly } from "./class-targets";
import { addColumns } from "./column-sums";
import { convert, roundBlock } from "./convert";
import { addEntropy, addNaN } from "./entropy";
import { addRow, knowMaximum } from "./exponential-sums";
import { BFLOAT16, FLOAT16, FLOAT64 } from "./formats";
import { lineGradient, shareLines } from "./line-grad";
import { keepMaximum, mustFindNaN, wantsEntropy } from "./line-sums";
import { blockFor, loadBlock, loadMaxima, pitchOf, placeFor, storeBlock } from "./lines";
import { Scaled, Tiny, WithLse, flowBack, scaleFlows, shareFlow, subtractLogs } from "./passes";
import { findBest, findLseFlow, keepLse } from "./positions";
import { addPickedPeaks, addPicks } from "./sparse";
import { FLOW, FLOW_K, FLOW_REST, MAX, TAIL, LSE_FLOW, addRests, arrayBytes, closeSums, padded, stateOf } from "./state";
import { Fold } from "./struct";
import { addBlock, addSoftFlow, smoothTerm, softTerm } from "./terms";
import { codeOf, isRows } from "./types";

/** Operations. From CROSS_ENTROPY on, they are losses of targets. */
export const LOG_SOFTMAX: i32 = 0;
export const LOG_SOFTMAX_GRAD: i32 = 1;
export const LINE_SUMS: i32 = 2;
export const LINE_GRAD: i32 = 3;
export const CROSS_ENTROPY: i32 = 4;
export const SOFT_TARGET: i32 = 5;
export const SPARSE_TARGET: i32 = 6;

// Blocks in K for logits (later log-probabilities), the gradient of the log-probabilities, targets or upstream gradients,
// and steps in between.
const LOGITS = memory.data(131072, 16); // BLOCK * 8
const BASE = memory.data(131072, 16);
const TARGET = memory.data(131072, 16);
const SCRATCH = memory.data(131072, 16);

/** Sums the exponentials and all other terms that the gradient needs, in the first sweep. */
export function sumBlock<K, L>(fold: Fold, op: i32, n: usize): void {
  if (op == LINE_GRAD && fold.target == 0) return;
  if (op == LOG_SOFTMAX_GRAD || op == LINE_GRAD) {
    const go = loadBlock<K, L>(fold, fold.target, fold.targetDtype, n, TARGET, 0);
    return addBlock<K, L>(fold, go, n, FLOW, FLOW_REST);
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
    addSoftFlow<K, L>(fold, t, SCRATCH, n);
  }
}

/**
 * Returns the block to sum next if it is contiguous with the block of `n` at `x`, in place and of the same length.
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
export function finishSums<K, L>(fold: Fold, op: i32, held: bool): void {
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
export function writeBlock<K, L>(fold: Fold, op: i32, n: usize, held: bool): void {
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
      softTerm<K, L>(fold, a, t, base, dt, SCRATCH, n);
      if (dt != 0) storeBlock<K, L>(fold, fold.gradTarget, fold.targetDtype, n, dt);
    } else if (fold.smoothing > 0) {
      smoothTerm<K, L>(fold, a, base, SCRATCH, n);
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
  roundBlock<K>(LOGITS, fold.xDtype, isRows<L>() ? n : n * padded(fold), SCRATCH);
  return LOGITS;
}
