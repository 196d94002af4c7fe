// Class indices before and after a fold: their checks, and the sums of their weights and losses.
import { FLOAT32, FLOAT64, loadIndex, loadNumber, log2SizeOf, roundNumber, storeNumber } from "./formats";
import { accumulate } from "./sum";

/**
 * Checks `n` targets. Adds up, for each kept one, the weight of its class times that of its sample (1 without) in the
 * sum at `result`, two f64. Returns the index of the first invalid target, or -1.
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
