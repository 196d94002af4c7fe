// Sums of exponentials over a block of columns, beside the maxima. exponential-sums.ts explains them.
import { addExp, exp, expConstant, scaledOne, unscale } from "./exp";
import { LONG_RUN, RUNS } from "./exponential-sums";
import { PAIRED } from "./paired";
import { MAX, TAIL, TAIL_REST, arrayOf, lowestOf } from "./state";
import { Fold } from "./struct";
import { addWithRest, startRest, takeRest } from "./sum";
import { Columns, lanes } from "./types";
import { groupsOf, lower, strideOf, upper } from "./vectors";

/** Run length for short rows transposed to columns, which PyTorch adds in a tree. PyTorch adds other columns one by one. */
const TURNED_RUN: usize = 2;

/** Vectors of positions at a time, as the size of a type. */
type One = u8;
type Two = u16;

/** Differences of the maxima before and after a block. */
const DROPS = memory.data(32, 16);

/**
 * Does {@link addRow} for a block of columns, for each vector of positions. Excludes the maximum by adding the lesser
 * of each element and the maximum before it, starting with the maximum before the block. `found` marks a first block
 * after {@link loadMaxima}.
 */
export function addColumns<K>(fold: Fold, x: usize, smaller: usize, n: usize, found: bool): void {
  const groups = groupsOf<K, Columns>(fold);
  let g: usize = 0;
  if (PAIRED) for (; g + 1 < groups; g += 2) addVectors<K, Two>(fold, g, x, smaller, n, found);
  for (; g < groups; g++) addVectors<K, One>(fold, g, x, smaller, n, found);
}

/** Does {@link addColumns} for V vectors of positions from `g` on. */
function addVectors<K, V>(fold: Fold, g: usize, x: usize, smaller: usize, n: usize, found: bool): void {
  const maxima = arrayOf<Columns>(fold, MAX) + (g << 4);
  // Short rows as columns.
  const turned = fold.inner == 1;
  const stride = strideOf<K, Columns>(fold);
  const first = found ? smaller + (g << 4) : smaller;
  const step = found ? stride : sizeof<V>() << 4;
  if (!found) keepSmaller<K, V>(x + (g << 4), stride, n, maxima, smaller);
  const to = sumRuns<K, V>(first, step, n, (turned ? TURNED_RUN : LONG_RUN) * step, maxima);
  for (let j: usize = 0; j < sizeof<V>(); j++) {
    // For a first block, 1 without finite elements, otherwise 0.
    const factor = found
      ? v128.and(v128.eq<K>(v128.load(maxima + (j << 4)), lowestOf<K>()), v128.splat<K>(scaledOne<K>()))
      : scaledExp<K>(v128.load(DROPS + (j << 4)));
    const runs = RUNS + (j << 4);
    const tails = arrayOf<Columns>(fold, TAIL) + (g + j) * (lanes<K>() << 3);
    if (sizeof<K>() == 4 || turned) addToTails<K, V>(tails, runs, to, factor);
    else addExactly<V>(tails, arrayOf<Columns>(fold, TAIL_REST) + (g + j << 4), runs, to, factor);
  }
}

/** Writes the lesser of each element and the maximum before it to `smaller`, and the last maximum to `maxima`. */
// @ts-ignore: decorator
@inline
function keepSmaller<K, V>(x: usize, stride: usize, n: usize, maxima: usize, smaller: usize): void {
  const before = v128.load(maxima);
  let max = before;
  if (sizeof<V>() == 2) {
    const beforeNext = v128.load(maxima, 16);
    let maxNext = beforeNext;
    for (const end = smaller + (n << 5); smaller < end; smaller += 32, x += stride) {
      const v = v128.load(x);
      const next = v128.load(x, 16);
      v128.store(smaller, v128.pmin<K>(v, max));
      v128.store(smaller, v128.pmin<K>(next, maxNext), 16);
      max = v128.pmax<K>(max, v);
      maxNext = v128.pmax<K>(maxNext, next);
    }
    v128.store(maxima, max);
    v128.store(maxima, maxNext, 16);
    v128.store(DROPS, v128.sub<K>(before, max));
    v128.store(DROPS, v128.sub<K>(beforeNext, maxNext), 16);
  } else {
    for (const end = smaller + (n << 4); smaller < end; smaller += 16, x += stride) {
      const v = v128.load(x);
      v128.store(smaller, v128.pmin<K>(v, max));
      max = v128.pmax<K>(max, v);
    }
    v128.store(maxima, max);
    v128.store(DROPS, v128.sub<K>(before, max));
  }
}

