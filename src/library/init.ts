/** Loading of the library's kernels by its callers. */
import { MAX_MEMORY_BYTES } from "../kernel/kernel.ts";
import { checkOptions, INIT } from "./check.ts";
import { INITIAL_BYTES, replaceInstance, sourceOfRuntime } from "./instance.ts";
import { compile, compileSync } from "./source.ts";
import type { InitOptions, KernelSource, SyncKernelSource } from "./types.ts";

/**
 * Loads the kernels, from the runtime's own source if none is given. Later calls replace them and their memory. Throws a
 * TypeError for another source or an unknown option, a RangeError for a `maxBytes` outside of 2.5 MiB to 4 GiB, and an
 * Error if the engine has no SIMD or the source cannot be loaded.
 */
export async function init(source?: KernelSource, options: InitOptions = {}): Promise<void> {
  const limit = checkLimit("init", options);
  replaceInstance(await compile("init: source", source ?? sourceOfRuntime("init")), limit);
}

/** Loads the kernels like {@link init}, but at once. */
export function initSync(source?: SyncKernelSource, options: InitOptions = {}): void {
  const limit = checkLimit("initSync", options);
  replaceInstance(compileSync("initSync: source", source ?? sourceOfRuntime("initSync")), limit);
}

function checkLimit(where: string, options: InitOptions): number {
  const { maxBytes: limit = MAX_MEMORY_BYTES } = checkOptions(where, options, INIT);
  if (limit >= INITIAL_BYTES && limit <= MAX_MEMORY_BYTES) return limit;
  throw new RangeError(
    `${where}: maxBytes: expected ${INITIAL_BYTES} to ${MAX_MEMORY_BYTES} bytes, got ${limit}`,
  );
}
