/** Entry for Node, Deno and Bun. The first call of a loss reads the kernels from their file. */
import { readFileSync } from "node:fs";
import { hasRelaxedSimd } from "../kernel/simd.ts";
import { setSource } from "../library/instance.ts";

export * from "../index.ts";

setSource(() => {
  const file = hasRelaxedSimd() ? "./kernel.wasm" : "./kernel-plain.wasm";
  return readFileSync(new URL(file, import.meta.url));
});
