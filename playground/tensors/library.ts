/** lossd's library. The page's only import from src/. */
export type {
  ArrayTensor,
  CrossEntropyOptions,
  DType,
  KlDivOptions,
  LogSoftmaxOptions,
} from "../../src/index.ts";
export { crossEntropy, klDiv, LossError, logSoftmax, nllLoss } from "../../src/index.ts";

/** Loads the kernels, from beside the page's script. Call it before any loss. */
export async function loadLibrary(): Promise<undefined> {
  await import("../../src/runtimes/browser.ts");
}
