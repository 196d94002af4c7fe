/** TensorFlow.js on WebAssembly (SIMD, one thread) as a peer of log_softmax. */
import { elementCount } from "../../src/tensor/tensor.ts";
import { fastest } from "../measure.ts";
import type { KernelPeer } from "./peer.ts";
import { importPeer } from "./peer.ts";

/** The part of the package that is used here. */
interface TensorFlow {
  readonly version_core: string;
  env(): { set(flag: string, value: boolean): void };
  setBackend(name: string): Promise<boolean>;
  tensor(values: Float32Array, shape: readonly number[]): Disposable;
  logSoftmax(x: Disposable, axis: number): Disposable;
}

interface Disposable {
  dispose(): void;
}

/** Loads the packages; undefined if absent. */
export async function openTensorFlow(): Promise<KernelPeer | undefined> {
  const core = await importPeer<TensorFlow>("@tensorflow/tfjs-core");
  const backend = core && (await importPeer<object>("@tensorflow/tfjs-backend-wasm"));
  if (core === undefined || backend === undefined) return undefined;
  core.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  if (!(await core.setBackend("wasm"))) return undefined;
  let x: Disposable | undefined;
  return {
    name: "TensorFlow.js WASM",
    version: core.version_core,
    async prepare({ operation, shape }) {
      // TensorFlow.js has no fused cross entropy, and its logSoftmax supports the last dimension only.
      if (operation !== "log_softmax" || shape.length !== 2) return undefined;
      x?.dispose();
      const input = core.tensor(
        Float32Array.from({ length: elementCount(shape) }, () => Math.random() * 10 - 5),
        shape,
      );
      x = input;
      return {
        name: "TensorFlow.js WASM",
        measure: (time) => fastest(() => core.logSoftmax(input, 1).dispose(), time),
      };
    },
    close: () => x?.dispose(),
  };
}
