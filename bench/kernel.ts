/** The kernels as the server loads them, or with `WIDE_SIMD=false` as it does without vectors of 256 bits. */
import type { Kernel } from "../src/kernel/load.ts";
import { loadKernel } from "../src/kernel/load.ts";
import { chooseBuild } from "../src/server/build.ts";

export function openKernel(bytes: number): Kernel {
  return loadKernel(bytes, chooseBuild(process.env.WIDE_SIMD !== "false"));
}
