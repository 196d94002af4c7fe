/** An engine without relaxed SIMD: the loader of the kernels has to take the plain build. */

const RELAXED_MADD = [253, 133, 2];
const { validate } = WebAssembly;

WebAssembly.validate = (bytes) => {
  const code = Buffer.from(bytes as Uint8Array);
  return !code.includes(Buffer.from(RELAXED_MADD)) && validate(bytes);
};
