// Transforms of logits before a loss: softcap * tanh(x / softcap), as Gemma 2 caps its logits, and x / temperature.
// Computed in float32, or in float64 for float64, and rounded once.
//
// With u = x / softcap and e = exp(-2|u|), tanh |u| = 1 - 2e / (1 + e), whose derivative is 4e / (1 + e)^2. Below 1 the
// difference would lose digits, and tanh u = u - u * u^2 * s(u^2). Below 1/2, x in place of the first two u gives softcap *
// tanh u without their rounding, and keeps x where u underflows. From there on, that would swap one pair of neighbors in
// a thousand. About three pairs of all float32 near u = 0.91 are still swapped by one unit.
import { convert } from "./convert";
import { exp, expConstant, unscale } from "./exp";
import { FLOAT64, log2SizeOf } from "./formats";
import { codeOf } from "./types";

/** Elements in scratch at a time. */
const CHUNK: usize = 2048;
const LOGITS = memory.data(16384, 16); // CHUNK * 8
const GRADIENT = memory.data(16384, 16);

/** Coefficients of s(z) = (1 - tanh(u) / u) / z, z = u^2 < 1, of least error of z * s(z) (Remez): 2^-27.9 and 2^-56.4. */
const SERIES32 = memory.data<f32>([
  0.33333298896112773, -0.133324113904275, 0.05388410322172604, -0.021499399970314356, 0.007965211615091134,
  -0.0023154644210424437, 0.0003625225909039942,
], 16);
const SERIES64 = memory.data<f64>([
  0.3333333333333299, -0.1333333333329663, 0.053968253954617386, -0.0218694882789059, 0.008863232633042808,
  -0.0035921067220787274, 0.0014557260106084666, -0.0005896325304638503, 0.0002380731695959521, -0.00009481279040081759,
  0.00003613508448544478, -0.000012377957712669808, 0.0000034379812142219355, -6.599289918693308e-7, 6.341886111385538e-8,
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

/** Returns exp(-2u), u >= 0. */
// @ts-ignore: decorator
@inline
function decay<K>(
  u: v128, c0: v128, c1: v128, c2: v128, c3: v128, c4: v128, c5: v128, c6: v128, c7: v128, c8: v128, c9: v128,
): v128 {
  const y = v128.mul<K>(u, v128.splat<K>(-2));
  return v128.mul<K>(exp<K>(y, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9), v128.splat<K>(<K>unscale<K>()));
}

/** Evaluates s(z). */
// @ts-ignore: decorator
@inline
function series<K>(z: v128): v128 {
  const coefficients: usize = sizeof<K>() == 4 ? SERIES32 : SERIES64;
  let sum = v128.splat<K>(0);
  for (let i: isize = sizeof<K>() == 4 ? 6 : 14; i >= 0; i--) {
    sum = v128.add<K>(v128.mul<K>(sum, z), v128.load_splat<K>(coefficients + <usize>i * sizeof<K>()));
  }
  return sum;
}

/** Replaces `n` numbers by softcap * tanh(x / softcap). */
function cap<K>(logits: usize, n: usize, softcap: f64): void {
  const c0 = expConstant<K>(0), c1 = expConstant<K>(1), c2 = expConstant<K>(2), c3 = expConstant<K>(3);
  const c4 = expConstant<K>(4), c5 = expConstant<K>(5), c6 = expConstant<K>(6), c7 = expConstant<K>(7);
  const c8 = expConstant<K>(8), c9 = expConstant<K>(9);
  const most = v128.splat<K>(<K>softcap);
  const one = v128.splat<K>(1);
  const half = v128.splat<K>(0.5);
  const sign = v128.splat<K>(-0.0);
  const last = logits + n * sizeof<K>();
  for (let at = logits; at < last; at += 16) {
    const x = v128.load(at);
    const size = v128.abs<K>(x);
    const u = v128.div<K>(size, most);
    const e = decay<K>(u, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
    const large = v128.sub<K>(one, v128.div<K>(v128.add<K>(e, e), v128.add<K>(one, e)));
    const z = v128.mul<K>(u, u);
    const isSmall = v128.lt<K>(u, half);
    const base = v128.bitselect(size, u, isSmall);
    const small = v128.sub<K>(base, v128.mul<K>(base, v128.mul<K>(z, series<K>(z))));
    const scaled = v128.mul<K>(v128.bitselect(small, large, v128.lt<K>(u, one)), most);
    const t = v128.bitselect(small, scaled, isSmall);
    v128.store(at, v128.or(t, v128.and(x, sign)));
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
    const e = decay<K>(v128.abs<K>(v128.div<K>(v128.load(at), most)), c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
    const base = v128.add<K>(one, e);
    const slope = v128.div<K>(v128.mul<K>(four, e), v128.mul<K>(base, base));
    v128.store(grad, v128.mul<K>(v128.load(grad), slope));
  }
}
