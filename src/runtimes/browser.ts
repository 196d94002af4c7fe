/** Entry for browsers and bundlers. Its importers run after the kernels have been fetched. */
import { hasRelaxedSimd } from "../kernel/simd.ts";
import { init } from "../library/init.ts";
import { setSource } from "../library/instance.ts";

export * from "../index.ts";

// Bundlers find a file by `new URL` of a literal and import.meta.url only, so each build has its own.
setSource(() =>
  hasRelaxedSimd()
    ? new URL("./kernel.wasm", import.meta.url)
    : new URL("./kernel-plain.wasm", import.meta.url),
);
await init();
