// Sums of whole lines, kept for the results that read single elements: gathered and top log-probabilities, logsumexp,
// entropy and their gradient.
import { blockMaximum } from "./exponential-sums";
import { loadNumber, roundNumber, storeNumber, log2SizeOf } from "./formats";
import { ROW_BLOCK } from "./lines";
import { FLOW, FLOW_K, GRAD_OUTPUT, LOG, LOG_REST, LOSS, MAX, TAIL, arrayBytes, stateOf } from "./state";
import { Fold } from "./struct";
import { codeOf } from "./types";

/** Size that the loader reserves. */
export const lineSumsBytes: usize = 64;

/** Operands of a fold over lines. `src/kernel/line-sums.ts` writes it field by field. Addresses are 0 for none. */
@unmanaged
export class LineSums {
  /** Position of the first sums. */
  first: u32;
  /** Position from which on a step stops, at the end of a group. */
  stop: u32;
  /** Address of the sums, arrays of K that are `pitch` bytes apart. */
  sums: u32;
  pitch: u32;
  /** Outputs of all positions in the dtype of x. */
  lse: u32;
  entropy: u32;
  /** Upstream gradients of both, of all positions, in float dtypes. */
  gradLse: u32;
  gradLseDtype: u32;
  gradEntropy: u32;
  gradEntropyDtype: u32;
  /** Output for the maximum of each lane of each block of contiguous lines, see {@link maximumAt}. */
  maxima: u32;
}

/** Returns the offset of the maxima of a block, a vector of K. */
// @ts-ignore: decorator
@inline
export function maximumAt(line: usize, classes: usize, block: usize): usize {
  return (line * ((classes + (ROW_BLOCK - 1)) / ROW_BLOCK) + block) << 4;
}

/** Keeps the maxima of a block of a row that is added to the sums next. */
export function keepMaximum<K>(fold: Fold, x: usize, n: usize): void {
  const lines = linesOf(fold);
  if (lines.maxima == 0) return;
  const at = maximumAt(fold.position - lines.first, fold.classes, <usize>fold.classAt / ROW_BLOCK);
  v128.store(<usize>lines.maxima + at, blockMaximum<K>(x, n));
}

// Arrays of the sums.
/** m, the largest element. */
export const LINE_MAX: usize = 0;
/** log S, with its rest for float32. */
export const LINE_LOG: usize = 1;
export const LINE_REST: usize = 2;
/** S, the sum of exp(x - m). */
export const LINE_SUM: usize = 3;
/** Entropy, if it is an output. */
export const LINE_ENTROPY: usize = 4;

// @ts-ignore: decorator
@inline
function linesOf(fold: Fold): LineSums {
  return changetype<LineSums>(<usize>fold.lines);
}

/** Returns whether the chunk of positions is complete. */
export function stopsAt(fold: Fold): bool {
  return fold.position >= linesOf(fold).stop;
}

export function wantsEntropy(fold: Fold): bool {
  return linesOf(fold).entropy != 0;
}

export function differentiatesEntropy(fold: Fold): bool {
  return linesOf(fold).gradEntropy != 0;
}

/** Returns whether logsumexp is Infinity or NaN, which a sum of exp(x - Infinity) = NaN does not tell. */
export function mustFindNaN<K>(fold: Fold): bool {
  if (linesOf(fold).lse == 0) return false;
  const maxima = stateOf(fold) + MAX * arrayBytes(fold);
  for (let j: usize = 0; j < fold.width; j++) {
    if (load<K>(maxima + j * sizeof<K>()) == <K>Infinity) return true;
  }
  return false;
}

/** Returns whether the lines must be read a second time. */
export function needsSweep<K>(fold: Fold): bool {
  return wantsEntropy(fold) || mustFindNaN<K>(fold);
}

/** Returns log(sum(exp(x))) from its parts, rounded once when stored. */
// @ts-ignore: decorator
@inline
function logSumExp(max: f64, tail: f64, log: f64, nan: f64): f64 {
  if (tail == -1) return -Infinity;
  return max == Infinity ? max + nan : max + log;
}

