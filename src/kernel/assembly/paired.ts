// Loops over two vectors at a time. V8 makes one instruction of 256 bits of two of 128 (--experimental-wasm-revectorize)
// where a loop stores two vectors side by side that it computes alike, from numbers that lie side by side or are the
// same for both. It compares addresses by their immediate offsets, so the second vector is `v128.load(x + at, 16)`. A
// vector parameter is not known to be the same for both, so functions broadcast or load what they need. No store may come
// between the loads of a pair. V8 13.6 computes wrong numbers where a pair negates one broadcast float64 (v128.neg of
// v128.splat), so functions broadcast the negative. --trace-wasm-revectorize prints why a loop stays as it is.

/**
 * Whether this is the build for that. The other builds have the same results bit for bit, with one vector at a time,
 * because two fill more than the 16 registers of x86-64.
 */
// @ts-ignore: defined by the build
export const PAIRED: bool = isDefined(ASC_PAIRED);
