// Kullback-Leibler divergence of each element, with both gradients. A block passes through PyTorch's operations one by
// one, each of which rounds to the dtype that PyTorch stores.
import { convert, demotePair, roundBlock } from "./convert";
import { exp, expConstant, log, unscale } from "./exp";
import { FLOAT64, log2SizeOf } from "./formats";
import { lostBy } from "./sum";
import { codeOf, lanes } from "./types";
import { lower, upper } from "./vectors";

/** Record of one divergence. `src/kernel/kl-div.ts` writes it field by field. */
@unmanaged
class KlDiv {
  gradOutputScalar: f64;
  /** Divides each loss. 1 for none. */
  divisor: f64;
  /** Result: sum of the losses in the format of sum.ts. */
  lossSum: f64;
  lossRest: f64;
  count: u32;
  /** Whether the target holds log-probabilities. */
  logTarget: u32;
  // Addresses (0 for none) and dtypes.
  x: u32;
  xDtype: u32;
  target: u32;
  targetDtype: u32;
  losses: u32;
  lossDtype: u32;
  gradInput: u32;
  gradTarget: u32;
  gradOutput: u32;
  /** Next element, which belongs to the kernel. The loader writes zero. */
  position: u32;
}

export const klDivBytes: usize = offsetof<KlDiv>();

/** Elements of a block. All blocks of float32 fit the first-level cache together. */
const BLOCK: usize = 512;

// Blocks in K.
const X = memory.data(4096, 16); // BLOCK * 8
const T = memory.data(4096, 16);
/** Logarithm or exponential of the target. */
const F = memory.data(4096, 16);
/** Losses. */
const A = memory.data(4096, 16);
/** Difference target - input of log-probabilities. */
const D = memory.data(4096, 16);
/** Upstream gradient, in the dtypes of the losses and of the target. */
const G = memory.data(4096, 16);
const GT = memory.data(4096, 16);
const P = memory.data(4096, 16);
const Q = memory.data(4096, 16);
const ROUND = memory.data(4096, 16);

/** Continues for about `budget` elements and returns whether all are done. */
export function klDivStep(at: usize, budget: i32): i32 {
  const kl = changetype<KlDiv>(at);
  return kl.lossDtype == FLOAT64 ? step<f64>(kl, budget) : step<f32>(kl, budget);
}

function step<K>(kl: KlDiv, budget: i32): i32 {
  for (let left: i64 = budget; kl.position < kl.count; left -= i64(BLOCK)) {
    if (left <= 0) return 0;
    const n = min<usize>(BLOCK, kl.count - kl.position);
    read<K>(kl.x, kl.xDtype, kl.position, X, n);
    read<K>(kl.target, kl.targetDtype, kl.position, T, n);
    if (kl.gradInput != 0 || kl.gradTarget != 0) readGradOutput<K>(kl, n);
    if (kl.logTarget) fromLogProbabilities<K>(kl, n);
    else fromProbabilities<K>(kl, n);
    kl.position += u32(n);
  }
  return 1;
}

/** Loads `n` elements from `position` on in K and fills the last vector with ones. */
function read<K>(tensor: usize, dtype: i32, position: u32, to: usize, n: usize): void {
  convert(tensor + (<usize>position << log2SizeOf(dtype)), dtype, to, codeOf<K>(), n);
  for (let i = n; i & (lanes<K>() - 1); i++) store<K>(to + i * sizeof<K>(), <K>1);
}

/** Stores `n` elements from `position` on, rounded to the dtype. */
function write<K>(tensor: usize, dtype: i32, position: u32, from: usize, n: usize): void {
  convert(from, codeOf<K>(), tensor + (<usize>position << log2SizeOf(dtype)), dtype, n);
}

/** Loads the upstream gradient of a block, divided as the losses are, to G and rounded to the target's dtype to GT. */
function readGradOutput<K>(kl: KlDiv, n: usize): void {
  if (kl.gradOutput != 0) read<K>(kl.gradOutput, codeOf<K>(), kl.position, G, n);
  else for (let at: usize = 0; at < n * sizeof<K>(); at += 16) v128.store(G + at, v128.splat<K>(<K>kl.gradOutputScalar));
  if (kl.divisor != 1) divideBlock<K>(G, <K>kl.divisor, kl.lossDtype, n);
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) v128.store(GT + at, v128.load(G + at));
  round<K>(GT, kl.targetDtype, n);
}

/** Rounds a block in place as if stored. */
function round<K>(at: usize, dtype: i32, n: usize): void {
  roundBlock<K>(at, dtype, n, ROUND);
}