/** Writes the sums of exp(x - m) of each run of V vectors to RUNS, and returns their end. */
// @ts-ignore: decorator
@inline
function sumRuns<K, V>(x: usize, step: usize, n: usize, run: usize, maxima: usize): usize {
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const max = v128.load(maxima);
  const none = v128.sub<K>(max, max);
  let to: usize = RUNS;
  const last = x + n * step;
  if (sizeof<V>() == 2) {
    const maxNext = v128.load(maxima, 16);
    const noneNext = v128.sub<K>(maxNext, maxNext);
    for (let at = x; at < last; to += 32) {
      const end = min(last, at + run);
      let sum = none;
      let sumNext = noneNext;
      for (; at < end; at += step) {
        sum = addExp<K>(sum, v128.sub<K>(v128.load(at), max), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
        sumNext = addExp<K>(sumNext, v128.sub<K>(v128.load(at, 16), maxNext), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
      }
      v128.store(to, sum);
      v128.store(to, sumNext, 16);
    }
  } else {
    for (let at = x; at < last; to += 16) {
      const end = min(last, at + run);
      let sum = none;
      for (; at < end; at += step) {
        sum = addExp<K>(sum, v128.sub<K>(v128.load(at), max), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
      }
      v128.store(to, sum);
    }
  }
  return to;
}

/** Computes {@link exp} of one vector. */
function scaledExp<K>(x: v128): v128 {
  return exp<K>(
    x, expConstant<K>(0), expConstant<K>(1), expConstant<K>(2), expConstant<K>(3), expConstant<K>(4),
    expConstant<K>(5), expConstant<K>(6), expConstant<K>(7), expConstant<K>(8), expConstant<K>(9),
  );
}

/** Adds the sums of the runs from `runs` to `to`, one of V vectors each, to T scaled by `factor`. */
// @ts-ignore: decorator
@inline
function addToTails<K, V>(tails: usize, runs: usize, to: usize, factor: v128): void {
  const scale = f64x2.splat(unscale<K>());
  let low = v128.mul<f64>(v128.load(tails), lower<K>(factor));
  let high = f64x2.splat(0);
  if (sizeof<K>() == 4) high = v128.mul<f64>(v128.load(tails, 16), upper<K>(factor));
  for (let at = runs; at < to; at += sizeof<V>() << 4) {
    low = v128.add<f64>(low, lower<K>(v128.load(at)));
    if (sizeof<K>() == 4) high = v128.add<f64>(high, upper<K>(v128.load(at)));
  }
  v128.store(tails, v128.mul<f64>(low, scale));
  if (sizeof<K>() == 4) v128.store(tails, v128.mul<f64>(high, scale), 16);
}

/**
 * Does {@link addToTails} for long columns of float64, and adds the rounding error of each addition to `rests`, because
 * those of 10^6 classes were up to 111 ulp. `rests` are scaled, too. Short rows have too few runs to need it.
 */
function addExactly<V>(tails: usize, rests: usize, runs: usize, to: usize, factor: v128): void {
  const scale = f64x2.splat(unscale<f64>());
  let sum = v128.mul<f64>(v128.load(tails), factor);
  startRest(v128.mul<f64>(v128.load(rests), factor));
  for (let at = runs; at < to; at += sizeof<V>() << 4) sum = addWithRest(sum, v128.load(at));
  v128.store(tails, v128.mul<f64>(sum, scale));
  v128.store(rests, v128.mul<f64>(takeRest<f64>(), scale));
}
