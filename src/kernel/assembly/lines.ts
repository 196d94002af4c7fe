// Moves lines of a tensor into blocks of K and back. A block holds some classes of a group of positions.
import { convert } from "./convert";
import { log2SizeOf } from "./formats";
import { PAIRED } from "./paired";
import { padded } from "./state";
import { Fold } from "./struct";
import { codeOf, isRows, lanes } from "./types";

/** Largest block of columns in elements, which fits the second-level cache. */
export const BLOCK: usize = 16384;
/** Largest block of columns to transpose in elements, which fits the first-level cache with its stage. */
export const SHORT_BLOCK: usize = 4096;
/** Block of a row in elements, which fits the first-level cache with its neighbors. */
export const ROW_BLOCK: usize = 2048;
const STAGE = memory.data(131072, 16); // BLOCK * 8

/** Inner positions below which whole outer positions are moved at once and transposed. */
export const SHORT_INNER: usize = 16;

/**
 * Loads `n` classes from `fold.classAt` of the group in K. Returns the tensor's own memory if its elements can be used
 * in place, otherwise a copy at `to`. Fills the last vector of a row with `filler`.
 */
export function loadBlock<K, L>(fold: Fold, tensor: usize, dtype: i32, n: usize, to: usize, filler: K): usize {
  if (!isRows<L>()) {
    moveColumns<K>(fold, tensor, dtype, n, to, false);
    return to;
  }
  const from = rowAddress(fold, tensor, dtype);
  if (dtype == codeOf<K>() && (n & (lanes<K>() - 1)) == 0) return from;
  convert(from, dtype, to, codeOf<K>(), n);
  for (let i = n; i & (lanes<K>() - 1); i++) store<K>(to + i * sizeof<K>(), filler);
  return to;
}

/**
 * Returns the address for computing a block that {@link storeBlock} will store: the tensor itself if possible,
 * otherwise `scratch`.
 */
export function blockFor<K, L>(fold: Fold, tensor: usize, dtype: i32, n: usize, scratch: usize): usize {
  const direct = isRows<L>() && dtype == codeOf<K>() && (n & (lanes<K>() - 1)) == 0;
  return direct ? rowAddress(fold, tensor, dtype) : scratch;
}

/** Extends {@link blockFor} to a tensor in which each class of the group is one run of whole vectors, {@link pitchOf} apart. */
export function placeFor<K, L>(fold: Fold, tensor: usize, dtype: i32, n: usize, scratch: usize): usize {
  if (isRows<L>() || !isRun<K>(fold, dtype)) return blockFor<K, L>(fold, tensor, dtype, n, scratch);
  return runAddress(fold, tensor, dtype);
}

/** Returns the bytes from a class of columns to the next at an address of {@link placeFor}. */
// @ts-ignore: decorator
@inline
export function pitchOf<K, L>(fold: Fold, place: usize, scratch: usize): usize {
  if (isRows<L>()) return 0;
  return (place == scratch ? padded(fold) : <usize>fold.inner) * sizeof<K>();
}

/**
 * Loads the first block of columns as {@link loadBlock} does. Also writes the maximum of each position to `max`, and
 * the lesser of each element and the maximum before it to `smaller`. Returns false without effect if a class is not one
 * run of whole vectors.
 */
export function loadMaxima<K>(fold: Fold, tensor: usize, dtype: i32, n: usize, to: usize, smaller: usize, max: usize): bool {
  if (!isRun<K>(fold, dtype)) return false;
  const bytes = <usize>fold.width * sizeof<K>();
  const pitch = <usize>fold.inner * sizeof<K>();
  let from = runAddress(fold, tensor, dtype);
  for (let c: usize = 0; c < n; c++, from += pitch, to += bytes, smaller += bytes) {
    let at: usize = 0;
    if (PAIRED) {
      for (; at + 16 < bytes; at += 32) {
        const v = v128.load(from + at), w = v128.load(from + at, 16);
        const m = v128.load(max + at), o = v128.load(max + at, 16);
        v128.store(to + at, v);
        v128.store(to + at, w, 16);
        v128.store(smaller + at, v128.pmin<K>(v, m));
        v128.store(smaller + at, v128.pmin<K>(w, o), 16);
        v128.store(max + at, v128.pmax<K>(m, v));
        v128.store(max + at, v128.pmax<K>(o, w), 16);
      }
    }
    for (; at < bytes; at += 16) {
      const v = v128.load(from + at);
      v128.store(to + at, v);
      const m = v128.load(max + at);
      v128.store(smaller + at, v128.pmin<K>(v, m));
      v128.store(max + at, v128.pmax<K>(m, v));
    }
  }
  return true;
}

/** Returns whether the positions of the group are contiguous, in K, and fill whole vectors. */
function isRun<K>(fold: Fold, dtype: i32): bool {
  const inner = <usize>fold.inner;
  const width = <usize>fold.width;
  return dtype == codeOf<K>() && (width & (lanes<K>() - 1)) == 0 && width == padded(fold)
    && (<usize>fold.position % inner) + width <= inner;
}

