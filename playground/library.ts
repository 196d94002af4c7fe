/** lossd's library in the page, with its WebAssembly from the page's own server. */
export type {
  ArrayTensor,
  CrossEntropyOptions,
  DType,
  KlDivOptions,
  LogSoftmaxOptions,
} from "../src/index.ts";
export { crossEntropy, klDiv, LossError, logSoftmax, nllLoss } from "../src/index.ts";

/** Loads the kernels. Call it once, before any loss. */
export async function loadLibrary(): Promise<void> {
  const kernels = globalThis as { lossdKernels?: Record<string, Uint8Array> };
  const names = ["kernel.wasm", "kernel-plain.wasm"];
  const files = names.map(async (name) => {
    const response = await fetch(new URL(name, import.meta.url));
    return [name, new Uint8Array(await response.arrayBuffer())] as const;
  });
  kernels.lossdKernels = Object.fromEntries(await Promise.all(files));
}
