/** Chooses the build of the kernels for this engine. */
import { arch, config, versions } from "node:process";
import { setFlagsFromString } from "node:v8";
import type { Build } from "../kernel/load.ts";
import { buildWithoutFlags } from "../kernel/load.ts";
import { hasFusedSteps } from "../kernel/simd.ts";

/** Makes V8 compile pairs of vectors to instructions of 256 bits (AVX2). Experimental, but the results are tested. */
export const PAIRS_FLAG = "--experimental-wasm-revectorize";
/** Versions of V8 whose results `test/kernel/paired.test.ts` has compared. */
const TESTED_V8 = /^13\.6\./;

/**
 * Returns whether this engine compiles pairs to instructions of 256 bits. It cannot tell whether the processor has them, but
 * nearly all with fused steps do. On others the build for pairs is a tenth slower than the one without.
 */
export function canPair(): boolean {
  const built: unknown = Reflect.get(config.variables, "v8_enable_wasm_simd256_revec");
  return built === 1 && arch === "x64" && TESTED_V8.test(versions.v8) && hasFusedSteps();
}

/** Returns the fastest build for this engine, without instructions of 256 bits unless `wideSimd`, for which it sets the flag. */
export function chooseBuild(wideSimd: boolean): Build {
  if (!wideSimd || !canPair()) return buildWithoutFlags();
  setFlagsFromString(PAIRS_FLAG);
  return "kernel-paired.wasm";
}