/** Returns the address of the block's first class at the group's first position. */
function runAddress(fold: Fold, tensor: usize, dtype: i32): usize {
  const inner = <usize>fold.inner;
  const line = (<usize>fold.position / inner) * fold.classes + fold.classAt;
  return tensor + ((line * inner + (<usize>fold.position % inner)) << log2SizeOf(dtype));
}

/** Stores a block in the tensor, rounded to its dtype. */
export function storeBlock<K, L>(fold: Fold, tensor: usize, dtype: i32, n: usize, from: usize): void {
  if (!isRows<L>()) return moveColumns<K>(fold, tensor, dtype, n, from, true);
  const to = rowAddress(fold, tensor, dtype);
  if (from != to) convert(from, codeOf<K>(), to, dtype, n);
}

// @ts-ignore: decorator
@inline
function rowAddress(fold: Fold, tensor: usize, dtype: i32): usize {
  return tensor + ((<usize>fold.position * fold.classes + fold.classAt) << log2SizeOf(dtype));
}

/** Moves data between a tensor and a block of {@link Columns}, into the tensor if `out`. */
function moveColumns<K>(fold: Fold, tensor: usize, dtype: i32, n: usize, block: usize, out: bool): void {
  const inner = <usize>fold.inner;
  const whole = <usize>fold.position % inner == 0 && <usize>fold.width % inner == 0;
  if (inner < SHORT_INNER && whole) moveWhole<K>(fold, tensor, dtype, n, block, out);
  else moveRuns<K>(fold, tensor, dtype, n, block, out);
}

/** Moves one run of neighbors per class at a time. */
function moveRuns<K>(fold: Fold, tensor: usize, dtype: i32, n: usize, block: usize, out: bool): void {
  const inner = <usize>fold.inner;
  const width = <usize>fold.width;
  const shift = log2SizeOf(dtype);
  const row = padded(fold) * sizeof<K>();
  for (let done: usize = 0; done < width; ) {
    const position = <usize>fold.position + done;
    const at = position % inner;
    const run = min(inner - at, width - done);
    let address = tensor + (((position / inner) * fold.classes + fold.classAt) * inner + at << shift);
    let cell = block + done * sizeof<K>();
    for (let c: usize = 0; c < n; c++) {
      if (dtype == codeOf<K>()) copy(out ? address : cell, out ? cell : address, run * sizeof<K>());
      else if (out) convert(cell, codeOf<K>(), address, dtype, run);
      else convert(address, dtype, cell, codeOf<K>(), run);
      address += inner << shift;
      cell += row;
    }
    done += run;
  }
}

/** Copies short runs here because `memory.copy` is a call out of the kernel, which costs more. */
// @ts-ignore: decorator
@inline
function copy(to: usize, from: usize, bytes: usize): void {
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at));
  for (; at < bytes; at += 4) store<u32>(to + at, load<u32>(from + at));
}

/** Moves whole outer positions, whose classes and inner positions are contiguous, via a stage in K. */
function moveWhole<K>(fold: Fold, tensor: usize, dtype: i32, n: usize, block: usize, out: bool): void {
  const inner = <usize>fold.inner;
  const first = <usize>fold.position / inner;
  const outers = <usize>fold.width / inner;
  const shift = log2SizeOf(dtype);
  // With all classes in the block, the outer positions have no gaps.
  const runs: usize = n == fold.classes ? <usize>1 : outers;
  const run = n == fold.classes ? outers * n * inner : n * inner;
  const row = padded(fold);
  if (out) transpose<K>(block, row, outers, n, inner, true);
  for (let o: usize = 0; o < runs; o++) {
    const address = tensor + (((first + o) * fold.classes + fold.classAt) * inner << shift);
    const stage = STAGE + o * run * sizeof<K>();
    if (out) convert(stage, codeOf<K>(), address, dtype, run);
    else convert(address, dtype, stage, codeOf<K>(), run);
  }
  if (!out) transpose<K>(block, row, outers, n, inner, false);
}

/** Transposes between the stage, (outer, class, inner), and a block, (class, outer * inner), into the stage if `out`. */
function transpose<K>(block: usize, row: usize, outers: usize, n: usize, inner: usize, out: bool): void {
  const run = inner * sizeof<K>();
  const slab = n * run;
  for (let c: usize = 0; c < n; c++) {
    const cell = block + c * row * sizeof<K>();
    const stage = STAGE + c * run;
    for (let i: usize = 0; i < run; i += sizeof<K>()) {
      if (out) spread<K>(cell + i, run, stage + i, slab, outers);
      else spread<K>(stage + i, slab, cell + i, run, outers);
    }
  }
}

/** Copies `n` numbers from one stride to another, both in bytes. */
function spread<K>(from: usize, fromStride: usize, to: usize, toStride: usize, n: usize): void {
  for (const end = from + n * fromStride; from < end; from += fromStride, to += toStride) store<K>(to, load<K>(from));
}
