// Transforms of logits before a loss: softcap * tanh(x / softcap), as Gemma 2 caps its logits, and x / temperature.
// Computed in float32, or in float64 for float64, and rounded once.
//
// With e = exp(-2|u|), tanh |u| = (1 - e) / (1 + e), whose derivative is 4e / (1 + e)^2. Below 1/4 that quotient would
// lose digits, and the Taylor series u + u^3 * t(u^2) is exact to the last place.
import { convert } from "./convert";
import { exp, expConstant, unscale } from "./exp";
import { FLOAT64, log2SizeOf } from "./formats";
import { codeOf } from "./types";

/** Elements in scratch at a time. */
const CHUNK: usize = 2048;
const LOGITS = memory.data(16384, 16); // CHUNK * 8
const GRADIENT = memory.data(16384, 16);

/** Coefficients of u^3, u^5, ... of tanh, from Bernoulli numbers. Float32 needs five of them. */
const SERIES = memory.data<f64>([
  -0.3333333333333333, 0.13333333333333333, -0.05396825396825397, 0.021869488536155203, -0.008863235529902197,
  0.003592128036572481, -0.0014558343870513183, 0.000590027440945586, -0.00023912911424355248, 0.00009691537956929451,
  -0.00003927832388331683,
], 16);

/** Caps `n` logits by `softcap` (0 for none), then divides them by `temperature`, in place. */
export function transformLogits(x: usize, dtype: i32, n: usize, softcap: f64, temperature: f64): void {
  if (dtype == FLOAT64) transform<f64>(x, dtype, n, softcap, temperature);
  else transform<f32>(x, dtype, n, softcap, temperature);
}

/**
 * Multiplies `n` gradients with respect to transformed logits by the derivative of the transform at `x`, which has been
 * rounded to `dtype`.
 */
export function transformLogitsGrad(
  x: usize, xDtype: i32, grad: usize, dtype: i32, n: usize, softcap: f64, temperature: f64,
): void {
  if (dtype == FLOAT64) transformGrad<f64>(x, xDtype, grad, dtype, n, softcap, temperature);
  else transformGrad<f32>(x, xDtype, grad, dtype, n, softcap, temperature);
}

function transform<K>(x: usize, dtype: i32, n: usize, softcap: f64, temperature: f64): void {
  for (let done: usize = 0; done < n; done += CHUNK) {
    const count = min(CHUNK, n - done);
    const at = x + (done << log2SizeOf(dtype));
    convert(at, dtype, LOGITS, codeOf<K>(), count);
    if (softcap > 0) cap<K>(LOGITS, count, softcap);
    if (temperature != 1) divide<K>(LOGITS, count, temperature);
    convert(LOGITS, codeOf<K>(), at, dtype, count);
  }
}

function transformGrad<K>(
  x: usize, xDtype: i32, grad: usize, dtype: i32, n: usize, softcap: f64, temperature: f64,
): void {
  for (let done: usize = 0; done < n; done += CHUNK) {
    const count = min(CHUNK, n - done);
    const at = grad + (done << log2SizeOf(dtype));
    convert(at, dtype, GRADIENT, codeOf<K>(), count);
    if (temperature != 1) divide<K>(GRADIENT, count, temperature);
    if (softcap > 0) {
      // The logits were rounded to the dtype of the loss before they were transformed.
      convert(x + (done << log2SizeOf(xDtype)), xDtype, LOGITS, dtype, count);
      if (dtype != codeOf<K>()) widen<K>(dtype, count);
      uncap<K>(LOGITS, GRADIENT, count, softcap);
    }
    convert(GRADIENT, codeOf<K>(), at, dtype, count);
  }
}

const NARROW = memory.data(4096, 16); // CHUNK * 2

/** Widens `count` 16-bit floats in LOGITS to K. */
function widen<K>(dtype: i32, count: usize): void {
  memory.copy(NARROW, LOGITS, count << 1);
  convert(NARROW, dtype, LOGITS, codeOf<K>(), count);
}

function divide<K>(x: usize, n: usize, divisor: f64): void {
  const by = v128.splat<K>(<K>divisor);
  const last = x + n * sizeof<K>();
  for (let at = x; at < last; at += 16) v128.store(at, v128.div<K>(v128.load(at), by));
}

/** Returns exp(-2|u|). */
// @ts-ignore: decorator
@inline
function decay<K>(
  u: v128, c0: v128, c1: v128, c2: v128, c3: v128, c4: v128, c5: v128, c6: v128, c7: v128, c8: v128, c9: v128,
): v128 {
  const y = v128.mul<K>(v128.abs<K>(u), v128.splat<K>(-2));
  return v128.mul<K>(exp<K>(y, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9), v128.splat<K>(<K>unscale<K>()));
}

/** Evaluates the series of tanh(u) / u - 1, divided by u^2, at z = u^2. */
// @ts-ignore: decorator
@inline
function series<K>(z: v128): v128 {
  let sum = v128.splat<K>(0);
  for (let i: isize = sizeof<K>() == 4 ? 4 : 10; i >= 0; i--) {
    sum = v128.add<K>(v128.mul<K>(sum, z), v128.splat<K>(<K>load<f64>(SERIES + (<usize>i << 3))));
  }
  return sum;
}

/** Replaces `n` numbers by softcap * tanh(x / softcap). */
function cap<K>(x: usize, n: usize, softcap: f64): void {
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const most = v128.splat<K>(<K>softcap);
  const one = v128.splat<K>(1);
  const sign = v128.splat<K>(-0.0);
  const last = x + n * sizeof<K>();
  for (let at = x; at < last; at += 16) {
    const u = v128.div<K>(v128.load(at), most);
    const e = decay<K>(u, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
    const large = v128.div<K>(v128.sub<K>(one, e), v128.add<K>(one, e));
    const z = v128.mul<K>(u, u);
    const size = v128.abs<K>(u);
    const small = v128.add<K>(size, v128.mul<K>(v128.mul<K>(size, z), series<K>(z)));
    const t = v128.bitselect(small, large, v128.lt<K>(size, v128.splat<K>(0.25)));
    v128.store(at, v128.mul<K>(v128.or(t, v128.and(u, sign)), most));
  }
}

/** Multiplies `n` gradients by the derivative of softcap * tanh(x / softcap). */
function uncap<K>(x: usize, grad: usize, n: usize, softcap: f64): void {
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const most = v128.splat<K>(<K>softcap);
  const one = v128.splat<K>(1);
  const four = v128.splat<K>(4);
  const last = x + n * sizeof<K>();
  for (let at = x; at < last; at += 16, grad += 16) {
    const e = decay<K>(v128.div<K>(v128.load(at), most), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
    const base = v128.add<K>(one, e);
    const slope = v128.div<K>(v128.mul<K>(four, e), v128.mul<K>(base, base));
    v128.store(grad, v128.mul<K>(v128.load(grad), slope));
  }
}
