// nll_loss, which needs no sums over the classes. For each outer position: read the losses, clear the gradient, write its
// picked elements.
import { weightOf } from "./elements";
import { loadIndex, loadNumber, log2SizeOf, roundNumber, storeNumber } from "./formats";
import { sampleAt } from "./positions";
import { Fold } from "./struct";
import { accumulate } from "./sum";

const NLL_READ: u32 = 0;
const NLL_CLEAR: u32 = 1;
const NLL_WRITE: u32 = 2;

/** Bytes to clear at a time. */
const CLEAR_BYTES: usize = 65536;
/** Cost of a position in elements, because its memory is scattered. */
const POSITION_COST: i64 = 4;

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
      left -= i64(n >> 5); // 32 bytes as an element, because clearing is fast
      if (<usize>fold.classAt < slab) continue;
    } else {
      while (fold.classAt < fold.inner && left > 0) {
        if (fold.phase == NLL_READ) readLoss<K>(fold);
        else writeGradient<K>(fold);
        fold.classAt++;
        left -= POSITION_COST;
      }
      if (fold.classAt < fold.inner) continue;
    }
    fold.classAt = 0;
    left -= POSITION_COST;
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
    const x = <K>loadNumber(<usize>fold.x + (elementIndex(fold, y) << log2SizeOf(fold.xDtype)), fold.xDtype);
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
  storeNumber(<usize>fold.out + (elementIndex(fold, y) << log2SizeOf(fold.xDtype)), fold.xDtype, f64(gradient));
}

/** Returns the index of the element of class `y` at the current position. */
// @ts-ignore: decorator
@inline
function elementIndex(fold: Fold, y: i64): usize {
  return (<usize>fold.position * fold.classes + usize(y)) * fold.inner + fold.classAt;
}