/** Computes to = a * b, rounded to the dtype. `to` may be either. */
function multiply<K>(a: usize, b: usize, to: usize, dtype: i32, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    v128.store(to + at, v128.mul<K>(v128.load(a + at), v128.load(b + at)));
  }
  round<K>(to, dtype, n);
}

/** Computes to = a - b, rounded to the dtype. `to` may be either. */
function subtract<K>(a: usize, b: usize, to: usize, dtype: i32, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    v128.store(to + at, v128.sub<K>(v128.load(a + at), v128.load(b + at)));
  }
  round<K>(to, dtype, n);
}

/** Computes to = a + b, rounded to the dtype. `to` may be either. */
function add<K>(a: usize, b: usize, to: usize, dtype: i32, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    v128.store(to + at, v128.add<K>(v128.load(a + at), v128.load(b + at)));
  }
  round<K>(to, dtype, n);
}

/** Computes to = a / b, rounded to the dtype. `to` may be either. */
function quotient<K>(a: usize, b: usize, to: usize, dtype: i32, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    v128.store(to + at, v128.div<K>(v128.load(a + at), v128.load(b + at)));
  }
  round<K>(to, dtype, n);
}

/** Negates a block in place. */
function negate<K>(block: usize, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) v128.store(block + at, v128.neg<K>(v128.load(block + at)));
}

/** Divides a block in place by one number, rounded to the dtype. */
function divideBlock<K>(block: usize, divisor: K, dtype: i32, n: usize): void {
  const by = v128.splat<K>(divisor);
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) v128.store(block + at, v128.div<K>(v128.load(block + at), by));
  round<K>(block, dtype, n);
}

/**
 * Computes xlogy(t, t) - t * x and its gradients: -g * t with respect to x, and xlogy(g, t) + g * t / t - g * x with
 * respect to t, which is NaN for t = 0.
 */
function fromProbabilities<K>(kl: KlDiv, n: usize): void {
  const wide = kl.lossDtype;
  const own = kl.targetDtype;
  logBlock<K>(T, F, n);
  round<K>(F, own, n);
  timesLog<K>(T, A, n);
  round<K>(A, own, n);
  multiply<K>(T, X, P, wide, n);
  subtract<K>(A, P, A, wide, n);
  finishLosses<K>(kl, n);
  if (kl.gradInput != 0) {
    multiply<K>(G, T, P, wide, n);
    negate<K>(P, n);
    write<K>(kl.gradInput, kl.xDtype, kl.position, P, n);
  }
  if (kl.gradTarget == 0) return;
  // Adds the parts in the order in which autograd accumulates them.
  timesLog<K>(GT, Q, n);
  round<K>(Q, own, n);
  multiply<K>(GT, T, P, own, n);
  quotient<K>(P, T, P, own, n);
  add<K>(Q, P, Q, own, n);
  multiply<K>(G, X, P, wide, n);
  negate<K>(P, n);
  round<K>(P, own, n);
  add<K>(Q, P, Q, own, n);
  write<K>(kl.gradTarget, own, kl.position, Q, n);
}

/** Computes exp(t) * (t - x) and its gradients: -g * exp(t) with respect to x, g * exp(t) + g * (t - x) * exp(t) to t. */
function fromLogProbabilities<K>(kl: KlDiv, n: usize): void {
  const wide = kl.lossDtype;
  const own = kl.targetDtype;
  expBlock<K>(T, F, n);
  round<K>(F, own, n);
  subtract<K>(T, X, D, wide, n);
  multiply<K>(F, D, A, wide, n);
  finishLosses<K>(kl, n);
  if (kl.gradInput == 0 && kl.gradTarget == 0) return;
  multiply<K>(G, F, P, wide, n);
  if (kl.gradTarget != 0) {
    multiply<K>(G, D, Q, wide, n);
    round<K>(Q, own, n);
    multiply<K>(Q, F, Q, own, n);
    for (let at: usize = 0; at < n * sizeof<K>(); at += 16) v128.store(A + at, v128.load(P + at));
    round<K>(A, own, n);
    add<K>(A, Q, A, own, n);
    write<K>(kl.gradTarget, own, kl.position, A, n);
  }
  if (kl.gradInput == 0) return;
  negate<K>(P, n);
  write<K>(kl.gradInput, kl.xDtype, kl.position, P, n);
}

