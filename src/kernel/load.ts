/** Loads the server's kernels from their file and gives them a memory of its final size, so its views never detach. */
import { readFileSync } from "node:fs";
import type { ConvertExports } from "./convert.ts";
import type { LossExports, LossKernel } from "./kernel.ts";
import { instantiate, MAX_MEMORY_BYTES, PAGE_BYTES } from "./kernel.ts";
import { hasFusedSteps } from "./simd.ts";
import type { TextExports } from "./text.ts";
import { writePowers } from "./text.ts";

/** Exports of `assembly/index.ts`. */
export type KernelExports = LossExports & ConvertExports & TextExports;

/** Kernels of losses and texts with their memory. */
export type Kernel = LossKernel<KernelExports>;

/** Upper bound of the kernels' own data (constants, decimal powers, scratch blocks) in pages. */
const TABLE_PAGES = 48;

/** Build of the kernels. Pairs of vectors need a flag of V8, which `server/build.ts` sets. */
export type Build = "kernel.wasm" | "kernel-paired.wasm" | "kernel-plain.wasm";

const compiled = new Map<Build, WebAssembly.Module>();

/** Compiles a build once per process. */
function compile(build: Build): WebAssembly.Module {
  let module = compiled.get(build);
  if (module === undefined) {
    module = new WebAssembly.Module(readFileSync(new URL(`./${build}`, import.meta.url)));
    compiled.set(build, module);
  }
  return module;
}

/** Returns the fastest build that needs no flag. */
export function buildWithoutFlags(): Build {
  return hasFusedSteps() ? "kernel.wasm" : "kernel-plain.wasm";
}

/** Loads the kernels with `size` bytes of memory beyond their own data. */
export function loadKernel(size: number, build = buildWithoutFlags()): Kernel {
  const pages = Math.min(Math.ceil(size / PAGE_BYTES) + TABLE_PAGES, MAX_MEMORY_BYTES / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const bytes = Buffer.from(memory.buffer);
  const parseNumber = (at: number, length: number): number =>
    Number(bytes.toString("latin1", at, at + length));
  const kernel = instantiate<KernelExports>(compile(build), memory, { parseNumber });
  writePowers(kernel.exports, memory);
  kernel.exports.fillPrintTables();
  kernel.exports.fillReadTables();
  return kernel;
}
