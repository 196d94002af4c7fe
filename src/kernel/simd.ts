/** Features of the engine that the kernels need, each tested by a module of one function. */

const [V128, F32] = [123, 125];
/** `(i8x16.splat (i32.const 0))` */
const SIMD = [65, 0, 253, 15];
/** `(f32x4.splat (f32.const 1 + 2^-23))` */
const FACTOR = [67, 1, 0, 128, 63, 253, 19];
/** `(f32x4.splat (f32.const -1 - 2^-22))`, minus the square of the factor if that is rounded. */
const SUMMAND = [67, 2, 0, 128, 191, 253, 19];
/** `(f32x4.extract_lane 0 (f32x4.relaxed_madd ...))` */
const MADD = [...FACTOR, ...FACTOR, ...SUMMAND, 253, 133, 2, 253, 31, 0];

/** Returns a module whose function `f` has no parameters. */
function moduleOf(result: number, instructions: readonly number[]): Uint8Array<ArrayBuffer> {
  const header = [0, 97, 115, 109, 1, 0, 0, 0];
  const types = [1, 5, 1, 96, 0, 1, result];
  const functions = [3, 2, 1, 0];
  const exports = [7, 5, 1, 1, 102, 0, 0];
  const body = [0, ...instructions, 11];
  const code = [10, body.length + 2, 1, body.length];
  return Uint8Array.of(...header, ...types, ...functions, ...exports, ...code, ...body);
}

export function hasSimd(): boolean {
  return typeof WebAssembly !== "undefined" && WebAssembly.validate(moduleOf(V128, SIMD));
}

export function hasRelaxedSimd(): boolean {
  return typeof WebAssembly !== "undefined" && WebAssembly.validate(moduleOf(F32, MADD));
}

/**
 * Returns whether relaxed SIMD multiplies and adds with one rounding, with which the kernels are 1.7 times as fast. The
 * specification also allows two roundings, for which the build with relaxed SIMD is not exact enough. JavaScriptCore has
 * two on x86, and all engines on processors without such an instruction.
 */
export function hasFusedSteps(): boolean {
  if (!hasRelaxedSimd()) return false;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(moduleOf(F32, MADD)));
  return (exports.f as () => number)() !== 0;
}