/** Divides, stores and sums the losses in A. */
function finishLosses<K>(kl: KlDiv, n: usize): void {
  if (kl.divisor != 1) divideBlock<K>(A, <K>kl.divisor, kl.lossDtype, n);
  if (kl.losses != 0) return write<K>(kl.losses, kl.lossDtype, kl.position, A, n);
  let sum = kl.lossSum;
  let lost = kl.lossRest;
  for (let at: usize = 0; at < n * sizeof<K>(); at += sizeof<K>()) {
    const loss = f64(load<K>(A + at));
    const total = sum + loss;
    lost += lostBy(sum, loss, total);
    sum = total;
  }
  kl.lossSum = sum;
  kl.lossRest = lost;
}

/** Computes to = a * log(t) with the logarithm in F, and 0 where t or `a` is 0. NaN in t gives NaN. */
function timesLog<K>(a: usize, to: usize, n: usize): void {
  const zero = v128.splat<K>(0);
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    const t = v128.load(T + at);
    const factor = v128.load(a + at);
    const isZero = v128.or(v128.eq<K>(t, zero), v128.and(v128.eq<K>(factor, zero), v128.eq<K>(t, t)));
    v128.store(to + at, v128.andnot(v128.mul<K>(factor, v128.load(F + at)), isZero));
  }
}

/** Computes log(t) in K. The result for 0 is not used. */
function logBlock<K>(from: usize, to: usize, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    const t = v128.load(from + at);
    if (sizeof<K>() == 8) v128.store(to + at, logOf(t));
    else v128.store(to + at, demotePair(logOf(lower<K>(t)), logOf(upper<K>(t))));
  }
}

/** Computes exp(t) in K. */
function expBlock<K>(from: usize, to: usize, n: usize): void {
  for (let at: usize = 0; at < n * sizeof<K>(); at += 16) {
    const t = v128.load(from + at);
    if (sizeof<K>() == 8) v128.store(to + at, expOf(t));
    else v128.store(to + at, demotePair(expOf(lower<K>(t)), expOf(upper<K>(t))));
  }
}

/** Smallest normal float64. */
const MIN_NORMAL: f64 = 2.2250738585072014e-308;

// Rare numbers take a slower way lane by lane, so that the bits of a number do not depend on its neighbor.

/** Computes log(t) of two float64. 0 gives NaN, which {@link timesLog} replaces. */
// @ts-ignore: decorator
@inline
function logOf(t: v128): v128 {
  const rare = v128.or(
    v128.gt<f64>(t, f64x2.splat(f64.MAX_VALUE)),
    v128.and(v128.gt<f64>(t, f64x2.splat(0)), v128.lt<f64>(t, f64x2.splat(MIN_NORMAL))),
  );
  const logs = log(t);
  return v128.any_true(rare) ? replaceLogs(t, logs, rare) : logs;
}

/** Replaces the logarithms of subnormal and infinite numbers. */
function replaceLogs(t: v128, logs: v128, rare: v128): v128 {
  if (v128.extract_lane<i64>(rare, 0)) {
    logs = v128.replace_lane<f64>(logs, 0, NativeMath.log(v128.extract_lane<f64>(t, 0)));
  }
  if (!v128.extract_lane<i64>(rare, 1)) return logs;
  return v128.replace_lane<f64>(logs, 1, NativeMath.log(v128.extract_lane<f64>(t, 1)));
}

/** Argument from which {@link exp} of float64 exceeds its scaled range, far beyond the range of float32. */
const MAX_SCALED: f64 = 600;

/** Computes exp(t) of two float64. */
// @ts-ignore: decorator
@inline
function expOf(t: v128): v128 {
  const rare = v128.gt<f64>(t, f64x2.splat(MAX_SCALED));
  const e = exp<f64>(
    t, expConstant<f64>(0), expConstant<f64>(1), expConstant<f64>(2), expConstant<f64>(3), expConstant<f64>(4),
    expConstant<f64>(5), expConstant<f64>(6), expConstant<f64>(7), expConstant<f64>(8), expConstant<f64>(9),
  );
  const powers = v128.mul<f64>(e, f64x2.splat(unscale<f64>()));
  return v128.any_true(rare) ? replacePowers(t, powers, rare) : powers;
}

/** Replaces the exponentials of large numbers. */
function replacePowers(t: v128, powers: v128, rare: v128): v128 {
  if (v128.extract_lane<i64>(rare, 0)) {
    powers = v128.replace_lane<f64>(powers, 0, NativeMath.exp(v128.extract_lane<f64>(t, 0)));
  }
  if (!v128.extract_lane<i64>(rare, 1)) return powers;
  return v128.replace_lane<f64>(powers, 1, NativeMath.exp(v128.extract_lane<f64>(t, 1)));
}
