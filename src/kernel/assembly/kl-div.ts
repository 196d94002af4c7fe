// Kullback-Leibler divergence of each element, with both gradients. A block passes through PyTorch's operations one by
// one, each of which rounds to the dtype that PyTorch stores.
import {
  BLOCK, add, copy, divide, divideBy, expBlock, logBlock, multiply, negate, round, subtract, timesLog,
} from "./block-arithmetic";
import { convert } from "./convert";
import { FLOAT64, log2SizeOf } from "./formats";
import { lostBy } from "./sum";
import { codeOf, lanes } from "./types";

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

// Blocks in K.
const X = memory.data(4096, 16); // BLOCK * 8
/** Target. */
const T = memory.data(4096, 16);
/** Logarithm or exponential of the target. */
const LOG_EXP = memory.data(4096, 16);
const LOSSES = memory.data(4096, 16);
/** Difference target - input of log-probabilities. */
const DIFFERENCE = memory.data(4096, 16);
/** Upstream gradient, in the dtypes of the losses and of the target. */
const GRAD = memory.data(4096, 16);
const GRAD_OF_TARGET = memory.data(4096, 16);
/** Parts of a gradient. */
const P = memory.data(4096, 16);
const Q = memory.data(4096, 16);
const R = memory.data(4096, 16);

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

/** Loads the upstream gradient of a block, divided as the losses are, to GRAD, and to GRAD_OF_TARGET in the target's dtype. */
function readGradOutput<K>(kl: KlDiv, n: usize): void {
  if (kl.gradOutput != 0) read<K>(kl.gradOutput, codeOf<K>(), kl.position, GRAD, n);
  else for (let at: usize = 0; at < n * sizeof<K>(); at += 16) v128.store(GRAD + at, v128.splat<K>(<K>kl.gradOutputScalar));
  if (kl.divisor != 1) divideBy<K>(GRAD, <K>kl.divisor, kl.lossDtype, n);
  copy<K>(GRAD, GRAD_OF_TARGET, n);
  round<K>(GRAD_OF_TARGET, kl.targetDtype, n);
}

/**
 * Computes xlogy(t, t) - t * x and its gradients: -g * t with respect to x, and xlogy(g, t) + g * t / t - g * x with
 * respect to t, which is NaN for t = 0.
 */
function fromProbabilities<K>(kl: KlDiv, n: usize): void {
  const wide = kl.lossDtype;
  const own = kl.targetDtype;
  logBlock<K>(T, LOG_EXP, n);
  round<K>(LOG_EXP, own, n);
  timesLog<K>(T, T, LOG_EXP, LOSSES, n);
  round<K>(LOSSES, own, n);
  multiply<K>(T, X, P, wide, n);
  subtract<K>(LOSSES, P, LOSSES, wide, n);
  finishLosses<K>(kl, n);
  if (kl.gradInput != 0) {
    multiply<K>(GRAD, T, P, wide, n);
    negate<K>(P, n);
    write<K>(kl.gradInput, kl.xDtype, kl.position, P, n);
  }
  if (kl.gradTarget == 0) return;
  // Adds the parts in the order in which autograd accumulates them.
  timesLog<K>(GRAD_OF_TARGET, T, LOG_EXP, Q, n);
  round<K>(Q, own, n);
  multiply<K>(GRAD_OF_TARGET, T, P, own, n);
  divide<K>(P, T, P, own, n);
  add<K>(Q, P, Q, own, n);
  multiply<K>(GRAD, X, P, wide, n);
  negate<K>(P, n);
  round<K>(P, own, n);
  add<K>(Q, P, Q, own, n);
  write<K>(kl.gradTarget, own, kl.position, Q, n);
}

/** Computes exp(t) * (t - x) and its gradients: -g * exp(t) with respect to x, g * exp(t) + g * (t - x) * exp(t) to t. */
function fromLogProbabilities<K>(kl: KlDiv, n: usize): void {
  const wide = kl.lossDtype;
  const own = kl.targetDtype;
  expBlock<K>(T, LOG_EXP, n);
  round<K>(LOG_EXP, own, n);
  subtract<K>(T, X, DIFFERENCE, wide, n);
  multiply<K>(LOG_EXP, DIFFERENCE, LOSSES, wide, n);
  finishLosses<K>(kl, n);
  if (kl.gradInput == 0 && kl.gradTarget == 0) return;
  multiply<K>(GRAD, LOG_EXP, P, wide, n);
  if (kl.gradTarget != 0) {
    multiply<K>(GRAD, DIFFERENCE, Q, wide, n);
    round<K>(Q, own, n);
    multiply<K>(Q, LOG_EXP, Q, own, n);
    copy<K>(P, R, n);
    round<K>(R, own, n);
    add<K>(R, Q, R, own, n);
    write<K>(kl.gradTarget, own, kl.position, R, n);
  }
  if (kl.gradInput == 0) return;
  negate<K>(P, n);
  write<K>(kl.gradInput, kl.xDtype, kl.position, P, n);
}

/** Divides the losses of a block, then stores them or adds them to the sum. */
function finishLosses<K>(kl: KlDiv, n: usize): void {
  if (kl.divisor != 1) divideBy<K>(LOSSES, <K>kl.divisor, kl.lossDtype, n);
  if (kl.losses != 0) return write<K>(kl.losses, kl.lossDtype, kl.position, LOSSES, n);
  let sum = kl.lossSum;
  let lost = kl.lossRest;
  for (let at: usize = 0; at < n * sizeof<K>(); at += sizeof<K>()) {
    const loss = f64(load<K>(LOSSES + at));
    const total = sum + loss;
    lost += lostBy(sum, loss, total);
    sum = total;
  }
  kl.lossSum = sum;
  kl.lossRest = lost;
}