/** Stores the sums and the outputs of the group. */
export function keepSums<K>(fold: Fold): void {
  const lines = linesOf(fold);
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const pitch = <usize>lines.pitch;
  const dtype = fold.xDtype;
  for (let j: usize = 0; j < fold.width; j++) {
    const k = j * sizeof<K>();
    const max = load<K>(state + MAX * bytes + k);
    const near = load<K>(state + LOG * bytes + k);
    const rest: K = sizeof<K>() == 4 ? load<K>(state + LOG_REST * bytes + k) : 0;
    const log = f64(near) + f64(rest);
    const tail = load<f64>(state + TAIL * bytes + (j << 3));
    const lse = logSumExp(f64(max), tail, log, load<f64>(state + FLOW * bytes + (j << 3)));
    const entropy = log + load<f64>(state + LOSS * bytes + (j << 3)) / (1 + tail);
    const position = <usize>fold.position + j;
    if (lines.lse != 0) storeNumber(<usize>lines.lse + (position << log2SizeOf(dtype)), dtype, lse);
    if (lines.entropy != 0) storeNumber(<usize>lines.entropy + (position << log2SizeOf(dtype)), dtype, entropy);
    const to = <usize>lines.sums + (position - lines.first) * sizeof<K>();
    store<K>(to + LINE_MAX * pitch, max);
    store<K>(to + LINE_LOG * pitch, near);
    store<K>(to + LINE_REST * pitch, rest);
    // PyTorch's gradient of logsumexp is exp(x - Infinity) without a sum.
    store<K>(to + LINE_SUM * pitch, lines.lse != 0 && lse == Infinity && max == <K>Infinity ? <K>1 : <K>(1 + tail));
    store<K>(to + LINE_ENTROPY * pitch, <K>entropy);
  }
}

/** Writes the results of lines without elements, logsumexp -Infinity and entropy 0, as PyTorch sums over nothing. */
export function emptyLines(fold: Fold, budget: i32): i32 {
  const lines = linesOf(fold);
  const dtype = fold.xDtype;
  const positions = <u64>fold.outer * fold.inner;
  for (let left: i64 = budget; <u64>fold.position < positions; fold.position++) {
    if (left-- <= 0) return 0;
    const at = <usize>fold.position << log2SizeOf(dtype);
    if (lines.lse != 0) storeNumber(<usize>lines.lse + at, dtype, -Infinity);
    if (lines.entropy != 0) storeNumber(<usize>lines.entropy + at, dtype, 0);
  }
  return 1;
}

/** Loads the kept sums and the upstream gradients of the group. FLOW_K holds S until {@link shareLines}. */
export function loadSums<K>(fold: Fold): void {
  const lines = linesOf(fold);
  const state = stateOf(fold);
  const bytes = arrayBytes(fold);
  const pitch = <usize>lines.pitch;
  for (let j: usize = 0; j < fold.width; j++) {
    const k = j * sizeof<K>();
    const position = <usize>fold.position + j;
    const from = <usize>lines.sums + (position - lines.first) * sizeof<K>();
    store<K>(state + MAX * bytes + k, load<K>(from + LINE_MAX * pitch));
    store<K>(state + LOG * bytes + k, load<K>(from + LINE_LOG * pitch));
    store<K>(state + LOG_REST * bytes + k, load<K>(from + LINE_REST * pitch));
    store<K>(state + FLOW_K * bytes + k, load<K>(from + LINE_SUM * pitch));
    const toLse = upstream(lines.gradLse, lines.gradLseDtype, position, fold.xDtype);
    const toEntropy = upstream(lines.gradEntropy, lines.gradEntropyDtype, position, fold.xDtype);
    const entropy: f64 = lines.gradEntropy == 0 ? 0 : toEntropy * f64(load<K>(from + LINE_ENTROPY * pitch));
    store<f64>(state + LOSS * bytes + (j << 3), toLse - entropy);
    store<K>(state + GRAD_OUTPUT * bytes + k, <K>toEntropy);
  }
}

/** Reads an upstream gradient, rounded to the dtype of its output as autograd does. 0 for none. */
function upstream(at: usize, from: i32, position: usize, dtype: i32): f64 {
  return at == 0 ? 0 : roundNumber(loadNumber(at + (position << log2SizeOf(from)), from), dtype);
}

/** Returns the log-probability (x - m) - log S of an element, with the bits of the whole output. `sums` are its line's. */
// @ts-ignore: decorator
@inline
export function logProbability<K>(x: K, sums: usize, pitch: usize, dtype: i32): K {
  let a = (x - load<K>(sums + LINE_MAX * pitch)) - load<K>(sums + LINE_LOG * pitch);
  if (sizeof<K>() == 4) a -= load<K>(sums + LINE_REST * pitch);
  return dtype == codeOf<K>() ? a : <K>roundNumber(f64(a), dtype);
}
